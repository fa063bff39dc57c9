import { checkPrime, createHash, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * What is wrong with an RSA modulus that only a search reveals. Each finding means that the private key can be
 * computed from the public one.
 */

/** Factors are sought below this. */
const factorLimit = 65_536;

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

/** Whether the modulus is even or has a prime factor below 2^16. */
export function hasSmallFactor(modulus: bigint): boolean {
  return modulus % 2n === 0n || greatestCommonDivisor(modulus, productOfOddPrimes % modulus) > 1n;
}

/** By Euclid's algorithm. */
export function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b];
  while (smaller > 0n) [larger, smaller] = [smaller, larger % smaller];
  return larger;
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
  let middle = squareRoot(modulus);
  if (middle * middle < modulus) middle += 1n;
  for (let round = 0; round < fermatRounds; round += 1, middle += 1n) {
    if (isSquare(middle * middle - modulus)) return true;
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

/** Big-endian; undefined for keys of other types. */
export function modulusOf(publicKey: KeyObject): Buffer | undefined {
  const { n: modulus } = publicKey.export({ format: 'jwk' });
  return modulus === undefined ? undefined : Buffer.from(modulus, 'base64url');
}

/** Knows keys that are public knowledge. */
export interface Blocklist {
  /** Whether this is a listed RSA key; keys of other types are never listed. */
  readonly includes: (publicKey: KeyObject) => boolean;
}

/**
 * A list of known RSA keys in the format of Debian's openssl-blacklist (CVE-2008-0166): comment lines start with
 * `#`; every other line holds the last 20 hex digits of the SHA-1 of `Modulus=`, the modulus in upper-case hex
 * and a line feed. Throws an Error that names the first line that is neither.
 */
export function createBlocklist(text: string): Blocklist {
  const fingerprints = new Set<string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === '' || line.startsWith('#')) continue;
    if (!/^[0-9a-f]{20}$/.test(line)) {
      throw new Error(`Line ${index + 1} of the list of known keys is not 20 lower-case hex digits.`);
    }
    fingerprints.add(line);
  }
  return {
    includes: (publicKey) => fingerprints.size > 0 && fingerprints.has(modulusFingerprint(publicKey) ?? ''),
  };
}

function modulusFingerprint(publicKey: KeyObject): string | undefined {
  const hex = modulusOf(publicKey)?.toString('hex').toUpperCase();
  if (hex === undefined) return undefined;
  return createHash('sha1').update(`Modulus=${hex}\n`).digest('hex').slice(-20);
}
