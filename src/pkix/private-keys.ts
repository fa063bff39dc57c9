import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyKind, KeyType } from './keys.ts';

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
  readonly strength: 128 | 256;
  readonly generate: () => Promise<{ readonly privateKey: KeyObject }>;
}

const kinds: Readonly<Record<GeneratedKeyKind, KindOfKey>> = {
  'RSA-2048': { type: 'RSA', strength: 128, generate: () => rsa(2048) },
  'RSA-3072': { type: 'RSA', strength: 128, generate: () => rsa(3072) },
  'RSA-4096': { type: 'RSA', strength: 256, generate: () => rsa(4096) },
  'P-256': { type: 'P-256', strength: 128, generate: () => ec('P-256') },
  'P-384': { type: 'P-384', strength: 256, generate: () => ec('P-384') },
  'P-521': { type: 'P-521', strength: 256, generate: () => ec('P-521') },
  Ed25519: { type: 'Ed25519', strength: 128, generate: () => promisify(generateKeyPair)('ed25519') },
  'ML-DSA-44': { type: 'ML-DSA-44', strength: 128, generate: () => promisify(generateKeyPair)('ml-dsa-44') },
  'ML-DSA-65': { type: 'ML-DSA-65', strength: 256, generate: () => promisify(generateKeyPair)('ml-dsa-65') },
  'ML-DSA-87': { type: 'ML-DSA-87', strength: 256, generate: () => promisify(generateKeyPair)('ml-dsa-87') },
};

function rsa(modulusLength: number): ReturnType<KindOfKey['generate']> {
  return promisify(generateKeyPair)('rsa', { modulusLength });
}

function ec(namedCurve: string): ReturnType<KindOfKey['generate']> {
  return promisify(generateKeyPair)('ec', { namedCurve });
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

/** Makes a new private key from OpenSSL's random numbers, on the thread pool. */
export async function generatePrivateKey(kind: GeneratedKeyKind): Promise<KeyObject> {
  const { privateKey } = await kinds[kind].generate();
  return privateKey;
}

/**
 * PrivateKeyInfo (PKCS#8, RFC 5958), DER; an ML-DSA key with its seed (RFC 9881, section 6). The caller fills it with
 * zeros when it is done. The key object itself is wiped by OpenSSL when the garbage collector frees it, not before.
 */
export function privateKeyInfo(privateKey: KeyObject): Buffer {
  return privateKey.export({ format: 'der', type: 'pkcs8' });
}
