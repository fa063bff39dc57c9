import { execFile } from 'node:child_process';
import { createHash, generatePrimeSync, checkPrimeSync, randomInt, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readDer } from '../../src/pkix/der.ts';
import { readPublicKey } from '../../src/pkix/keys.ts';
import {
  createBlocklist,
  greatestCommonDivisor,
  hasClosePrimes,
  hasRocaFingerprint,
  hasSmallFactor,
  isPrimeModulus,
} from '../../src/pkix/weak-keys.ts';
import { keyPair, rsaKeyPair, rsaSpki, spkiOf } from '../support/csr.ts';
import { knownKeysText } from '../support/make-known-keys.ts';

const run = promisify(execFile);
const isPrime = (candidate: bigint): boolean => checkPrimeSync(candidate);

/** The product of the first 126 primes, as the flawed library uses it for keys of 2048 bits. */
function primorial(): bigint {
  let [product, count] = [1n, 0];
  for (let candidate = 2n; count < 126; candidate += 1n) {
    if (!isPrime(candidate)) continue;
    product *= candidate;
    count += 1;
  }
  return product;
}

/** A prime as Infineon's RSALib makes it: k * M + (65537^a mod M). */
function rocaPrime(modulus: bigint): bigint {
  for (;;) {
    let power = 1n;
    for (let a = randomInt(1, 5000); a > 0; a -= 1) power = (power * 65537n) % modulus;
    const k = (3n << 1022n) / modulus + BigInt(randomInt(1, 2 ** 47));
    const candidate = k * modulus + power;
    if (isPrime(candidate)) return candidate;
  }
}

function nextPrime(from: bigint): bigint {
  let candidate = from + 2n;
  while (!isPrime(candidate)) candidate += 2n;
  return candidate;
}

function modulusOf(publicKey: KeyObject): Buffer {
  return readPublicKey(readDer(spkiOf(publicKey))).modulus ?? Buffer.alloc(0);
}

async function soundModulus(): Promise<bigint> {
  const { n = '' } = (await keyPair('RSA-2048')).publicKey.export({ format: 'jwk' });
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
}

