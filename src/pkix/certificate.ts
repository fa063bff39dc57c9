import { hash } from 'node:crypto';
import {
  contextTag,
  DerError,
  expectTag,
  readDer,
  readInteger,
  readTime,
  tags,
  type DerNode,
} from './der.ts';
import { objectIdentifier, sequence, toDer } from './der-write.ts';
import {
  readAuthorityKeyIdentifier,
  readBasicConstraints,
  readExtendedKeyUsage,
  readExtensions,
  readExtensionValue,
  readKeyUsage,
  readSubjectKeyIdentifier,
  type BasicConstraints,
  type Extension,
  type KeyUsage,
} from './extensions.ts';
import { readGeneralNames, type GeneralName } from './general-names.ts';
import { readName, type Name } from './names.ts';
import { foundInPlace } from './pem-content.ts';
import { oids } from './oids.ts';

/** A decoded X.509 certificate (RFC 5280, section 4.1). Its signature was not verified. */
export interface Certificate {
  readonly der: Buffer;
  readonly signed: SignedCertificate;
  /** Lower-case hex, whole octets, none of them a leading zero. */
  readonly serialNumber: string;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly extensions: readonly Extension[];
  /** Undefined: the certificate has no such extension; the same for those below. */
  readonly basicConstraints: BasicConstraints | undefined;
  readonly keyUsage: readonly KeyUsage[] | undefined;
  /** Dotted object identifiers. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectAltName: readonly GeneralName[] | undefined;
  readonly subjectKeyIdentifier: Buffer | undefined;
  /** The keyIdentifier alone. */
  readonly authorityKeyIdentifier: Buffer | undefined;
  /** SHA-256 of `der`, hex. */
  readonly sha256: string;
}

/** SHA-256 of each one's SubjectPublicKeyInfo, hex. */
export function keysOf(certificates: readonly Certificate[]): ReadonlySet<string> {
  return new Set(certificates.map(({ spki }) => hash('sha256', spki, 'hex')));
}

/** Decodes a certificate of version 1 to 3. Throws DerError. */
export function readCertificate(der: Buffer): Certificate {
  const { tbs, signatureAlgorithm, signature } = readParts(der);
  const hasVersion = tbs.children[0]?.tag === contextTag(0, 'constructed');
  const [serialNumber, algorithm, issuer, validity, subject, spki, ...optional] = hasVersion
    ? tbs.children.slice(1)
    : tbs.children;
  if (algorithm?.bytes.equals(signatureAlgorithm.bytes) !== true) {
    throw new DerError('The certificate names two different signature algorithms.');
  }
  const extensions = readCertificateExtensions(optional);
  return {
    der,
    signed: { tbs: tbs.bytes, signatureAlgorithm, signature },
    serialNumber: readSerialNumber(expectTag(serialNumber, tags.integer, 'The serialNumber')),
    issuer: readName(expectTag(issuer, tags.sequence, 'The issuer')),
    ...readValidity(expectTag(validity, tags.sequence, 'The validity')),
    subject: readName(expectTag(subject, tags.sequence, 'The subject')),
    spki: expectTag(spki, tags.sequence, 'The subjectPublicKeyInfo').bytes,
    extensions,
    ...readKnownExtensions(extensions),
    sha256: hash('sha256', der, 'hex'),
  };
}

/** What it takes to verify a signature. */
interface SignedCertificate {
  /** What is signed, DER. */
  readonly tbs: Buffer;
  readonly signatureAlgorithm: DerNode;
  /** A BIT STRING. */
  readonly signature: DerNode;
}

/** The three parts of a certificate. */
interface CertificateParts extends Omit<SignedCertificate, 'tbs'> {
  readonly tbs: DerNode;
}

function readParts(der: Buffer): CertificateParts {
  const [tbs, signatureAlgorithm, signature, ...rest] = expectTag(
    readDer(der),
    tags.sequence,
    'The certificate',
  ).children;
  if (rest.length > 0) throw new DerError('The certificate has more than three parts.');
  return {
    tbs: expectTag(tbs, tags.sequence, 'The tbsCertificate'),
    signatureAlgorithm: expectTag(signatureAlgorithm, tags.sequence, 'The signatureAlgorithm'),
    signature: expectTag(signature, tags.bitString, 'The signature'),
  };
}

