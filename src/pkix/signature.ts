import { constants, verify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';
import { promisify } from 'node:util';
import { EstError } from '../errors.ts';
import { contextTag, isNull, readInteger, readObjectIdentifier, tags, type DerNode } from './der.ts';
import type { KeyType, PublicKey } from './keys.ts';
import { oids } from './oids.ts';

/** The hash functions that a signature may use. */
type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** A signature algorithm, as RFC 7030 and the algorithm's own RFC name it. */
export type SignatureAlgorithmName =
  | `sha${'256' | '384' | '512'}WithRSAEncryption`
  | 'RSASSA-PSS'
  | `ecdsaWithSHA${'256' | '384' | '512'}`
  | 'Ed25519'
  | `ML-DSA-${'44' | '65' | '87'}`;

/** A signature algorithm that the gateway accepts. */
export interface SignatureAlgorithm {
  readonly name: SignatureAlgorithmName;
  readonly oid: string;
  /** The keys that can make such signatures. */
  readonly keyTypes: readonly KeyType[];
  /** Null where the algorithm decides by itself or the parameters do. */
  readonly hash: SignatureHash | null;
  /** What stands beside the object identifier in an AlgorithmIdentifier. */
  readonly parameters: 'null' | 'absent' | 'pss';
}

const curveTypes: readonly KeyType[] = ['P-256', 'P-384', 'P-521'];

/** Every accepted signature algorithm: RFC 4055, RFC 5758, RFC 8410, RFC 9881. */
export const signatureAlgorithms: readonly SignatureAlgorithm[] = [
  rsa('sha256WithRSAEncryption', 'sha256'),
  rsa('sha384WithRSAEncryption', 'sha384'),
  rsa('sha512WithRSAEncryption', 'sha512'),
  { name: 'RSASSA-PSS', oid: oids.rsassaPss, keyTypes: ['RSA'], hash: null, parameters: 'pss' },
  ecdsa('ecdsaWithSHA256', 'sha256'),
  ecdsa('ecdsaWithSHA384', 'sha384'),
  ecdsa('ecdsaWithSHA512', 'sha512'),
  pure('Ed25519', oids.Ed25519),
  pure('ML-DSA-44', oids.mlDsa44),
  pure('ML-DSA-65', oids.mlDsa65),
  pure('ML-DSA-87', oids.mlDsa87),
];

function rsa(name: `sha${'256' | '384' | '512'}WithRSAEncryption`, hash: SignatureHash): SignatureAlgorithm {
  return { name, oid: oids[name], keyTypes: ['RSA'], hash, parameters: 'null' };
}

function ecdsa(name: `ecdsaWithSHA${'256' | '384' | '512'}`, hash: SignatureHash): SignatureAlgorithm {
  return { name, oid: oids[name], keyTypes: curveTypes, hash, parameters: 'absent' };
}

function pure(type: KeyType & SignatureAlgorithmName, oid: string): SignatureAlgorithm {
  return { name: type, oid, keyTypes: [type], hash: null, parameters: 'absent' };
}

const acceptedSignatures =
  'SHA-256, SHA-384 or SHA-512 with RSA (PKCS#1 v1.5 or PSS) or ECDSA, or Ed25519, or ML-DSA';

const algorithmByOid: ReadonlyMap<string, SignatureAlgorithm> = new Map(
  signatureAlgorithms.map((algorithm) => [algorithm.oid, algorithm]),
);

/** A signature that fits its key by kind; whether it is right is another question. */
export interface Signature {
  readonly algorithm: SignatureAlgorithmName;
  readonly scheme: Scheme;
  readonly publicKey: PublicKey;
  /** What was signed. */
  readonly data: Buffer;
  readonly octets: Buffer;
}

/**
 * What is said about a signature. Throws `bad_certification_request` for an algorithm that is not accepted, does not fit
 * the key or has parameters that it should not have, DerError when it is malformed.
 */
export function readSignature(
  algorithmIdentifier: DerNode,
  publicKey: PublicKey,
  data: Buffer,
  octets: Buffer,
): Signature {
  const algorithm = readSignatureAlgorithm(algorithmIdentifier);
  if (!algorithm.keyTypes.includes(publicKey.type)) {
    throw refusal('The signature algorithm does not fit the public key.');
  }
  const [, parameters] = algorithmIdentifier.children;
  const scheme = readScheme(algorithm, parameters);
  return { algorithm: algorithm.name, scheme, publicKey, data, octets };
}

/** Verified at once, which takes less than the way to the thread pool and back, unless so much was signed. */
const quickKeys: ReadonlySet<KeyType> = new Set(['P-256', 'Ed25519']);

/** Octets. Who has read more has kept others waiting, and lets them go first now. */
const quickLength = 8192;

const verifyAside = promisify<SignatureHash | null, Buffer, VerificationKey, Buffer, boolean>(verify);

/** Whether a signature is right. One that takes long keeps a thread of the pool busy, and not the event loop. */
export async function isRight({ scheme, publicKey, data, octets }: Signature): Promise<boolean> {
  const key = keyFor(scheme, publicKey);
  try {
    return quickKeys.has(publicKey.type) && data.length <= quickLength
      ? verify(scheme.hash, data, key, octets)
      : await verifyAside(scheme.hash, data, key, octets);
  } catch {
    return false;
  }
}

type VerificationKey = KeyObject | VerifyKeyObjectInput;

function keyFor({ pssSaltLength }: Scheme, { key }: PublicKey): VerificationKey {
  if (pssSaltLength === undefined) return key;
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pssSaltLength };
}