describe('weak RSA keys (row S-13, vector V-23)', () => {
  it('V-23 refuses a key with the ROCA structure as forbidden', () => {
    const m = primorial();
    const { publicKey } = rsaKeyPair(rocaPrime(m), rocaPrime(m));
    expect(() => readPublicKey(readDer(spkiOf(publicKey)))).toThrow(
      expect.objectContaining({ code: 'refused_by_policy', sentence: expect.stringContaining('ROCA') }),
    );
  });

  it('V-23 refuses a key whose primes are close as forbidden', () => {
    const p = generatePrimeSync(1024, { bigint: true });
    const { publicKey } = rsaKeyPair(p, nextPrime(p));
    expect(() => readPublicKey(readDer(spkiOf(publicKey)))).toThrow(
      expect.objectContaining({ code: 'refused_by_policy', sentence: expect.stringContaining('close') }),
    );
  });

  it('finds close primes within 100 rounds of Fermat and not beyond', () => {
    // (a - b)(a + b) takes Fermat from the root of a^2 - b^2, about a - b^2 / 2a, up to a.
    const a = generatePrimeSync(1024, { bigint: true });
    const rounds = (count: bigint): bigint => {
      let b = 1n << 511n;
      while ((b * b) / (2n * a) < count) b += (1n << 507n) + 2n;
      return a * a - b * b;
    };
    expect(hasClosePrimes(rounds(50n))).toBe(true);
    expect(hasClosePrimes(rounds(200n))).toBe(false);
  });

  it('S-13 finds every prime factor below 2^16', async () => {
    const modulus = await soundModulus();
    expect(hasSmallFactor(modulus)).toBe(false);
    expect(hasSmallFactor(modulus * 2n)).toBe(true);
    for (const factor of [3n, 5n, 167n, 751n, 757n, 32_749n, 65_519n, 65_521n])
      expect(hasSmallFactor(modulus * factor)).toBe(true);
    expect(hasSmallFactor(modulus * 65_537n)).toBe(true);
    expect(hasSmallFactor(modulus * 131_071n)).toBe(true);
    expect(hasSmallFactor(modulus * 131_101n)).toBe(false);
  });

  it('finds the greatest common divisor that Euclid finds', () => {
    const euclid = (a: bigint, b: bigint): bigint => (b === 0n ? a : euclid(b, a % b));
    const number = fc.bigInt({ min: 0n, max: 1n << 800n });
    const size = fc.nat(800).map(BigInt);
    fc.assert(
      fc.property(number, number, number, size, size, (a, b, factor, fewerBits, others) => {
        const [one, other] = [(a >> fewerBits) * factor, (b >> others) * factor];
        expect(greatestCommonDivisor(one, other)).toBe(euclid(one, other));
      }),
      { numRuns: 2000 },
    );
    // Of two Fibonacci numbers in a row each quotient is 1: no numbers of their length take more steps.
    let [one, other] = [1n, 1n];
    while (other < 1n << 4096n) [one, other] = [other, one + other];
    expect(greatestCommonDivisor(7n * one, 7n * other)).toBe(7n);
  });

  it('S-13 finds a modulus that is a prime, and no other', async () => {
    const octets = (modulus: bigint): Buffer => Buffer.from(modulus.toString(16), 'hex');
    expect(await isPrimeModulus(octets(generatePrimeSync(2048, { bigint: true })))).toBe(true);
    expect(await isPrimeModulus(octets(await soundModulus()))).toBe(false);
  });

  it('has nothing against sound keys', async () => {
    const modulus = await soundModulus();
    expect(hasRocaFingerprint(modulus)).toBe(false);
    expect(hasClosePrimes(modulus)).toBe(false);
    expect(readPublicKey(readDer(rsaSpki(modulus, 65537n))).type).toBe('RSA');
  });
});

describe('createBlocklist (CVE-2008-0166)', () => {
  it('V-23 knows a listed key by the fingerprint that openssl gives, and no other key', async () => {
    const { publicKey } = await keyPair('RSA-2048');
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    const child = run('openssl', ['rsa', '-pubin', '-noout', '-modulus']);
    child.child.stdin?.end(pem);
    const { stdout: modulusLine } = await child;
    const fingerprint = createHash('sha1').update(modulusLine).digest('hex').slice(20);
    const blocklist = createBlocklist(`# known keys\n\n0123456789abcdef0123\n${fingerprint}\n`);
    expect(blocklist.includes({ sha256: '', modulus: modulusOf(publicKey) })).toBe(true);
    const modulus = modulusOf((await keyPair('RSA-3072')).publicKey);
    expect(blocklist.includes({ sha256: '', modulus })).toBe(false);
  });

  it('knows a key of any kind by the digest that openssl gives', async () => {
    const { publicKey } = await keyPair('Ed25519');
    const digest = createHash('sha256')
      .update(publicKey.export({ format: 'der', type: 'spki' }))
      .digest('hex');
    const listed = { sha256: digest, modulus: undefined };
    expect(createBlocklist(digest).includes(listed)).toBe(true);
    expect(createBlocklist('').includes(listed)).toBe(false);
  });

  it('knows keys that anybody knows without a list, as the script makes them', async () => {
    expect(await readFile('src/pkix/known-keys.ts', 'utf8')).toBe(knownKeysText());
    const rfc8410 = 'MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=';
    const sha256 = createHash('sha256').update(Buffer.from(rfc8410, 'base64')).digest('hex');
    expect(createBlocklist('').includes({ sha256, modulus: undefined })).toBe(true);
  });

  it('names the line that is no fingerprint', () => {
    expect(() => createBlocklist('# comment\nABCDEF\n')).toThrow('Line 2');
  });
});
