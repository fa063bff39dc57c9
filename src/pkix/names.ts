import { DerError, expectTag, readDer, readObjectIdentifier, tags, type DerNode } from './der.ts';
import {
  ia5String,
  objectIdentifier,
  printableString,
  sequence,
  set,
  toDer,
  utf8String,
  type Asn1,
} from './der-write.ts';
import { nameOfOid, oids } from './oids.ts';
import { readText } from './text.ts';

/** One attribute of a name, such as a commonName. */
export interface AttributeTypeAndValue {
  /** Dotted object identifier. */
  readonly type: string;
  /** The text; for a value that is no string, `#` and its DER in hex. */
  readonly value: string;
  /** Whether the value is a string. */
  readonly isText: boolean;
}

/** The attributes of one level of a name, mostly a single one. */
export type RelativeDistinguishedName = readonly AttributeTypeAndValue[];

/** A distinguished name, most general part first. */
export interface Name {
  /** As received. */
  readonly der: Buffer;
  readonly rdns: readonly RelativeDistinguishedName[];
}

/** More attributes than any name has. */
const mostAttributes = 100;

/**
 * Decodes a Name (RFC 5280, section 4.1.2.4); it may be empty. One that is too large is refused before its values are looked
 * at. Throws DerError.
 */
export function readName(node: DerNode): Name {
  const { children } = expectTag(node, tags.sequence, 'A distinguished name');
  const attributes = children.reduce((sum, rdn) => sum + rdn.children.length, 0);
  if (attributes > mostAttributes) {
    throw new DerError(`A distinguished name has more than ${mostAttributes} attributes.`);
  }
  return { der: node.bytes, rdns: children.map(readRelativeDistinguishedName) };
}

function readRelativeDistinguishedName(node: DerNode): RelativeDistinguishedName {
  const { children } = expectTag(node, tags.set, 'A part of a distinguished name');
  if (children.length === 0) throw new DerError('A part of a distinguished name is empty.');
  return children.map(readAttribute);
}

function readAttribute(node: DerNode): AttributeTypeAndValue {
  const [type, value, ...rest] = expectTag(node, tags.sequence, 'An attribute of a name').children;
  if (type === undefined || value === undefined || rest.length > 0) {
    throw new DerError('An attribute of a distinguished name is malformed.');
  }
  const text = readText(value);
  return {
    type: readObjectIdentifier(type),
    value: text ?? `#${value.bytes.toString('hex')}`,
    isText: text !== undefined,
  };
}

/**
 * A name with one attribute per level, in the given order. Values are UTF8String, except where RFC 5280,
 * appendix A wants PrintableString (countryName, serialNumber, dnQualifier) or IA5String (emailAddress,
 * domainComponent).
 */
export function nameFromAttributes(
  attributes: readonly { readonly type: string; readonly value: string }[],
): Name {
  const rdns = attributes.map(({ type, value }) =>
    set(sequence(objectIdentifier(type), attributeText(type, value))),
  );
  return readName(readDer(toDer(sequence(...rdns))));
}

/** The value of an attribute of a name, in the string type that `nameFromAttributes` chooses. */
export function attributeText(type: string, value: string): Asn1 {
  switch (type) {
    case oids.countryName:
    case oids.serialNumber:
    case oids.dnQualifier:
      return printableString(value);
    case oids.emailAddress:
    case oids.domainComponent:
      return ia5String(value);
    default:
      return utf8String(value);
  }
}

/** The values of all attributes of one type, in the order of the name. */
export function attributeValues(name: Name, type: string): readonly string[] {
  return name.rdns.flat().flatMap((attribute) => (attribute.type === type ? [attribute.value] : []));
}

/** RFC 4514, section 3. */
const shortNames: Readonly<Record<string, string>> = {
  [oids.commonName]: 'CN',
  [oids.localityName]: 'L',
  [oids.stateOrProvinceName]: 'ST',
  [oids.organizationName]: 'O',
  [oids.organizationalUnitName]: 'OU',
  [oids.countryName]: 'C',
  [oids.streetAddress]: 'STREET',
  [oids.domainComponent]: 'DC',
  [oids.userId]: 'UID',
};

/**
 * The name for people and logs, as RFC 4514 writes it: the most specific part first, special characters
 * escaped. Control and invisible characters are always escaped, so one name is always one line.
 */
export function nameToString(name: Name): string {
  return name.rdns.toReversed().map(rdnToString).join(',');
}

function rdnToString(rdn: RelativeDistinguishedName): string {
  return rdn.map(attributeToString).join('+');
}

function attributeToString({ type, value, isText }: AttributeTypeAndValue): string {
  return `${shortNames[type] ?? nameOfOid(type)}=${isText ? escapeValue(value) : value}`;
}

/** Most values: nothing in them is ever escaped. */
const plainValue = /^[\w.:/@-]+(?: [\w.:/@-]+)*$/;

/** The text of an attribute's value, as it stands in a distinguished name (RFC 4514, section 2.4). */
export function escapeValue(value: string): string {
  if (plainValue.test(value)) return value;
  return value
    .replaceAll(/["+,;<>\\]/g, String.raw`\$&`)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, hexEscape)
    .replace(/^[ #]/, String.raw`\$&`)
    .replace(/(?<!^\\?) $/, String.raw`\ `);
}

function hexEscape(character: string): string {
  return Buffer.from(character, 'utf8')
    .toString('hex')
    .replaceAll(/../g, String.raw`\$&`);
}

/**
 * Whether two names are the same (RFC 5280, section 7.1): string type, case, spaces around and the number of
 * spaces inside do not matter, nor does the order inside one level; the order of the levels does.
 */
export function namesEqual(a: Name, b: Name): boolean {
  return a.der.equals(b.der) || comparableName(a) === comparableName(b);
}

/** Whether two names have the same attributes, in whatever order. */
export function sameAttributes(a: Name, b: Name): boolean {
  const sorted = ({ rdns }: Name): string => JSON.stringify(rdns.flat().map(comparableAttribute).sort());
  return sorted(a) === sorted(b);
}

/** A text that is the same for two names exactly when they are the same name. */
export function comparableName(name: Name): string {
  const text = comparableNames.get(name) ?? JSON.stringify(name.rdns.map(comparableAttributes));
  comparableNames.set(name, text);
  return text;
}

/** Names of CAs are compared with one after another. */
const comparableNames = new WeakMap<Name, string>();

/** The same for one level of a name. */
export function comparableRdn(rdn: RelativeDistinguishedName): string {
  return JSON.stringify(comparableAttributes(rdn));
}

function comparableAttributes(rdn: RelativeDistinguishedName): readonly string[] {
  return rdn.map(comparableAttribute).sort();
}

/** The same for one attribute. */
export function comparableAttribute({ type, value, isText }: AttributeTypeAndValue): string {
  return isText ? `${type}=${comparableText(value)}` : `${type}${value}`;
}

/** A single space, which most are, is what it would be replaced by. */
const spacesToFold = /\s{2,}|[^\S ]/g;

const asciiWord = /^[\x21-\x7e]*$/;

/** A text that is the same for two values of an attribute exactly when RFC 5280, section 7.1 calls them equal. */
export function comparableText(value: string): string {
  // Most values: one word of ASCII, in which there is nothing else to fold.
  if (asciiWord.test(value)) return value.toLowerCase();
  return value.normalize('NFKC').toLowerCase().trim().replaceAll(spacesToFold, ' ');
}
