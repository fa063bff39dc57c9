import type forge from 'node-forge';
import asn1 from 'node-forge/lib/asn1.js';
import { readDer, tags } from './der.ts';

/** Tag numbers beyond those of forge's enumerations are needed too. */
const create: (tagClass: number, type: number, constructed: boolean, value: string | Asn1[]) => Asn1 =
  asn1.create;

/** A value to be written as DER. */
export type Asn1 = forge.asn1.Asn1;

/** Any primitive value, by its identifier octet and contents. */
export function primitive(tag: number, content: Buffer): Asn1 {
  // The whole identifier octet stands in the class, so that forge leaves the contents as they are.
  return create(tag, asn1.Type.NONE, false, content.toString('latin1'));
}

export function sequence(...children: readonly Asn1[]): Asn1 {
  return constructed(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, children);
}

/** A SET whose members have different types; the caller gives them in the order of their tags. */
export function set(...children: readonly Asn1[]): Asn1 {
  return constructed(asn1.Class.UNIVERSAL, asn1.Type.SET, children);
}

/** A SET OF, sorted by the members' encodings as DER demands (X.690, section 11.6). */
export function setOf(...children: readonly Asn1[]): Asn1 {
  const sorted = children.map(toDer).sort((left, right) => Buffer.compare(left, right));
  return set(...sorted.map(embed));
}

/** An explicit tag, `[n] EXPLICIT`; n is at most 30. */
export function explicit(n: number, child: Asn1): Asn1 {
  return constructed(asn1.Class.CONTEXT_SPECIFIC, n, [child]);
}

/** The node under an implicit tag, `[n] IMPLICIT`; n is at most 30. */
export function implicit(n: number, node: Asn1): Asn1 {
  if (Array.isArray(node.value)) return constructed(asn1.Class.CONTEXT_SPECIFIC, n, node.value);
  const form = (node.tagClass | node.type) & 0x20;
  return primitive(asn1.Class.CONTEXT_SPECIFIC | form | n, Buffer.from(node.value, 'latin1'));
}

/** An object identifier by its dotted string. */
export function objectIdentifier(oid: string): Asn1 {
  return primitive(tags.objectIdentifier, Buffer.from(asn1.oidToDer(oid).getBytes(), 'latin1'));
}

export function integer(value: bigint | number): Asn1 {
  return primitive(tags.integer, integerContent(BigInt(value)));
}

/** A serial number: an INTEGER by its magnitude in hex, always positive. */
export function serialInteger(hex: string): Asn1 {
  return integer(BigInt(`0x${hex}`));
}

export function boolean(value: boolean): Asn1 {
  return primitive(tags.boolean, Buffer.of(value ? 0xff : 0));
}

export function null_(): Asn1 {
  return primitive(tags.null, Buffer.alloc(0));
}

export function octetString(content: Buffer): Asn1 {
  return primitive(tags.octetString, content);
}

/** A BIT STRING; `unusedBits` (0 to 7) counts the bits at the end that do not belong to it and are zero. */
export function bitString(octets: Buffer, unusedBits = 0): Asn1 {
  return primitive(tags.bitString, Buffer.concat([Buffer.of(unusedBits), octets]));
}

export function utf8String(text: string): Asn1 {
  return primitive(tags.utf8String, Buffer.from(text, 'utf8'));
}

/** The caller vouches that the text holds PrintableString's characters only. */
export function printableString(text: string): Asn1 {
  return primitive(tags.printableString, Buffer.from(text, 'latin1'));
}

/** The caller vouches that the text is ASCII. */
export function ia5String(text: string): Asn1 {
  return primitive(tags.ia5String, Buffer.from(text, 'latin1'));
}

/** A point in time, whole seconds: UTCTime until 2049, then GeneralizedTime (RFC 5280, section 4.1.2.5). */
export function time(date: Date): Asn1 {
  const digits = `${date.toISOString().slice(0, 19).replaceAll(/\D/g, '')}Z`;
  const year = date.getUTCFullYear();
  const asUtcTime = year >= 1950 && year <= 2049;
  return asUtcTime
    ? primitive(tags.utcTime, Buffer.from(digits.slice(2)))
    : primitive(tags.generalizedTime, Buffer.from(digits));
}

/** DER that exists already (a Name, a SubjectPublicKeyInfo) as a node; its octets are kept. Throws DerError. */
export function embed(der: Buffer): Asn1 {
  const { tag, content } = readDer(der);
  return primitive(tag, content);
}

export function toDer(node: Asn1): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
}

function constructed(tagClass: forge.asn1.Class, type: number, children: readonly Asn1[]): Asn1 {
  return create(tagClass, type, true, [...children]);
}

/** Two's complement in as few octets as possible (X.690, section 8.3). */
function integerContent(value: bigint): Buffer {
  const magnitude = value < 0n ? -value - 1n : value;
  const octets = Math.floor(magnitude.toString(2).length / 8) + 1;
  const hex = BigInt.asUintN(octets * 8, value).toString(16);
  return Buffer.from(hex.padStart(octets * 2, '0'), 'hex');
}
