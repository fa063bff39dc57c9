import { EstError, type RequestedNames } from '../errors.ts';
import { readChangeSubjectName, type CertifiedNames } from './change-subject-name.ts';
import {
  contextTag,
  DerError,
  expectTag,
  readBitString,
  readDer,
  readInteger,
  readObjectIdentifier,
  tags,
  type DerNode,
} from './der.ts';
import {
  isCertificateExtension,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readExtensionValue,
  readKeyUsage,
  type BasicConstraints,
  type Extension,
  type KeyUsage,
} from './extensions.ts';
import type { GeneralName } from './general-names.ts';
import { readPublicKey, type PublicKey } from './keys.ts';
import { readName, type Name } from './names.ts';
import { nameOfOid, oids } from './oids.ts';
import { guessOtherKind } from './other-kinds.ts';
import {
  checkRequestedNames,
  checkRequestedSubject,
  describeNames,
  readRequestedNames,
} from './requested-names.ts';
import { isRight, readSignature, type Signature } from './signature.ts';
import { readText } from './text.ts';
import { refuseUnfitKeyUsage } from './unfit-key-usage.ts';

/** What a PKCS#10 asks to have certified, but for the key. */
export interface RequestedContents {
  readonly subject: Name;
  /** The values, DER, of each attribute by its dotted object identifier. */
  readonly attributes: ReadonlyMap<string, readonly Buffer[]>;
  /** What extensionRequest asks for; empty when it is absent. */
  readonly extensions: readonly Extension[];
  /** Undefined: not asked for; the same for the three below. */
  readonly subjectAltName: readonly GeneralName[] | undefined;
  readonly keyUsage: readonly KeyUsage[] | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly basicConstraints: BasicConstraints | undefined;
  readonly challengePassword: string | undefined;
  /** The new names, when the attribute of RFC 6402, section 2.8 is there; those of the CSR itself are the old ones. */
  readonly changeSubjectName: CertifiedNames | undefined;
  /** RFC 7894, sections 3.1 to 3.3. */
  readonly otpChallenge: string | undefined;
  readonly revocationChallenge: string | undefined;
  readonly estIdentityLinking: string | undefined;
}

/** A decoded PKCS#10 (RFC 2986). Whether its sender has the private key, `verifyProofOfPossession` finds out. */
export interface CertificationRequest extends RequestedContents {
  /** As received. */
  readonly der: Buffer;
  readonly publicKey: PublicKey;
  /** Over the certificationRequestInfo as received, by the key inside if it is right. */
  readonly signature: Signature;
}

/** The values of each attribute, by its dotted object identifier. */
export type Attributes = ReadonlyMap<string, readonly DerNode[]>;

/**
 * Decodes a PKCS#10 certification request, and verifies nothing that takes long: its signature is looked at by
 * `verifyProofOfPossession`, before which nothing in it may be believed. Throws `bad_certification_request` for whatever is
 * malformed or not accepted, `refused_by_policy` for a key whose private half anybody can compute.
 *
 * More than DER demands: no attribute and no extension twice, names fit to be certified, no critical extension
 * that nobody knows. Less: attributes that are missing altogether (old clients) or not in DER's order.
 */
export function readCertificationRequest(der: Buffer): CertificationRequest {
  return readPkcs10(der, decode);
}

/** Throws `bad_certification_request` unless the signature of the CSR was made with the key inside. */
export async function verifyProofOfPossession({ signature }: CertificationRequest): Promise<void> {
  if (await isRight(signature)) return;
  throw new EstError(
    'bad_certification_request',
    'The signature of the CSR is wrong; sign it with the private key that belongs to its public key.',
    { cmcFailure: 'popFailed' },
  );
}

/** The names that were found before something is refused. */
export interface FoundNames {
  subject?: Name;
  subjectAltName?: readonly GeneralName[];
}

/**
 * Reads a PKCS#10 in the given way, which notes the names when it has found them, and puts what is malformed into words for
 * the sender.
 */
export function readPkcs10<Value>(
  der: Buffer,
  decodeRoot: (root: DerNode, found: FoundNames) => Value,
): Value {
  const found: FoundNames = {};
  const root = orMalformed(() => readDer(der), found);
  return orMalformed(() => decodeRoot(root, found), found, root);
}

function orMalformed<Value>(read: () => Value, found: FoundNames, root?: DerNode): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DerError || error instanceof EstError)) throw error;
    const refused = error instanceof EstError ? error : malformed(error, root);
    throw refused.with({ requestedNames: describeFound(found) });
  }
}

