import { hash } from 'node:crypto';
import { EstError } from '../errors.ts';
import { readCertificate, readSerialNumber, type Certificate } from './certificate.ts';
import { null_, objectIdentifier, sequence, toDer } from './der-write.ts';
import {
  contextTag,
  DerError,
  expectTag,
  isNull,
  readDer,
  readInteger,
  readObjectIdentifier,
  readOctetString,
  tags,
  type DerNode,
} from './der.ts';
import type { PublicKey } from './keys.ts';
import { oids } from './oids.ts';
import { readHashAlgorithm, verifySignature } from './signature.ts';

/** A signed CMS message (RFC 5652, section 5) with its content inside and one signer, not verified yet. */
export interface SignedData {
  readonly contentType: string;
  readonly content: Buffer;
  /** What the sender put beside it, in its order; nothing of it is believed. */
  readonly certificates: readonly Certificate[];
  readonly signerInfo: SignerInfo;
}

/** Who signed, and how (RFC 5652, section 5.3). */
interface SignerInfo {
  readonly signerIdentifier: SignerIdentifier;
  readonly digestAlgorithm: DerNode;
  /** As the signature covers them: under the tag of a SET. */
  readonly signedAttributes: DerNode;
  readonly signatureAlgorithm: DerNode;
  readonly signature: Buffer;
}

export type SignerIdentifier =
  | {
      readonly kind: 'issuerAndSerialNumber';
      /** The Name, DER. */
      readonly issuer: Buffer;
      /** Lower-case hex. */
      readonly serialNumber: string;
    }
  | { readonly kind: 'subjectKeyIdentifier'; readonly keyIdentifier: Buffer };

/**
 * Takes a ContentInfo apart that holds a SignedData of version 3: content inside, one signer, signed attributes. Why
 * not by a library: the octets must stay as received, the signer may be a key without a certificate, and what counts
 * as a key and a signature is the same as for a PKCS#10. Throws DerError, and for AuthenticatedData EstError
 * `bad_certification_request`.
 */
export function readSignedData(der: Buffer): SignedData {
  const [version, digestAlgorithms, encapsulated, ...optional] = readContent(readDer(der)).children;
  if (version === undefined || readInteger(version) !== 3n) {
    throw new DerError('The version of the SignedData is not 3.');
  }
  expectTag(digestAlgorithms, tags.set, 'The list of digest algorithms');
  const { contentType, content } = readEncapsulated(expectTag(encapsulated, tags.sequence, 'The content'));
  const certificates = takeOptional(optional, 0);
  // Lists of revoked certificates that a client brings along help nobody.
  const signerInfos = takeOptional(certificates.rest, 1).rest;
  return {
    contentType,
    content,
    certificates: (certificates.taken?.children ?? []).map(({ bytes }) => readCertificate(bytes)),
    signerInfo: readOnlySigner(signerInfos),
  };
}

/**
 * Whether the key signed the content: the digest of the content and its type stand in the signed attributes, and
 * the signature over those is the key's. Throws `bad_certification_request` for an algorithm that is not accepted,
 * DerError when something in it is malformed.
 */
export async function verifySignedData(
  { contentType, content, signerInfo }: SignedData,
  key: PublicKey,
): Promise<boolean> {
  const { digestAlgorithm, signedAttributes, signatureAlgorithm, signature } = signerInfo;
  const digest = hash(readHashAlgorithm(digestAlgorithm), content, 'buffer');
  return (
    readObjectIdentifier(attributeValue(signedAttributes, oids.contentType)) === contentType &&
    readOctetString(attributeValue(signedAttributes, oids.messageDigest)).equals(digest) &&
    (await verifySignature(
      withHash(signatureAlgorithm, digestAlgorithm),
      key,
      underTagOfSet(signedAttributes),
      signature,
    ))
  );
}

function readContent(root: DerNode): DerNode {
  const [type, content, ...rest] = expectTag(root, tags.sequence, 'The ContentInfo').children;
  const contentType = readObjectIdentifier(expectTag(type, tags.objectIdentifier, 'The type of the content'));
  if (contentType === oids.authenticatedData) {
    throw new EstError(
      'bad_certification_request',
      'AuthenticatedData is not supported here; send the request as SignedData.',
      { cmcFailure: 'noSupport' },
    );
  }
  if (contentType !== oids.signedData) throw new DerError('The message is not a SignedData.');
  const [signedData, ...more] = expectTag(content, contextTag(0, 'constructed'), 'The SignedData').children;
  if (rest.length > 0 || more.length > 0) throw new DerError('The ContentInfo has more than two parts.');
  return expectTag(signedData, tags.sequence, 'The SignedData');
}

