import { checkPrime, createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { knownKeys } from './known-keys.ts';

/**
 * What is wrong with an RSA modulus that only a search reveals. Each finding means that the private key can be
 * computed from the public one.
 */

/** Factors are sought below this. */
const factorLimit = 131_072;

/** The odd primes below the limit, by the sieve of Eratosthenes. */
const oddPrimes = findOddPrimes();

function findOddPrimes(): readonly number[] {
  const isComposite = new Uint8Array(factorLimit);
  const primes: number[] = [];
  for (let candidate = 3; candidate < factorLimit; candidate += 2) {
    if (isComposite[candidate] === 1) continue;
    primes.push(candidate);
    for (let multiple = candidate ** 2; multiple < factorLimit; multiple += 2 * candidate)
      isComposite[multiple] = 1;
  }
  return primes;
}

/** By halves, which is faster than one factor after the other. */
function productOf(factors: readonly number[]): bigint {
  if (factors.length < 2) return BigInt(factors[0] ?? 1);
  const middle = Math.floor(factors.length / 2);
  return productOf(factors.slice(0, middle)) * productOf(factors.slice(middle));
}

const productOfOddPrimes = productOf(oddPrimes);

/** Whether the modulus is even or has a prime factor below 2^17. */
export function hasSmallFactor(modulus: bigint): boolean {
  return modulus % 2n === 0n || greatestCommonDivisor(modulus, productOfOddPrimes % modulus) > 1n;
}

/**
 * Of two numbers that are not negative, by Lehmer's algorithm (Knuth, The Art of Computer Programming, section 4.5.2,
 * algorithm L): the leading digits alone tell many steps of Euclid's, which the long numbers then take at once.
 */
export function greatestCommonDivisor(one: bigint, other: bigint): bigint {
  let [larger, smaller] = one < other ? [other, one] : [one, other];
  let shift = Math.max(0, 4 * larger.toString(16).length - leadingBits);
  while (smaller > 0n) {
    const leading = Number(larger >> BigInt(shift));
    if (shift > 0 && leading < 2 ** (leadingBits - 4)) {
      shift = Math.max(0, shift - leadingBits + Math.ceil(Math.log2(leading + 1)));
      continue;
    }
    const { a, b, c, d } = stepsOf(leading, Number(smaller >> BigInt(shift)));
    [larger, smaller] =
      b === 0
        ? [smaller, larger % smaller]
        : [BigInt(a) * larger + BigInt(b) * smaller, BigInt(c) * larger + BigInt(d) * smaller];
  }
  return larger;
}

/** So that numbers of JavaScript hold them exactly, and a quotient is never rounded up. */
const leadingBits = 50;

/** As many of Euclid's steps as are sure whatever digits follow: what they make of the two is a·x + b·y and c·x + d·y. */
function stepsOf(leading: number, other: number): Readonly<Record<'a' | 'b' | 'c' | 'd', number>> {
  let [x, y, a, b, c, d] = [leading, other, 1, 0, 0, 1];
  while (y + c !== 0 && y + d !== 0) {
    const quotient = Math.floor((x + a) / (y + c));
    if (quotient !== Math.floor((x + b) / (y + d))) break;
    [x, y, a, b, c, d] = [y, x - quotient * y, c, d, a - quotient * c, b - quotient * d];
  }
  return { a, b, c, d };
}

/**
 * For the primes up to 167: the remainders that a modulus of Infineon's RSALib leaves, which are the powers of
 * 65537. Every such modulus passes for every prime; of others about one in 2^27 does.
 */
const rocaRemainders: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  oddPrimes.filter((prime) => prime <= 167).map((prime) => [prime, powersOf65537(prime)]),
);

const productOfRocaPrimes = productOf([...rocaRemainders.keys()]);

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65537) % prime) powers.add(power);
  return powers;
}

/** Whether the modulus bears the fingerprint of ROCA (CVE-2017-15361; Nemec and others, 2017, section 2.3). */
export function hasRocaFingerprint(modulus: bigint): boolean {
  const remainder = modulus % productOfRocaPrimes;
  return [...rocaRemainders].every(([prime, remainders]) =>
    remainders.has(Number(remainder % BigInt(prime))),
  );
}

const fermatRounds = 100;

/** Whether the two primes are so close together that Fermat's method finds them within 100 rounds. */
export function hasClosePrimes(modulus: bigint): boolean {
  const root = squareRoot(modulus);
  let middle = root * root < modulus ? root + 1n : root;
  let difference = middle * middle - modulus;
  for (let round = 0; round < fermatRounds; round += 1) {
    if (isSquare(difference)) return true;
    difference += 2n * middle + 1n;
    middle += 1n;
  }
  return false;
}

const squaresModulus = 64 * 3 * 5 * 7 * 11;
const squareRemainders = new Set(
  Array.from({ length: squaresModulus }, (_, root) => (root * root) % squaresModulus),
);

function isSquare(value: bigint): boolean {
  // Most numbers that are no squares show it by their remainder alone.
  if (!squareRemainders.has(Number(value % BigInt(squaresModulus)))) return false;
  return squareRoot(value) ** 2n === value;
}

/** The integer part of the square root, by Newton's method from above. */
function squareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let root = 1n << BigInt(value.toString(16).length * 2);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/**
 * Whether a modulus, big-endian, is a single prime. Takes a thread of the pool for 2 ms (2048 bits) to 90 ms (8192 bits),
 * and where it is one for 0.1 to 11 seconds.
 */
export const isPrimeModulus = promisify<Buffer, boolean>(checkPrime);

/** A key as lists know it: the SHA-256 of its SubjectPublicKeyInfo, hex, and of RSA keys the modulus, big-endian. */
interface ListedKey {
  readonly sha256: string;
  readonly modulus: Buffer | undefined;
}

/** Knows keys that are public knowledge. */
export interface Blocklist {
  readonly includes: (key: ListedKey) => boolean;
}

/**
 * The keys of `knownKeys` and those of a list: comment lines start with `#`; every other line holds the SHA-256 of a
 * SubjectPublicKeyInfo in hex, or, as in Debian's openssl-blacklist (CVE-2008-0166), the last 20 hex digits of the SHA-1 of
 * `Modulus=`, the modulus in upper-case hex and a line feed. Throws an Error that names the first line that is neither.
 */
export function createBlocklist(text: string): Blocklist {
  const listed = new Set<string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === '' || line.startsWith('#')) continue;
    if (!/^(?:[0-9a-f]{20}|[0-9a-f]{64})$/.test(line)) {
      throw new Error(
        `Line ${index + 1} of the list of known keys is not 64 lower-case hex digits (SHA-256 of a SubjectPublicKeyInfo) or 20 (Debian's lists).`,
      );
    }
    listed.add(line);
  }
  return {
    includes: ({ sha256, modulus }) =>
      knownKeys.has(sha256) ||
      listed.has(sha256) ||
      (modulus !== undefined && listed.size > 0 && listed.has(modulusFingerprint(modulus))),
  };
}

function modulusFingerprint(modulus: Buffer): string {
  const hex = modulus.toString('hex').toUpperCase();
  return createHash('sha1').update(`Modulus=${hex}\n`).digest('hex').slice(-20);
}