function malformed(error: DerError, root?: DerNode): EstError {
  const otherKind = root && guessOtherKind(root);
  return refusal(
    otherKind === undefined
      ? `The body is not a valid PKCS#10 CSR in DER: ${error.message}`
      : `The body seems to be ${otherKind}; send a PKCS#10 CSR instead.`,
    error,
  );
}

function describeFound({ subject, subjectAltName }: FoundNames): RequestedNames | undefined {
  return subject && describeNames({ subject, subjectAltName });
}

function decode(root: DerNode, found: FoundNames): CertificationRequest {
  const { info, signatureAlgorithm, signature: signatureNode } = readOuter(root);
  const { subject, spki, attributes } = readInfo(info, found);
  const contents = readContents(subject, attributes, found);
  const publicKey = readPublicKey(spki);
  refuseUnfitKeyUsage(publicKey, contents.keyUsage ?? []);
  const octets = readWholeOctets(signatureNode);
  const signature = readSignature(signatureAlgorithm, publicKey, info.bytes, octets);
  return { ...contents, der: root.bytes, publicKey, signature };
}

/** What stands in a certificationRequestInfo besides its key. */
export function readContents(subject: Name, attributes: Attributes, found: FoundNames): RequestedContents {
  return {
    subject,
    attributes: new Map([...attributes].map(([oid, values]) => [oid, values.map(({ bytes }) => bytes)])),
    ...readRequestedExtensions(attributes, found),
    ...readChallenges(attributes),
  };
}

interface Outer {
  readonly info: DerNode;
  readonly signatureAlgorithm: DerNode;
  readonly signature: DerNode;
}

/** CertificationRequest (RFC 2986, section 4.2). */
export function readOuter(root: DerNode): Outer {
  const [info, signatureAlgorithm, signature, ...rest] = expectTag(
    root,
    tags.sequence,
    'The request',
  ).children;
  if (rest.length > 0) throw new DerError('The request has more than three parts.');
  return {
    info: expectTag(info, tags.sequence, 'The certificationRequestInfo'),
    signatureAlgorithm: expectTag(signatureAlgorithm, tags.sequence, 'The signatureAlgorithm'),
    signature: expectTag(signature, tags.bitString, 'The signature'),
  };
}

function readWholeOctets(node: DerNode): Buffer {
  const { unusedBits, octets } = readBitString(node);
  if (unusedBits > 0) throw new DerError('The signature does not end at a whole octet.');
  return octets;
}

interface Info {
  readonly subject: Name;
  readonly spki: DerNode;
  readonly attributes: Attributes;
}

/** CertificationRequestInfo (RFC 2986, section 4.1). */
export function readInfo(info: DerNode, found: FoundNames): Info {
  const [version, subjectNode, spki, attributes, ...rest] = info.children;
  const subject = readName(expectTag(subjectNode, tags.sequence, 'The subject'));
  found.subject = subject;
  if (rest.length > 0) throw new DerError('The certificationRequestInfo has more than four parts.');
  if (readInteger(expectTag(version, tags.integer, 'The version')) !== 0n) {
    throw new DerError('The version is not 0.');
  }
  checkRequestedSubject(subject);
  return {
    subject,
    spki: expectTag(spki, tags.sequence, 'The subjectPublicKeyInfo'),
    attributes: readAttributes(attributes),
  };
}

/**
 * Attributes that ask for another kind of proof or of certificate (RFC 9883, RFC 9763, chameleon certificates).
 * To drop them silently would certify something else than was asked for.
 */
const unsupportedAttributes: ReadonlySet<string> = new Set([
  oids.privateKeyPossessionStatement,
  oids.relatedCertRequest,
  oids.deltaCertificateRequest,
  oids.deltaCertificateRequestSignature,
]);

function unsupportedAttribute(oid: string): EstError {
  return refusal(`The attribute ${nameOfOid(oid)} is not supported here; leave it out of the CSR.`);
}

/** Old clients leave the field out instead of leaving it empty. */
function readAttributes(node: DerNode | undefined): Attributes {
  const attributes = new Map<string, readonly DerNode[]>();
  if (node === undefined) return attributes;
  for (const attribute of expectTag(node, contextTag(0, 'constructed'), 'The list of attributes').children) {
    const [type, values, ...rest] = expectTag(attribute, tags.sequence, 'An attribute').children;
    const { children } = expectTag(values, tags.set, 'The value of an attribute');
    if (type === undefined || children.length === 0 || rest.length > 0) {
      throw new DerError('An attribute is malformed or has no value.');
    }
    const oid = readObjectIdentifier(type);
    if (attributes.has(oid)) throw new DerError(`The attribute ${nameOfOid(oid)} is there twice.`);
    if (unsupportedAttributes.has(oid)) throw unsupportedAttribute(oid);
    attributes.set(oid, children);
  }
  return attributes;
}

