import { ECDH } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { EstError } from '../../src/errors.ts';
import { DerError, readDer } from '../../src/pkix/der.ts';
import { acceptedKeys, decodePublicKey, readPublicKey } from '../../src/pkix/keys.ts';
import {
  integer,
  keyPair,
  modularPower,
  null_,
  objectIdentifier,
  rsaSpki,
  sequence,
  spki,
  spkiOf,
  tlv,
  type KeyKind,
} from '../support/csr.ts';
import { milliseconds, thrownBy } from '../support/thrown.ts';

const read = (octets: Buffer): ReturnType<typeof readPublicKey> => readPublicKey(readDer(octets));
const spkiOfKind = async (kind: KeyKind): Promise<Buffer> => spkiOf((await keyPair(kind)).publicKey);

/** An odd number of that many bits without a factor below 2^16; its factors do not matter. */
async function modulusOf(bits: number): Promise<bigint> {
  const { n = '' } = (await keyPair(`RSA-${bits}`)).publicKey.export({ format: 'jwk' });
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
}

function refusalOf(octets: Buffer): EstError {
  const error = thrownBy(() => read(octets));
  if (!(error instanceof EstError)) throw new Error(`Expected an EstError, not ${String(error)}`);
  return error;
}

describe('readPublicKey: accepted keys', () => {
  it.each([
    ['RSA-2048', 'RSA', 2048],
    ['RSA-3072', 'RSA', 3072],
    ['P-256', 'P-256', 256],
    ['P-384', 'P-384', 384],
    ['P-521', 'P-521', 521],
    ['Ed25519', 'Ed25519', 256],
    ['ML-DSA-44', 'ML-DSA-44', 0],
    ['ML-DSA-65', 'ML-DSA-65', 0],
    ['ML-DSA-87', 'ML-DSA-87', 0],
  ] as const)('reads %s', async (kind, type, bits) => {
    const octets = await spkiOfKind(kind);
    const key = read(octets);
    expect(key).toMatchObject({ type, bits });
    expect(key.spki).toEqual(octets);
    expect(key.key.equals((await keyPair(kind)).publicKey)).toBe(true);
  });
});

describe('readPublicKey: RSA (rows S-11, S-12, S-13; vectors V-20, V-21)', () => {
  it.each([512, 1024, 2047])('V-20 refuses %i bits and says what is accepted', async (bits) => {
    const refusal = refusalOf(rsaSpki(await modulusOf(bits), 65537n));
    expect(refusal.code).toBe('bad_certification_request');
    expect(refusal.sentence).toContain(`this one has ${bits}`);
    expect(refusal.sentence).toContain(acceptedKeys);
  });

  it('V-20 refuses 16384 bits without computing with it', () => {
    const huge = rsaSpki((1n << 16383n) + 1n, 65537n);
    expect(refusalOf(huge).sentence).toContain('this one has 16384');
    expect(milliseconds(() => read(huge))).toBeLessThan(10);
  });

  it.each([
    ['1', 1n],
    ['2', 2n],
    ['3', 3n],
    ['65536', 65536n],
    ['1600 bits', (1n << 1599n) + 1n],
    ['257 bits', (1n << 256n) + 1n],
  ])('V-21 refuses the exponent %s', async (_, exponent) => {
    const refusal = refusalOf(rsaSpki(await modulusOf(2048), exponent));
    expect(refusal).toMatchObject({ code: 'bad_certification_request' });
    expect(refusal.sentence).toContain('exponent');
  });

  it('S-12 accepts an exponent of 256 bits', async () => {
    expect(read(rsaSpki(await modulusOf(2048), (1n << 256n) - 1n)).bits).toBe(2048);
  });

  it.each([
    ['an even modulus', 2n],
    ['a factor of 3', 3n],
    ['a factor of 65521', 65521n],
  ])('S-13 refuses %s', async (_, factor) => {
    const modulus = (await modulusOf(2048)) * factor;
    const refusal = refusalOf(rsaSpki(modulus, 65537n));
    expect(refusal).toMatchObject({ code: 'bad_certification_request' });
    expect(refusal.sentence).toContain('small factor');
  });

  it('refuses a negative modulus', () => {
    const negative = tlv(0x02, Buffer.alloc(256, 0x81));
    const algorithm = sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_);
    expect(refusalOf(spki(algorithm, sequence(negative, integer(65537n)))).sentence).toContain(
      'this one has 0',
    );
  });

  it('S-17 wants NULL for parameters, so that one key is not two, but of CAs', async () => {
    const key = sequence(integer(await modulusOf(2048)), integer(65537n));
    const rsaEncryption = objectIdentifier('1.2.840.113549.1.1.1');
    const withoutParameters = spki(sequence(rsaEncryption), key);
    expect(decodePublicKey(readDer(withoutParameters)).type).toBe('RSA');
    expect(refusalOf(withoutParameters).sentence).toContain('must be NULL');
    expect(refusalOf(spki(sequence(rsaEncryption, sequence()), key)).sentence).toContain('must be NULL');
  });

  it('V-32 refuses a key for RSASSA-PSS alone', async () => {
    const key = sequence(integer(await modulusOf(2048)), integer(65537n));
    const refusal = refusalOf(spki(sequence(objectIdentifier('1.2.840.113549.1.1.10')), key));
    expect(refusal.code).toBe('bad_certification_request');
  });
});