function readEncapsulated({ children: [type, content, ...rest] }: DerNode): {
  readonly contentType: string;
  readonly content: Buffer;
} {
  const [octets, ...more] = expectTag(content, contextTag(0, 'constructed'), 'The content').children;
  if (octets === undefined || rest.length > 0 || more.length > 0) {
    throw new DerError('The content is malformed.');
  }
  const contentType = readObjectIdentifier(expectTag(type, tags.objectIdentifier, 'The type of the content'));
  return { contentType, content: readOctetString(octets) };
}

function takeOptional(
  nodes: readonly DerNode[],
  n: number,
): { readonly taken: DerNode | undefined; readonly rest: readonly DerNode[] } {
  const [first, ...others] = nodes;
  return first?.tag === contextTag(n, 'constructed')
    ? { taken: first, rest: others }
    : { taken: undefined, rest: nodes };
}

function readOnlySigner([signerInfos, ...rest]: readonly DerNode[]): SignerInfo {
  const [signerInfo, ...others] = expectTag(signerInfos, tags.set, 'The list of signers').children;
  if (signerInfo === undefined || others.length > 0 || rest.length > 0) {
    throw new DerError('The SignedData must have exactly one signer.');
  }
  const [version, sid, digestAlgorithm, signedAttributes, signatureAlgorithm, signature] = expectTag(
    signerInfo,
    tags.sequence,
    'The SignerInfo',
  ).children;
  expectTag(version, tags.integer, 'The version of the SignerInfo');
  return {
    signerIdentifier: readSignerIdentifier(sid),
    digestAlgorithm: expectTag(digestAlgorithm, tags.sequence, 'The digest algorithm'),
    // Without them a signature over attributes could pass for one over content (RFC 5652, section 5.3).
    signedAttributes: expectTag(signedAttributes, contextTag(0, 'constructed'), 'The signed attributes'),
    signatureAlgorithm: expectTag(signatureAlgorithm, tags.sequence, 'The signature algorithm'),
    signature: expectTag(signature, tags.octetString, 'The signature').content,
  };
}

function readSignerIdentifier(node: DerNode | undefined): SignerIdentifier {
  if (node?.tag === contextTag(0, 'primitive')) {
    return { kind: 'subjectKeyIdentifier', keyIdentifier: node.content };
  }
  const [issuer, serialNumber, ...rest] = expectTag(node, tags.sequence, 'The signer').children;
  if (serialNumber === undefined || rest.length > 0) throw new DerError('The signer is malformed.');
  return {
    kind: 'issuerAndSerialNumber',
    issuer: expectTag(issuer, tags.sequence, 'The issuer of the signer').bytes,
    serialNumber: readSerialNumber(serialNumber),
  };
}

/** The only value of a signed attribute that must be there once (RFC 5652, section 11). */
function attributeValue(signedAttributes: DerNode, oid: string): DerNode {
  const [attribute, ...others] = signedAttributes.children.filter(
    ({ children: [type] }) => type !== undefined && readObjectIdentifier(type) === oid,
  );
  const [value, ...more] = expectTag(attribute?.children[1], tags.set, 'A signed attribute').children;
  if (value === undefined || others.length > 0 || more.length > 0) {
    throw new DerError('A signed attribute does not have exactly one value.');
  }
  return value;
}

/** The signature covers the attributes as a SET, not as the implicit tag under which they are sent. */
function underTagOfSet({ bytes }: DerNode): Buffer {
  const set = Buffer.from(bytes);
  set.writeUInt8(tags.set, 0);
  return set;
}

/** CMS may name RSA alone, with the hash in the other field (RFC 3370, section 3.2). */
function withHash(signatureAlgorithm: DerNode, digestAlgorithm: DerNode): DerNode {
  const [oid, parameters, ...rest] = signatureAlgorithm.children;
  const hasOddParameters = rest.length > 0 || (parameters !== undefined && !isNull(parameters));
  if (oid === undefined || readObjectIdentifier(oid) !== oids.rsaEncryption || hasOddParameters) {
    return signatureAlgorithm;
  }
  const combined = oids[`${readHashAlgorithm(digestAlgorithm)}WithRSAEncryption`];
  return readDer(toDer(sequence(objectIdentifier(combined), null_())));
}
