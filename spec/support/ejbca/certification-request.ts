/** Reads PKCS#10 as EJBCA takes it: PEM, or base64 without the lines around it; with short RSA keys, too. */
import { createPublicKey, hash, verify } from 'node:crypto';
import { expectTag, readBitString, readDer, tags, type DerNode } from '../../../src/pkix/der.ts';
import { readExtensions, readExtensionValue } from '../../../src/pkix/extensions.ts';
import { readGeneralNames } from '../../../src/pkix/general-names.ts';
import { decodePublicKey, type KeyType } from '../../../src/pkix/keys.ts';
import { readName } from '../../../src/pkix/names.ts';
import { oids } from '../../../src/pkix/oids.ts';
import { isRight, readSignature } from '../../../src/pkix/signature.ts';
import { altNameOf } from './alternative-names.ts';
import { dnOf } from './distinguished-name.ts';

/** What EJBCA takes from a CSR. */
export interface RequestedCertificate {
  readonly subjectDn: string;
  readonly subjectAltName: string;
  /** Whether a part of the subject has several values. */
  readonly isMultiValued: boolean;
  /** Whether the signature is right. */
  readonly isProven: boolean;
  readonly spki: Buffer;
  /** SHA-256, hex. */
  readonly keyHash: string;
  readonly keyType: KeyType;
  readonly keyBits: number;
  /** Empty where EJBCA has made the key itself. */
  readonly der: Buffer;
}

/** The CSR, or undefined when there is none in the text. */
export async function readRequest(text: string): Promise<RequestedCertificate | undefined> {
  const base64 = text
    .replaceAll(/-----(?:BEGIN|END) (?:NEW )?CERTIFICATE REQUEST-----/g, '')
    .replaceAll(/\s/g, '');
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  try {
    return await decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** What stands for a CSR where EJBCA has generated the key itself. */
export function requestForKey(spki: Buffer): RequestedCertificate {
  const contents = { subjectDn: '', subjectAltName: '', isMultiValued: false };
  return { ...contents, isProven: true, der: Buffer.alloc(0), ...keyIn(readDer(spki)) };
}

async function decode(der: Buffer): Promise<RequestedCertificate> {
  const [infoNode, algorithm, signature] = readDer(der).children;
  const info = expectTag(infoNode, tags.sequence, 'The certificationRequestInfo');
  const [, subjectNode, spki, attributes] = info.children;
  const subject = readName(expectTag(subjectNode, tags.sequence, 'The subject'));
  const key = keyIn(expectTag(spki, tags.sequence, 'The key'));
  const { octets } = readBitString(expectTag(signature, tags.bitString, 'The signature'));
  return {
    ...key,
    subjectDn: dnOf(subject),
    subjectAltName: altNameOf(attributes === undefined ? [] : alternativeNames(attributes)),
    isMultiValued: subject.rdns.some(({ length }) => length > 1),
    isProven: await isSigned(expectTag(algorithm, tags.sequence, 'The algorithm'), key, info.bytes, octets),
    der,
  };
}

function alternativeNames(attributes: DerNode): ReturnType<typeof readGeneralNames> {
  const requested = attributes.children.find(({ children: [type] }) => type?.bytes.equals(extensionRequest));
  const extensions = requested?.children[1]?.children[0];
  if (extensions === undefined) return [];
  return readExtensionValue(readExtensions(extensions), oids.subjectAltName, readGeneralNames) ?? [];
}

/** The object identifier of RFC 2985, section 5.4.2, DER. */
const extensionRequest = Buffer.from('06092a864886f70d01090e', 'hex');

type Key = Pick<RequestedCertificate, 'spki' | 'keyHash' | 'keyType' | 'keyBits'>;

function keyIn({ bytes: spki }: DerNode): Key {
  const { asymmetricKeyType, asymmetricKeyDetails = {} } = publicKeyOf(spki);
  const keyHash = hash('sha256', spki, 'hex');
  if (asymmetricKeyType === 'rsa') {
    return { spki, keyHash, keyType: 'RSA', keyBits: asymmetricKeyDetails.modulusLength ?? 0 };
  }
  const { type, bits } = decodePublicKey(readDer(spki));
  return { spki, keyHash, keyType: type, keyBits: bits };
}

function publicKeyOf(spki: Buffer): ReturnType<typeof createPublicKey> {
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}

async function isSigned(algorithm: DerNode, key: Key, data: Buffer, octets: Buffer): Promise<boolean> {
  const isShort = key.keyType === 'RSA' && key.keyBits < 2048;
  if (isShort) return verify('sha256', data, publicKeyOf(key.spki), octets);
  return await isRight(readSignature(algorithm, decodePublicKey(readDer(key.spki)), data, octets));
}
