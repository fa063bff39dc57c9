import { generateKeyPair, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyKind, KeyType, PublicKey } from './keys.ts';

/** The kinds of keys that the gateway makes for clients. */
export const generatedKeyKinds = [
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const satisfies readonly KeyKind[];
export type GeneratedKeyKind = (typeof generatedKeyKinds)[number];

interface KindOfKey {
  readonly type: KeyType;
  /** As `PublicKey.bits`. */
  readonly bits: number;
  readonly strength: 128 | 256;
}

const kinds: Readonly<Record<GeneratedKeyKind, KindOfKey>> = {
  'RSA-2048': { type: 'RSA', bits: 2048, strength: 128 },
  'RSA-3072': { type: 'RSA', bits: 3072, strength: 128 },
  'RSA-4096': { type: 'RSA', bits: 4096, strength: 256 },
  'P-256': { type: 'P-256', bits: 256, strength: 128 },
  'P-384': { type: 'P-384', bits: 384, strength: 256 },
  'P-521': { type: 'P-521', bits: 521, strength: 256 },
  Ed25519: { type: 'Ed25519', bits: 256, strength: 128 },
  'ML-DSA-44': { type: 'ML-DSA-44', bits: 0, strength: 128 },
  'ML-DSA-65': { type: 'ML-DSA-65', bits: 0, strength: 256 },
  'ML-DSA-87': { type: 'ML-DSA-87', bits: 0, strength: 256 },
};

/** What is known of a key before it is made. */
export interface KeyToMake extends Pick<PublicKey, 'type' | 'bits'> {
  readonly kind: GeneratedKeyKind;
}

/** A key of this kind, which is not there yet. */
export function keyToMake(kind: GeneratedKeyKind): KeyToMake {
  const { type, bits } = kinds[kind];
  return { kind, type, bits };
}

/** The type of a kind of key: `RSA` for each length of modulus. */
export function keyTypeOf(kind: GeneratedKeyKind): KeyType {
  return kinds[kind].type;
}

/**
 * The bits of a symmetric key that protects as well as this one (NIST SP 800-57 part 1, table 2), rounded up to what
 * cipher suites have.
 */
export function strengthOf(kind: GeneratedKeyKind): 128 | 256 {
  return kinds[kind].strength;
}

/** Makes a new private key that is no RSA key from OpenSSL's random numbers, on the thread pool: a few milliseconds. */
export async function generatePrivateKey(type: Exclude<KeyType, 'RSA'>): Promise<KeyObject> {
  switch (type) {
    case 'P-256':
    case 'P-384':
    case 'P-521':
      return (await promisify(generateKeyPair)('ec', { namedCurve: type })).privateKey;
    case 'Ed25519':
      return (await promisify(generateKeyPair)('ed25519')).privateKey;
    case 'ML-DSA-44':
      return (await promisify(generateKeyPair)('ml-dsa-44')).privateKey;
    case 'ML-DSA-65':
      return (await promisify(generateKeyPair)('ml-dsa-65')).privateKey;
    case 'ML-DSA-87':
      return (await promisify(generateKeyPair)('ml-dsa-87')).privateKey;
  }
}

/**
 * Makes a new RSA key, which keeps the calling thread for a tenth of a second up to several seconds: the event loop must
 * not be on it.
 */
export function generateRsaKey(modulusLength: number): KeyObject {
  return generateKeyPairSync('rsa', { modulusLength }).privateKey;
}

/**
 * PrivateKeyInfo (PKCS#8, RFC 5958), DER; an ML-DSA key with its seed (RFC 9881, section 6). The caller fills it with
 * zeros when it is done. The key object itself is wiped by OpenSSL when the garbage collector frees it, not before.
 */
export function privateKeyInfo(privateKey: KeyObject): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}
