import {
  contextTag,
  DerError,
  expectTag,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readObjectIdentifier,
  readOctetString,
  tags,
  type DerNode,
} from './der.ts';
import { oids } from './oids.ts';

/** An extension of a certificate, a CRL or a request (RFC 5280, section 4.2). */
export interface Extension {
  /** Dotted object identifier. */
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside extnValue. */
  readonly value: Buffer;
}

/** The extensions of certificates that RFC 5280 and its successors define, and Microsoft's. */
const certificateExtensions: ReadonlySet<string> = new Set([
  oids.subjectDirectoryAttributes,
  oids.subjectKeyIdentifier,
  oids.keyUsage,
  oids.privateKeyUsagePeriod,
  oids.subjectAltName,
  oids.issuerAltName,
  oids.basicConstraints,
  oids.nameConstraints,
  oids.cRLDistributionPoints,
  oids.certificatePolicies,
  oids.policyMappings,
  oids.authorityKeyIdentifier,
  oids.policyConstraints,
  oids.extendedKeyUsage,
  oids.freshestCRL,
  oids.inhibitAnyPolicy,
  oids.authorityInfoAccess,
  oids.subjectInfoAccess,
  oids.tlsFeature,
  oids.ocspNoCheck,
  oids.microsoftEnrollCertType,
  oids.microsoftCertificateTemplate,
  oids.microsoftApplicationPolicies,
  oids.microsoftSecurityIdentifier,
]);

/** Whether it is an extension whose meaning is known here, if only to refuse it. */
export function isCertificateExtension(oid: string): boolean {
  return certificateExtensions.has(oid);
}

const maximalExtensions = 128;

/** Decodes Extensions: 1 to 128 of them, none twice. Throws DerError. */
export function readExtensions(node: DerNode): readonly Extension[] {
  const { children } = expectTag(node, tags.sequence, 'The list of extensions');
  if (children.length === 0) throw new DerError('The list of extensions is empty.');
  if (children.length > maximalExtensions) throw new DerError('There are more than 128 extensions.');
  const extensions = children.map(readExtension);
  if (new Set(extensions.map(({ oid }) => oid)).size < extensions.length) {
    throw new DerError('The same extension is there twice.');
  }
  return extensions;
}

function readExtension(node: DerNode): Extension {
  const { children } = expectTag(node, tags.sequence, 'An extension');
  const [oid, critical, value] = children.length === 2 ? [children[0], undefined, children[1]] : children;
  if (oid === undefined || value === undefined || children.length > 3) {
    throw new DerError('An extension is malformed.');
  }
  // DER leaves a DEFAULT value out, so a boolean that is there is true.
  if (critical !== undefined && !readBoolean(critical)) {
    throw new DerError('An extension spells out that it is not critical, which DER forbids.');
  }
  return {
    oid: readObjectIdentifier(oid),
    critical: critical !== undefined,
    value: readOctetString(value),
  };
}

/** What `read` makes of the extension's value, or undefined when the extension is absent. */
export function readExtensionValue<T>(
  extensions: readonly Extension[],
  oid: string,
  read: (value: Buffer) => T,
): T | undefined {
  const extension = extensions.find((candidate) => candidate.oid === oid);
  return extension === undefined ? undefined : read(extension.value);
}

/** The bits of keyUsage in their order (RFC 5280, section 4.2.1.3). */
export const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** A bit of keyUsage. */
export type KeyUsage = (typeof keyUsages)[number];

/** Decodes the value of keyUsage, in which at least one bit is set. Throws DerError. */
export function readKeyUsage(value: Buffer): readonly KeyUsage[] {
  const { octets } = readBitString(readDer(value));
  const isSet = (bit: number): boolean => (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
  const bits = Array.from({ length: octets.length * 8 }, (_, bit) => bit).filter(isSet);
  const usages = bits.map((bit) => keyUsages[bit]).filter((usage) => usage !== undefined);
  if (bits.length === 0 || usages.length < bits.length) {
    throw new DerError('The keyUsage extension has no bit set, or one that does not exist.');
  }
  return usages;
}

/** More than there are. */
const maximalPurposes = 100;

/** Decodes the value of extKeyUsage: 1 to 100 dotted object identifier. Throws DerError. */
export function readExtendedKeyUsage(value: Buffer): readonly string[] {
  const { children } = expectTag(readDer(value), tags.sequence, 'The extendedKeyUsage');
  if (children.length === 0) throw new DerError('The extendedKeyUsage extension is empty.');
  if (children.length > maximalPurposes)
    throw new DerError(`The extendedKeyUsage extension has more than ${maximalPurposes} purposes.`);
  return children.map(readObjectIdentifier);
}

/** RFC 5280, section 4.2.1.9. */
export interface BasicConstraints {
  readonly cA: boolean;
  /** How many CA certificates may follow below; undefined: any number. */
  readonly pathLenConstraint: number | undefined;
}

/**
 * Decodes the value of basicConstraints. A cA FALSE that is spelled out is no DER, but common, and harmless.
 * Throws DerError.
 */
export function readBasicConstraints(value: Buffer): BasicConstraints {
  const { children } = expectTag(readDer(value), tags.sequence, 'The basicConstraints');
  const hasBoolean = children[0]?.tag === tags.boolean;
  const [pathLen, ...rest] = hasBoolean ? children.slice(1) : children;
  if (rest.length > 0) throw new DerError('The basicConstraints extension is malformed.');
  return {
    cA: children[0] !== undefined && hasBoolean && readBoolean(children[0]),
    pathLenConstraint: pathLen === undefined ? undefined : readPathLength(pathLen),
  };
}

function readPathLength(node: DerNode): number {
  const length = readInteger(node);
  if (length < 0n) throw new DerError('The pathLenConstraint is negative.');
  return Number(length);
}

/** Decodes the value of subjectKeyIdentifier. Throws DerError. */
export function readSubjectKeyIdentifier(value: Buffer): Buffer {
  return readOctetString(readDer(value));
}

/** The keyIdentifier in the value of authorityKeyIdentifier, if it has one (RFC 5280, section 4.2.1.1). Throws DerError. */
export function readAuthorityKeyIdentifier(value: Buffer): Buffer | undefined {
  const { children } = expectTag(readDer(value), tags.sequence, 'The authorityKeyIdentifier');
  return children.find(({ tag }) => tag === contextTag(0, 'primitive'))?.content;
}