describe('readPublicKey: EC (row S-14, vector V-22)', () => {
  const ecPublicKey = objectIdentifier('1.2.840.10045.2.1');
  const p256 = sequence(ecPublicKey, objectIdentifier('1.2.840.10045.3.1.7'));
  const point = async (): Promise<Buffer> => (await spkiOfKind('P-256')).subarray(-65);

  it.each(['P-192', 'secp256k1', 'Ed448'] as const)('V-22 refuses %s', async (kind) => {
    const refusal = refusalOf(await spkiOfKind(kind));
    expect(refusal.code).toBe('bad_certification_request');
    expect(refusal.sentence).toContain(acceptedKeys);
  });

  it('V-22 refuses explicit parameters and an implicit curve', async () => {
    const octets = await point();
    expect(refusalOf(spki(sequence(ecPublicKey, sequence(integer(1n))), octets)).sentence).toContain(
      'name its curve',
    );
    expect(refusalOf(spki(sequence(ecPublicKey, null_), octets)).sentence).toContain('name its curve');
    expect(refusalOf(spki(sequence(ecPublicKey), octets)).sentence).toContain('name its curve');
  });

  it('V-22 refuses an unknown curve', async () => {
    const algorithm = sequence(ecPublicKey, objectIdentifier('1.2.3.4'));
    expect(refusalOf(spki(algorithm, await point())).sentence).toContain('curve');
  });

  it('V-22 refuses the point at infinity', () => {
    expect(refusalOf(spki(p256, Buffer.of(0))).sentence).toContain('infinity');
    expect(refusalOf(spki(p256, Buffer.alloc(65))).sentence).toContain('infinity');
  });

  it('V-22 refuses a point that is not on the curve', async () => {
    const octets = Buffer.from(await point());
    octets.writeUInt8(octets.readUInt8(64) ^ 1, 64);
    expect(refusalOf(spki(p256, octets)).code).toBe('bad_certification_request');
    expect(refusalOf(spki(p256, Buffer.concat([Buffer.of(4), Buffer.alloc(64)]))).code).toBe(
      'bad_certification_request',
    );
    expect(refusalOf(spki(p256, Buffer.concat([Buffer.of(4), Buffer.alloc(64, 0xff)]))).code).toBe(
      'bad_certification_request',
    );
  });

  it('refuses a point of another curve, of the wrong length or in hybrid form', async () => {
    const octets = await point();
    const hybrid = Buffer.concat([Buffer.of(6 | (octets.readUInt8(64) & 1)), octets.subarray(1)]);
    for (const bad of [octets.subarray(0, 64), Buffer.concat([octets, Buffer.of(0)]), hybrid]) {
      expect(refusalOf(spki(p256, bad)).sentence).toContain('malformed');
    }
  });

  it('S-14 S-17 refuses a compressed point, so that one key is not two, but of CAs', async () => {
    const compressed = ECDH.convertKey(await point(), 'prime256v1', undefined, undefined, 'compressed');
    const octets = spki(p256, compressed as Buffer);
    expect(refusalOf(octets).sentence).toContain('must be uncompressed');
    expect(decodePublicKey(readDer(octets)).key.equals((await keyPair('P-256')).publicKey)).toBe(true);
  });
});

