import { createPublicKey, type KeyObject } from 'node:crypto';
import { embed, sequence } from './der-write.ts';
import { contextTag, readObjectIdentifier, readOctetString, tags, type DerNode } from './der.ts';
import type { KeyType, PublicKey } from './keys.ts';
import { oids } from './oids.ts';
import {
  readCertificationRequest,
  readContents,
  readInfo,
  readOuter,
  readPkcs10,
  singleValue,
  type CertificationRequest,
  type FoundNames,
  type RequestedContents,
} from './pkcs10.ts';
import { keyToMake, type GeneratedKeyKind, type KeyToMake } from './private-keys.ts';
import { createRequestSigner, requestAlgorithmOf, signStructure } from './signer.ts';
import type { Signature } from './signature.ts';
import { refuseUnfitKeyUsage } from './unfit-key-usage.ts';
import { readSmimeCapabilities, type SmimeCapability } from './smime-capabilities.ts';

/** A PKCS#10 whose sender wants a key, too. Its own key and signature mean nothing (RFC 7030, section 4.4.1). */
export interface KeyGenerationRequest {
  readonly contents: RequestedContents;
  /** The type of the key inside, a hint at what the sender would like; undefined when it is none that we know. */
  readonly keyType: KeyType | undefined;
  /** Names a symmetric key that shall protect the new key; undefined: not asked for (RFC 7030, section 4.4.1.1). */
  readonly decryptKeyIdentifier: Buffer | undefined;
  /** Names a public key that shall protect the new key; undefined: not asked for (RFC 7030, section 4.4.1.2). */
  readonly asymmetricDecryptKeyIdentifier: Buffer | undefined;
  /** By which algorithms the sender can decrypt. */
  readonly smimeCapabilities: readonly SmimeCapability[] | undefined;
  /** The certificationRequestInfo as received. */
  readonly info: DerNode;
}

/**
 * Decodes a PKCS#10 that asks for a key, as strictly as any other but for its key and signature, which may be dummies.
 * Throws `bad_certification_request`.
 */
export function readKeyGenerationRequest(der: Buffer): KeyGenerationRequest {
  return readPkcs10(der, decode);
}

function decode(root: DerNode, found: FoundNames): KeyGenerationRequest {
  const { info } = readOuter(root);
  const { subject, spki, attributes } = readInfo(info, found);
  const octets = (oid: string): Buffer | undefined => {
    const value = singleValue(attributes, oid);
    return value === undefined ? undefined : readOctetString(value);
  };
  const capabilities = singleValue(attributes, oids.smimeCapabilities);
  return {
    contents: readContents(subject, attributes, found),
    keyType: keyTypeOf(spki),
    decryptKeyIdentifier: octets(oids.decryptKeyIdentifier),
    asymmetricDecryptKeyIdentifier: octets(oids.asymmetricDecryptKeyIdentifier),
    smimeCapabilities: capabilities === undefined ? undefined : readSmimeCapabilities(capabilities),
    info,
  };
}

const keyTypes: ReadonlyMap<string, KeyType> = new Map([
  [oids.rsaEncryption, 'RSA'],
  [oids.secp256r1, 'P-256'],
  [oids.secp384r1, 'P-384'],
  [oids.secp521r1, 'P-521'],
  [oids.Ed25519, 'Ed25519'],
  [oids.mlDsa44, 'ML-DSA-44'],
  [oids.mlDsa65, 'ML-DSA-65'],
  [oids.mlDsa87, 'ML-DSA-87'],
]);

/** By the algorithm, or by the curve that is its parameter. */
function keyTypeOf({ children: [algorithm] }: DerNode): KeyType | undefined {
  const identifiers = algorithm?.children.filter(({ tag }) => tag === tags.objectIdentifier) ?? [];
  return identifiers
    .map((node) => keyTypes.get(readObjectIdentifier(node)))
    .find((type) => type !== undefined);
}

/** What a client asks to have certified; of a key that is yet to be made, only the kind is known. */
export interface RequestedCertificate<
  Key extends PublicKey | KeyToMake = PublicKey | KeyToMake,
> extends RequestedContents {
  readonly publicKey: Key;
  readonly signature: Pick<Signature, 'algorithm'>;
}

/** The kind of the key in the CSR where such keys are made, else the first; nothing else of that key matters. */
export function chooseKind(
  keys: readonly [GeneratedKeyKind, ...GeneratedKeyKind[]],
  { keyType }: KeyGenerationRequest,
): GeneratedKeyKind {
  return keys.find((kind) => keyToMake(kind).type === keyType) ?? keys[0];
}

/** What is asked for where the key will be of this kind. Throws `bad_certification_request` when such a key cannot have the keyUsage. */
export function withKeyToMake(
  { contents }: KeyGenerationRequest,
  kind: GeneratedKeyKind,
): RequestedCertificate<KeyToMake> {
  const publicKey = keyToMake(kind);
  refuseUnfitKeyUsage(publicKey, contents.keyUsage ?? []);
  return { ...contents, publicKey, signature: { algorithm: requestAlgorithmOf(publicKey.type) } };
}

/**
 * The same request for another key, signed with it: what the sender would have sent with a key of its own. So the
 * proof of possession is the gateway's, which need not verify it.
 */
export async function withKey(
  { info }: KeyGenerationRequest,
  type: KeyType,
  privateKey: KeyObject,
): Promise<CertificationRequest> {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const [, , , attributes = noAttributes] = info.children;
  const parts = [...info.children.slice(0, 2).map(({ bytes }) => bytes), spki, attributes.bytes];
  const signer = createRequestSigner(type, privateKey);
  return readCertificationRequest(await signStructure(sequence(...parts.map(embed)), signer));
}

const noAttributes = { bytes: Buffer.of(contextTag(0, 'constructed'), 0) };
