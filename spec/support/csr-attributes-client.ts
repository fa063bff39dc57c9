/**
 * A client that does what csrattrs says and nothing else. What is left blank it fills in; a subjectAltName that is
 * blank as a whole it fills with a dNSName.
 */
import { constants } from 'node:crypto';
import {
  readCsrAttributes,
  readExtensionTemplates,
  readRequestTemplate,
  type Attribute,
  type AttrOrOid,
} from '../../src/pkix/csr-attributes.ts';
import { readDer } from '../../src/pkix/der.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  id,
  keyPair,
  name,
  objectIdentifier,
  printableString,
  sequence,
  tlv,
  utf8String,
  type CertificationRequestParts,
  type KeyKind,
} from './csr.ts';

/** What a CSR shall hold, every blank filled in. */
export interface Wishes {
  readonly key: KeyKind;
  /** As node:crypto calls it; undefined: the algorithm has none to choose. */
  readonly hash: string | undefined;
  /** Object identifier and value, DER. */
  readonly subject: readonly (readonly [type: string, value: Buffer])[];
  readonly extensions: readonly (readonly [oid: string, value: Buffer])[];
  readonly attributes: readonly (readonly [type: string, values: readonly Buffer[]])[];
}

/** Reads a csrattrs answer: the template when `knowsTemplates` and there is one, else the elements of RFC 7030. */
export function wishesOf(csrAttributes: Buffer, knowsTemplates: boolean): Wishes {
  const elements = readCsrAttributes(csrAttributes);
  const template = elements.find(isTemplate);
  return template !== undefined && knowsTemplates ? ofTemplate(template) : ofElements(elements);
}

function isTemplate(element: AttrOrOid): element is Attribute {
  return typeof element !== 'string' && element.type === '1.2.840.113549.1.9.16.2.61';
}

const keyKinds: Readonly<Record<string, KeyKind>> = {
  '1.3.132.0.34': 'P-384',
  '1.3.132.0.35': 'P-521',
  '1.3.101.112': 'Ed25519',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
};
const rsaEncryption = '1.2.840.113549.1.1.1';
const ecPublicKey = '1.2.840.10045.2.1';

function kindOf(algorithm: string, parameter: string | number | undefined): KeyKind {
  if (algorithm === rsaEncryption) return `RSA-${Number(parameter ?? 2048)}`;
  return keyKinds[algorithm === ecPublicKey ? String(parameter) : algorithm] ?? 'P-256';
}

function ofTemplate({ values: [value = Buffer.alloc(0)] }: Attribute): Wishes {
  const { subject, key, attributes } = readRequestTemplate(readDer(value));
  return {
    key: key === undefined ? 'P-256' : kindOf(key.algorithm, key.curve ?? key.modulusBits),
    hash: undefined,
    subject: subject.map(({ type, value: known }) => [type, known ?? subjectBlank(type)]),
    extensions: attributes.flatMap(extensionsOf),
    attributes: attributes
      .filter(({ type }) => !isExtensionRequest(type))
      .map(({ type, values }) => [type, values]),
  };
}

const isExtensionRequest = (type: string): boolean =>
  type === id.extensionRequest || type === '1.2.840.113549.1.9.16.2.62';

function extensionsOf({ type, values: [value] }: Attribute): Wishes['extensions'] {
  if (!isExtensionRequest(type) || value === undefined) return [];
  return readExtensionTemplates(readDer(value)).map(({ oid, value: known }) => [
    oid,
    known === undefined ? extensionBlank(oid) : withoutBlankNames(oid, known),
  ]);
}

/** `87 00` and the empty directoryName stand for names to fill in (RFC 9908, section 3.4). */
function withoutBlankNames(oid: string, value: Buffer): Buffer {
  if (oid !== id.subjectAltName) return value;
  const names = readDer(value).children.map(({ bytes }) => {
    if (bytes.equals(Buffer.of(0x87, 0))) return generalName(7, Buffer.of(192, 0, 2, 1));
    if (bytes.toString('hex') === 'a4023000') return tlv(0xa4, name([id.commonName, utf8String('device')]));
    return bytes;
  });
  return sequence(...names);
}

const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.10': 'pss',
};
const isSubjectType = (oid: string): boolean =>
  /^(2\.5\.4|0\.9\.2342|1\.2\.840\.113549\.1\.9\.[128]$)/.test(oid);
