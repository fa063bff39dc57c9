import { createHash } from 'node:crypto';
import {
  bitString,
  boolean,
  explicit,
  implicit,
  ia5String,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  toDer,
  type Asn1,
} from './der-write.ts';
import { readBitString, readDer } from './der.ts';
import { keyUsages, type Extension, type KeyUsage } from './extensions.ts';
import { encodeGeneralNames, type GeneralName } from './general-names.ts';
import { oids } from './oids.ts';

/** RFC 5280, section 4.2.1.1; `keyIdentifier` is the subject key identifier of the issuer. */
export function authorityKeyIdentifier(keyIdentifier: Buffer): Extension {
  return extension(oids.authorityKeyIdentifier, false, sequence(implicit(0, octetString(keyIdentifier))));
}

/** RFC 5280, section 4.2.1.2. */
export function subjectKeyIdentifier(keyIdentifier: Buffer): Extension {
  return extension(oids.subjectKeyIdentifier, false, octetString(keyIdentifier));
}

/** The key identifier of a SubjectPublicKeyInfo: 160 bits of SHA-256 over the key (RFC 7093, section 2, method 1). */
export function keyIdentifierOf(spki: Buffer): Buffer {
  const [, subjectPublicKey] = readDer(spki).children;
  if (subjectPublicKey === undefined) throw new Error('A SubjectPublicKeyInfo holds no key.');
  return createHash('sha256').update(readBitString(subjectPublicKey).octets).digest().subarray(0, 20);
}

/** RFC 5280, section 4.2.1.3; at least one usage. */
export function keyUsage(usages: readonly KeyUsage[]): Extension {
  return extension(oids.keyUsage, true, namedBits(usages.map((usage) => keyUsages.indexOf(usage))));
}

/** RFC 5280, section 4.2.1.12; at least one purpose, by OID. */
export function extendedKeyUsage(purposes: readonly string[]): Extension {
  return extension(oids.extendedKeyUsage, false, sequence(...purposes.map(objectIdentifier)));
}

/** RFC 5280, section 4.2.1.6; critical when there is no subject beside it. */
export function subjectAltName(names: readonly GeneralName[], critical: boolean): Extension {
  return { oid: oids.subjectAltName, critical, value: encodeGeneralNames(names) };
}

/** RFC 5280, section 4.2.1.9, of a CA; undefined: any number of CAs may follow. */
export function certificationAuthorityConstraints(pathLenConstraint: number | undefined): Extension {
  const pathLength = pathLenConstraint === undefined ? [] : [integer(pathLenConstraint)];
  return extension(oids.basicConstraints, true, sequence(boolean(true), ...pathLength));
}

/** RFC 5280, section 4.2.1.13; every URL leads to the same CRL. */
export function cRLDistributionPoints(urls: readonly string[]): Extension {
  const fullName = implicit(0, sequence(...urls.map(uniformResourceIdentifier)));
  return extension(oids.cRLDistributionPoints, false, sequence(sequence(explicit(0, fullName))));
}

/** RFC 5280, section 4.2.2.1: where the issuer's certificate is. */
export function authorityInfoAccess(caIssuers: readonly string[]): Extension {
  const descriptions = caIssuers.map((url) =>
    sequence(objectIdentifier(oids.caIssuers), uniformResourceIdentifier(url)),
  );
  return extension(oids.authorityInfoAccess, false, sequence(...descriptions));
}

/** Extension of RFC 5280, section 4.1. */
export function extensionToAsn1({ oid, critical, value }: Extension): Asn1 {
  const criticality = critical ? [boolean(true)] : [];
  return sequence(objectIdentifier(oid), ...criticality, octetString(value));
}

function extension(oid: string, critical: boolean, value: Asn1): Extension {
  return { oid, critical, value: toDer(value) };
}

function uniformResourceIdentifier(url: string): Asn1 {
  return implicit(6, ia5String(url));
}

/** A named bit list; DER drops the zero bits at its end (X.690, section 11.2.2). */
function namedBits(positions: readonly number[]): Asn1 {
  const last = Math.max(...positions);
  const octets = Buffer.alloc((last >> 3) + 1);
  for (const position of positions) {
    octets.writeUInt8(octets.readUInt8(position >> 3) | (0x80 >> (position & 7)), position >> 3);
  }
  return bitString(octets, 7 - (last & 7));
}