/** The value of a single-valued attribute, or undefined when the attribute is absent. */
export function singleValue(attributes: Attributes, oid: string): DerNode | undefined {
  const [value, ...more] = attributes.get(oid) ?? [];
  if (more.length > 0) throw new DerError(`The attribute ${nameOfOid(oid)} has more than one value.`);
  return value;
}

type RequestedExtensions = Pick<
  RequestedContents,
  'extensions' | 'subjectAltName' | 'keyUsage' | 'extendedKeyUsage' | 'basicConstraints'
>;

/** PKCS#9's extensionRequest (RFC 2985, section 5.4.2) or Microsoft's twin of it, never both. */
function readRequestedExtensions(attributes: Attributes, found: FoundNames): RequestedExtensions {
  const twin = singleValue(attributes, oids.microsoftExtensionRequest);
  const standard = singleValue(attributes, oids.extensionRequest);
  if (twin !== undefined && standard !== undefined) {
    throw new DerError('Extensions are requested twice, in the attributes of PKCS#9 and of Microsoft.');
  }
  const node = standard ?? twin;
  // An empty list, as pyOpenSSL writes it, asks for nothing.
  const extensions = node === undefined || isEmptyList(node) ? [] : readExtensions(node);
  extensions.forEach(checkRequestedExtension);
  const subjectAltName = readExtensionValue(extensions, oids.subjectAltName, readNames);
  if (subjectAltName !== undefined) {
    found.subjectAltName = subjectAltName;
    checkRequestedNames(subjectAltName);
  }
  return {
    extensions,
    subjectAltName,
    keyUsage: readExtensionValue(extensions, oids.keyUsage, readKeyUsage),
    extendedKeyUsage: readExtensionValue(extensions, oids.extendedKeyUsage, readExtendedKeyUsage),
    basicConstraints: readExtensionValue(extensions, oids.basicConstraints, readBasicConstraints),
  };
}

function isEmptyList({ tag, children }: DerNode): boolean {
  return tag === tags.sequence && children.length === 0;
}

function readNames(der: Buffer): readonly GeneralName[] {
  return readRequestedNames(expectTag(readDer(der), tags.sequence, 'A list of general names').children);
}

/** These are decoded, and what is in them is looked at there. */
const decodedExtensions: ReadonlySet<string> = new Set([
  oids.subjectAltName,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.basicConstraints,
]);

/** Whether it is granted, the policy decides; here it must be DER, and known when it is critical. */
function checkRequestedExtension({ oid, critical, value }: Extension): void {
  if (!decodedExtensions.has(oid)) readDer(value);
  if (critical && !isCertificateExtension(oid)) {
    throw new EstError(
      'bad_certification_request',
      'A critical extension is requested that is not known here; leave it out.',
      { cmcFailure: 'unsupportedExt' },
    );
  }
}

/** What links a CSR to its TLS session or to a person. */
export type Challenges = Pick<
  RequestedContents,
  'challengePassword' | 'changeSubjectName' | 'otpChallenge' | 'revocationChallenge' | 'estIdentityLinking'
>;

function readChallenges(attributes: Attributes): Challenges {
  return {
    challengePassword: readChallengePassword(attributes),
    changeSubjectName: readNewNames(attributes),
    otpChallenge: readTextAttribute(attributes, oids.otpChallenge),
    revocationChallenge: readTextAttribute(attributes, oids.revocationChallenge),
    estIdentityLinking: readTextAttribute(attributes, oids.estIdentityLinking),
  };
}

/** Tools that ask a person for one write an empty one when none is given. */
function readChallengePassword(attributes: Attributes): string | undefined {
  const text = readTextAttribute(attributes, oids.challengePassword);
  return text === '' ? undefined : text;
}

function readNewNames(attributes: Attributes): CertifiedNames | undefined {
  const value = singleValue(attributes, oids.changeSubjectName);
  if (value === undefined) return undefined;
  const names = readChangeSubjectName(value);
  checkRequestedSubject(names.subject);
  checkRequestedNames(names.subjectAltName);
  return names;
}

const longestText = 255;

/** A DirectoryString of any type, or an IA5String as some clients write it. */
function readTextAttribute(attributes: Attributes, oid: string): string | undefined {
  const value = singleValue(attributes, oid);
  if (value === undefined) return undefined;
  const text = readText(value);
  if (text === undefined || text.length > longestText) {
    throw new DerError(`The attribute ${nameOfOid(oid)} is not a string of at most 255 characters.`);
  }
  return text;
}

function refusal(sentence: string, cause?: unknown): EstError {
  return new EstError('bad_certification_request', sentence, { cause });
}