const isExtension = (oid: string): boolean => /^(2\.5\.29|1\.3\.6\.1\.5\.5\.7\.1)\./.test(oid);

/** What an object identifier alone asks for, the client has to know. */
function ofElements(elements: readonly AttrOrOid[]): Wishes {
  const alone = elements.filter((element) => typeof element === 'string');
  const attributes = elements.filter((element) => typeof element !== 'string');
  const key = attributes.find(
    ({ type }) => type === rsaEncryption || type === ecPublicKey || type in keyKinds,
  );
  const parameter = key?.values[0];
  const isOther = ({ type }: Attribute): boolean =>
    type !== key?.type &&
    !isSubjectType(type) &&
    !isExtensionRequest(type) &&
    type !== '1.2.840.113549.1.9.16.2.61';
  return {
    key: key === undefined ? 'P-256' : kindOf(key.type, parameter && keyParameter(parameter)),
    hash: alone.map((oid) => hashes[oid]).find((hash) => hash !== undefined),
    subject: [
      ...alone.filter(isSubjectType).map((oid) => [oid, subjectBlank(oid)] as const),
      ...attributes
        .filter(({ type }) => isSubjectType(type))
        .flatMap(({ type, values }) => values.map((value) => [type, value] as const)),
    ],
    extensions: [
      ...alone.filter(isExtension).map((oid) => [oid, extensionBlank(oid)] as const),
      ...attributes.flatMap(extensionsOf),
    ],
    attributes: [
      ...attributes.filter(isOther).map(({ type, values }) => [type, values] as const),
      ...alone
        .filter((oid) => !isSubjectType(oid) && !isExtension(oid) && !(oid in hashes) && !(oid in keyKinds))
        .map((oid) => [oid, [utf8String('filled in')]] as const),
    ],
  };
}

/** An INTEGER below 2^15 or an OBJECT IDENTIFIER that `keyKinds` knows. */
function keyParameter(der: Buffer): string | number {
  const known = Object.keys(keyKinds).find((oid) => objectIdentifier(oid).equals(der));
  return der.readUInt8(0) === 2 ? der.readUInt16BE(2) : (known ?? 'P-256');
}

function subjectBlank(type: string): Buffer {
  return type === '2.5.4.6' ? printableString('DE') : utf8String('filled in');
}

function extensionBlank(oid: string): Buffer {
  switch (oid) {
    case id.subjectAltName:
      return sequence(generalName(2, 'filled-in.example'));
    case id.keyUsage:
      return Buffer.from('03020780', 'hex');
    case id.extendedKeyUsage:
      return sequence(objectIdentifier('1.3.6.1.5.5.7.3.2'));
    default:
      return sequence();
  }
}

/** The CSR, DER, that fulfils the wishes. */
export async function csrOf(wishes: Wishes): Promise<Buffer> {
  const { hash } = wishes;
  return await certificationRequest({
    key: await keyPair(wishes.key),
    subject: name(...wishes.subject),
    extensions: wishes.extensions.map(([oid, value]) => extension(oid, value)),
    attributes: wishes.attributes.map(([type, values]) => attribute(type, ...values)),
    ...(hash === undefined ? {} : signing(wishes.key, hash)),
  });
}

function signing(kind: KeyKind, hash: string): Partial<CertificationRequestParts> {
  const digest = hash === 'pss' ? 'sha256' : hash;
  const number = ['sha256', 'sha384', 'sha512'].indexOf(digest);
  if (!kind.startsWith('RSA')) {
    return {
      hash: digest,
      signatureAlgorithm: sequence(objectIdentifier(`1.2.840.10045.4.3.${2 + number}`)),
    };
  }
  if (hash !== 'pss') {
    const oid = objectIdentifier(`1.2.840.113549.1.1.${11 + number}`);
    return { hash, signatureAlgorithm: sequence(oid, tlv(0x05)) };
  }
  const sha256 = sequence(objectIdentifier('2.16.840.1.101.3.4.2.1'));
  const mgf1 = sequence(objectIdentifier('1.2.840.113549.1.1.8'), sha256);
  const parameters = sequence(tlv(0xa0, sha256), tlv(0xa1, mgf1), tlv(0xa2, Buffer.of(2, 1, 32)));
  return {
    hash: digest,
    padding: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    signatureAlgorithm: sequence(objectIdentifier('1.2.840.113549.1.1.10'), parameters),
  };
}