describe('readPublicKey: Ed25519 (row S-15)', () => {
  const algorithm = sequence(objectIdentifier('1.3.101.112'));
  const p = (1n << 255n) - 19n;
  const power = (base: bigint, exponent: bigint): bigint => modularPower(base, exponent, p);
  const d = (((p - 121665n) * power(121666n, p - 2n)) % p) + 0n;
  /** The y of a point of order 8 is that of which doubling gives y = 0: d y^4 + 2 y^2 - 1 = 0. */
  const orderEight = (): readonly bigint[] => {
    const squareRoot = (a: bigint): readonly bigint[] => {
      const candidate = power(a, (p + 3n) / 8n);
      const root = (candidate * candidate) % p === a ? candidate : (candidate * power(2n, (p - 1n) / 4n)) % p;
      return (root * root) % p === a ? [root, p - root] : [];
    };
    const inverseOfD = power(d, p - 2n);
    return squareRoot((1n + d) % p)
      .map((root) => ((p - 1n + root) * inverseOfD) % p)
      .flatMap(squareRoot);
  };
  const encode = (y: bigint, sign: 0 | 1): Buffer => {
    const octets = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse();
    octets.writeUInt8(octets.readUInt8(31) | (sign << 7), 31);
    return octets;
  };

  it('S-15 refuses the points of low order in every encoding', () => {
    const eight = orderEight();
    expect(eight).toHaveLength(2);
    for (const y of [0n, 1n, p - 1n, p, p + 1n, ...eight]) {
      expect(refusalOf(spki(algorithm, encode(y, 0))).sentence).toContain('low order');
      expect(refusalOf(spki(algorithm, encode(y, 1))).sentence).toContain('low order');
    }
  });

  it('S-15 refuses wrong lengths and parameters', async () => {
    const key = (await spkiOfKind('Ed25519')).subarray(-32);
    expect(refusalOf(spki(algorithm, key.subarray(1))).sentence).toContain('32 octets');
    expect(refusalOf(spki(algorithm, Buffer.concat([key, Buffer.of(0)]))).sentence).toContain('32 octets');
    expect(refusalOf(spki(sequence(objectIdentifier('1.3.101.112'), null_), key)).sentence).toContain(
      'parameters',
    );
  });
});

describe('readPublicKey: ML-DSA (row PQ-01, vector V-31)', () => {
  it.each([
    ['2.16.840.1.101.3.4.3.17', 1312],
    ['2.16.840.1.101.3.4.3.18', 1952],
    ['2.16.840.1.101.3.4.3.19', 2592],
  ])('PQ-01 takes for %s exactly %i octets and no parameters', (oid, length) => {
    const key = Buffer.alloc(length, 7);
    expect(read(spki(sequence(objectIdentifier(oid)), key)).bits).toBe(0);
    expect(refusalOf(spki(sequence(objectIdentifier(oid)), key.subarray(1))).sentence).toContain(
      `${length} octets`,
    );
    expect(refusalOf(spki(sequence(objectIdentifier(oid)), Buffer.alloc(length + 1))).sentence).toContain(
      'octets',
    );
    expect(refusalOf(spki(sequence(objectIdentifier(oid), null_), key)).sentence).toContain('no parameters');
  });

  it('PQ-02 refuses HashML-DSA', () => {
    const refusal = refusalOf(
      spki(sequence(objectIdentifier('2.16.840.1.101.3.4.3.32')), Buffer.alloc(1312)),
    );
    expect(refusal.sentence).toContain('not accepted');
  });
});

describe('readPublicKey: encodings (row M-07)', () => {
  it('M-07 refuses trailing octets inside the SPKI, wherever they are', async () => {
    const plain = readDer(await spkiOfKind('P-256'));
    const [algorithm, key] = plain.children.map(({ bytes }) => bytes);
    const [ecPublicKey, curve] = plain.children[0]?.children.map(({ bytes }) => bytes) ?? [];
    if (algorithm === undefined || key === undefined || ecPublicKey === undefined || curve === undefined) {
      throw new Error('not an SPKI');
    }
    expect(() => read(sequence(algorithm, key, null_))).toThrow(DerError);
    expect(() => read(sequence(sequence(ecPublicKey, curve, null_), key))).toThrow(DerError);
    expect(() => read(sequence(algorithm))).toThrow(DerError);
    const rsaKey = Buffer.concat([
      sequence(integer(await modulusOf(2048)), integer(65537n)),
      Buffer.of(5, 0),
    ]);
    const rsa = sequence(objectIdentifier('1.2.840.113549.1.1.1'), null_);
    expect(() => read(spki(rsa, rsaKey))).toThrow(DerError);
    const threeNumbers = sequence(integer(await modulusOf(2048)), integer(65537n), integer(1n));
    expect(() => read(spki(rsa, threeNumbers))).toThrow(DerError);
  });

  it('refuses a key with unused bits', async () => {
    const octets = Buffer.from(await spkiOfKind('Ed25519'));
    octets.writeUInt8(1, 11);
    octets.writeUInt8(octets.readUInt8(43) & 0xfe, 43);
    expect(() => read(octets)).toThrow(DerError);
  });
});