/** Whether the signature over the data is right. Throws as `readSignature`. */
export async function verifySignature(
  algorithmIdentifier: DerNode,
  publicKey: PublicKey,
  data: Buffer,
  octets: Buffer,
): Promise<boolean> {
  return await isRight(readSignature(algorithmIdentifier, publicKey, data, octets));
}

/** Which algorithm an AlgorithmIdentifier names. Throws `bad_certification_request` when it is not accepted, DerError. */
function readSignatureAlgorithm({ tag, children }: DerNode): SignatureAlgorithm {
  const [oid, , ...rest] = children;
  if (tag !== tags.sequence || oid === undefined || rest.length > 0) throw badParameters();
  const algorithm = algorithmByOid.get(readObjectIdentifier(oid));
  if (algorithm === undefined) throw refusal('The signature algorithm is not accepted.');
  return algorithm;
}

/** What node:crypto needs to know. */
interface Scheme {
  readonly hash: SignatureHash | null;
  /** Octets of salt, for RSASSA-PSS alone. */
  readonly pssSaltLength?: number;
}

function readScheme(
  { hash, parameters: expected }: SignatureAlgorithm,
  parameters: DerNode | undefined,
): Scheme {
  switch (expected) {
    case 'absent':
      if (parameters !== undefined) throw badParameters();
      return { hash };
    case 'null':
      // Absent where NULL should be is a common slip and changes nothing.
      if (parameters !== undefined && !isNull(parameters)) throw badParameters();
      return { hash };
    case 'pss':
      return readPssParameters(parameters);
  }
}

const hashOids: ReadonlyMap<string, SignatureHash> = new Map([
  [oids.sha256, 'sha256'],
  [oids.sha384, 'sha384'],
  [oids.sha512, 'sha512'],
]);

/** Octets: no key of 8192 bits has room for more. */
const longestSalt = 1024n;

/**
 * RFC 4055, section 3.1: a hash of SHA-2, MGF1 with the same hash, and a salt of any length: the hash's is only recommended,
 * and OpenSSL takes the longest that the key has room for.
 */
function readPssParameters(node: DerNode | undefined): Scheme {
  const [hashField, maskField, saltField, ...rest] = node?.tag === tags.sequence ? node.children : [];
  const hash = readHashAlgorithm(explicitChild(hashField, 0));
  const [mask, maskHash] = explicitChild(maskField, 1).children;
  // Without the salt field the length is 20; the trailer field has one value only, which DER leaves out.
  const saltLength = saltField === undefined ? 20n : readInteger(explicitChild(saltField, 2));
  const isMgf1 = mask !== undefined && maskHash !== undefined && readObjectIdentifier(mask) === oids.mgf1;
  const isSaneSalt = saltLength >= 0n && saltLength <= longestSalt;
  if (!isMgf1 || readHashAlgorithm(maskHash) !== hash || !isSaneSalt || rest.length > 0)
    throw badParameters();
  return { hash, pssSaltLength: Number(saltLength) };
}

function explicitChild(node: DerNode | undefined, n: number): DerNode {
  const [child, ...rest] = node?.tag === contextTag(n, 'constructed') ? node.children : [];
  if (child === undefined || rest.length > 0) throw badParameters();
  return child;
}

/** The hash function of an AlgorithmIdentifier. Throws `bad_certification_request` when it is not accepted. */
export function readHashAlgorithm({ children: [oid, parameters, ...rest] }: DerNode): SignatureHash {
  const hash = oid === undefined ? undefined : hashOids.get(readObjectIdentifier(oid));
  const hasOddParameters = rest.length > 0 || (parameters !== undefined && !isNull(parameters));
  if (hash === undefined || hasOddParameters) throw badParameters();
  return hash;
}

function badParameters(): EstError {
  return refusal('The signature algorithm is malformed or has parameters that it should not have.');
}

function refusal(found: string): EstError {
  return new EstError('bad_certification_request', `${found} Accepted: ${acceptedSignatures}.`, {
    cmcFailure: 'badAlg',
  });
}
