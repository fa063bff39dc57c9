import { createHash, type KeyObject } from 'node:crypto';

/**
 * What is wrong with an RSA modulus that only a search reveals. Each finding means that the private key can be
 * computed from the public one.
 */

/** The odd primes below 752. */
const oddPrimes = Array.from({ length: 375 }, (_, i) => 2 * i + 3).filter(isPrime);

function isPrime(candidate: number): boolean {
  for (let divisor = 3; divisor * divisor <= candidate; divisor += 2) {
    if (candidate % divisor === 0) return false;
  }
  return true;
}

const productOfOddPrimes = oddPrimes.reduce((product, prime) => product * BigInt(prime), 1n);

/** Whether the modulus is even or has a prime factor below 752. */
export function hasSmallFactor(modulus: bigint): boolean {
  const remainder = modulus % productOfOddPrimes;
  return modulus % 2n === 0n || oddPrimes.some((prime) => remainder % BigInt(prime) === 0n);
}

/**
 * For the primes up to 167: the remainders that a modulus of Infineon's RSALib leaves, which are the powers of
 * 65537. Every such modulus passes for every prime; of others about one in 2^27 does.
 */
const rocaRemainders: ReadonlyMap<number, ReadonlySet<number>> = new Map(
  oddPrimes.filter((prime) => prime <= 167).map((prime) => [prime, powersOf65537(prime)]),
);

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65537) % prime) powers.add(power);
  return powers;
}

/** Whether the modulus bears the fingerprint of ROCA (CVE-2017-15361; Nemec and others, 2017, section 2.3). */
export function hasRocaFingerprint(modulus: bigint): boolean {
  const remainder = modulus % productOfOddPrimes;
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
  const { n: modulus } = publicKey.export({ format: 'jwk' });
  if (modulus === undefined) return undefined;
  const hex = Buffer.from(modulus, 'base64url').toString('hex').toUpperCase();
  return createHash('sha1').update(`Modulus=${hex}\n`).digest('hex').slice(-20);
}