/** The serialNumber in the form of `Certificate.serialNumber`. Throws DerError. */
export function readSerialNumber(node: DerNode): string {
  const value = readInteger(node);
  if (value < 0n) throw new DerError('The serialNumber is negative.');
  const hex = value.toString(16);
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

function readValidity({ children: [notBefore, notAfter, ...rest] }: DerNode): {
  notBefore: Date;
  notAfter: Date;
} {
  if (notBefore === undefined || notAfter === undefined || rest.length > 0) {
    throw new DerError('The validity does not consist of two times.');
  }
  return { notBefore: readTime(notBefore), notAfter: readTime(notAfter) };
}

/** What may follow the key: two unique identifiers, which nobody uses, and the extensions. */
function readCertificateExtensions(optional: readonly DerNode[]): readonly Extension[] {
  const field = optional.find(({ tag }) => tag === contextTag(3, 'constructed'));
  if (field === undefined) return [];
  const [list, ...rest] = field.children;
  if (list === undefined || rest.length > 0) throw new DerError('The extensions are malformed.');
  return readExtensions(list);
}

type KnownExtensions = Pick<
  Certificate,
  | 'basicConstraints'
  | 'keyUsage'
  | 'extendedKeyUsage'
  | 'subjectAltName'
  | 'subjectKeyIdentifier'
  | 'authorityKeyIdentifier'
>;

function readKnownExtensions(extensions: readonly Extension[]): KnownExtensions {
  return {
    basicConstraints: readExtensionValue(extensions, oids.basicConstraints, readBasicConstraints),
    keyUsage: readExtensionValue(extensions, oids.keyUsage, readKeyUsage),
    extendedKeyUsage: readExtensionValue(extensions, oids.extendedKeyUsage, readExtendedKeyUsage),
    subjectAltName: readExtensionValue(extensions, oids.subjectAltName, readGeneralNames),
    subjectKeyIdentifier: readExtensionValue(extensions, oids.subjectKeyIdentifier, readSubjectKeyIdentifier),
    authorityKeyIdentifier: readExtensionValue(
      extensions,
      oids.authorityKeyIdentifier,
      readAuthorityKeyIdentifier,
    ),
  };
}

const trustedCertificate = '-----BEGIN TRUSTED CERTIFICATE-----';

const pemCertificate = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;

/**
 * Every certificate in a PEM file, in its order; text between them is skipped. Throws DerError when there is none, with what
 * there is instead, and when one is in OpenSSL's form of a trusted certificate, whose purposes would be lost.
 */
export function certificatesFromPem(pem: string): readonly Certificate[] {
  if (pem.includes(trustedCertificate)) {
    throw new DerError(
      `There is no certificate in PEM form: ${foundInPlace(pem.slice(pem.indexOf(trustedCertificate)))}.`,
    );
  }
  const certificates = Array.from(pem.matchAll(pemCertificate), ([, base64 = '']) =>
    readCertificate(Buffer.from(base64, 'base64')),
  );
  if (certificates.length > 0) return certificates;
  const found = pem.includes('-----BEGIN CERTIFICATE-----') ? 'it is cut off or damaged' : foundInPlace(pem);
  throw new DerError(`There is no certificate in PEM form: ${found}.`);
}

/** PEM (RFC 7468, section 5), with a line feed at its end. */
export function certificateToPem(der: Buffer): string {
  return toPem('CERTIFICATE', der);
}

/**
 * PEM in OpenSSL's own form of a trusted certificate: what it is trusted for stands behind it. At one for TLS clients
 * OpenSSL ends a path, self-signed or not, and so verifies no signature above the CA that issued the client's certificate.
 */
export function trustedCertificateToPem(der: Buffer): string {
  const uses = toDer(sequence(sequence(objectIdentifier(oids.clientAuth))));
  return toPem('TRUSTED CERTIFICATE', Buffer.concat([der, uses]));
}

function toPem(label: string, octets: Buffer): string {
  const lines = octets.toString('base64').match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
