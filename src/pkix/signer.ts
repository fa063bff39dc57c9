import { generateKeyPair, sign, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto';
import { promisify } from 'node:util';
import { bitString, null_, objectIdentifier, primitive, sequence, toDer, type Asn1 } from './der-write.ts';
import { tags } from './der.ts';
import type { KeyType } from './keys.ts';
import { oids } from './oids.ts';
import type { SignatureAlgorithmName } from './signature.ts';

/** A CA's private key, ready to sign. */
export interface Signer {
  /** What stands beside each signature: AlgorithmIdentifier of RFC 5280, section 4.1.1.2. */
  readonly algorithmIdentifier: Asn1;
  sign(data: Buffer): Promise<Buffer>;
}

/** For messages. */
const signingKeys = 'RSA of 2048 to 8192 bits, P-256 or P-384';

/**
 * Signs with RSA and SHA-256 (RFC 4055), P-256 and SHA-256, or P-384 and SHA-384 (RFC 5758). Throws an Error
 * with a plain sentence for any other key.
 */
export function createSigner(privateKey: KeyObject): Signer {
  return signerBy(privateKey, algorithmOf(privateKey));
}

/** Signs requests with a client's key of any type that is accepted (RFC 4055, RFC 5758, RFC 8410, RFC 9881). */
export function createRequestSigner(type: KeyType, privateKey: KeyObject): Signer {
  return signerBy(privateKey, algorithms[type]);
}

/** By which algorithm `createRequestSigner` signs. */
export function requestAlgorithmOf(type: KeyType): SignatureAlgorithmName {
  return algorithms[type].name;
}

function signerBy(privateKey: KeyObject, { hash, algorithmIdentifier }: Algorithm): Signer {
  // On a curve a signature costs less than the way to the thread pool; with RSA it would block every other request.
  const isQuick = privateKey.asymmetricKeyType === 'ec';
  return {
    algorithmIdentifier,
    sign: async (data) =>
      isQuick ? sign(hash, data, privateKey) : await promisify(sign)(hash, data, privateKey),
  };
}

/** A private key, and the SubjectPublicKeyInfo (DER) of its public half. */
interface SigningKey {
  readonly privateKey: KeyObject;
  readonly spki: Buffer;
}

/** A new P-256 key. */
export async function generateSigningKey(): Promise<SigningKey> {
  return signingKey(await generate('ec', { namedCurve: 'P-256' }));
}

/** A new key of the type and size of a CA's key, which `createSigner` takes. */
export async function generateKeyLike(model: KeyObject): Promise<SigningKey> {
  const { modulusLength = 0, namedCurve = '' } = model.asymmetricKeyDetails ?? {};
  return signingKey(
    model.asymmetricKeyType === 'rsa'
      ? await generate('rsa', { modulusLength })
      : await generate('ec', { namedCurve }),
  );
}

const generate = promisify(generateKeyPair);

function signingKey({ privateKey, publicKey }: KeyPairKeyObjectResult): SigningKey {
  return { privateKey, spki: publicKey.export({ type: 'spki', format: 'der' }) };
}

/** SIGNED{} of RFC 5280: what was signed, the algorithm, the signature. */
export async function signStructure(content: Asn1, signer: Signer): Promise<Buffer> {
  const signed = toDer(content);
  const signature = await signer.sign(signed);
  const parts = [signed, toDer(signer.algorithmIdentifier), toDer(bitString(signature))];
  return toDer(primitive(tags.sequence, Buffer.concat(parts)));
}

interface Algorithm {
  readonly name: SignatureAlgorithmName;
  /** Null where the key decides by itself. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly algorithmIdentifier: Asn1;
}

function algorithm(
  name: SignatureAlgorithmName,
  hash: Algorithm['hash'],
  oid: string,
  ...parameters: readonly Asn1[]
): Algorithm {
  return { name, hash, algorithmIdentifier: sequence(objectIdentifier(oid), ...parameters) };
}

const algorithms: Readonly<Record<KeyType, Algorithm>> = {
  RSA: algorithm('sha256WithRSAEncryption', 'sha256', oids.sha256WithRSAEncryption, null_()),
  'P-256': algorithm('ecdsaWithSHA256', 'sha256', oids.ecdsaWithSHA256),
  'P-384': algorithm('ecdsaWithSHA384', 'sha384', oids.ecdsaWithSHA384),
  'P-521': algorithm('ecdsaWithSHA512', 'sha512', oids.ecdsaWithSHA512),
  Ed25519: algorithm('Ed25519', null, oids.Ed25519),
  'ML-DSA-44': algorithm('ML-DSA-44', null, oids.mlDsa44),
  'ML-DSA-65': algorithm('ML-DSA-65', null, oids.mlDsa65),
  'ML-DSA-87': algorithm('ML-DSA-87', null, oids.mlDsa87),
};

function algorithmOf({ type, asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): Algorithm {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails;
  const isRsa = asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192;
  if (type === 'private' && isRsa) return algorithms.RSA;
  if (type === 'private' && namedCurve === 'prime256v1') return algorithms['P-256'];
  if (type === 'private' && namedCurve === 'secp384r1') return algorithms['P-384'];
  throw new Error(`A CA key must be ${signingKeys}.`);
}
