import { isAscii } from 'node:buffer';
import { isIP, isIPv4 } from 'node:net';
import {
  contextTag,
  DerError,
  expectTag,
  readDer,
  readObjectIdentifier,
  tags,
  withTag,
  type DerNode,
} from './der.ts';
import { embed, explicit, primitive, toDer } from './der-write.ts';
import { comparableName, nameToString, readName, type Name } from './names.ts';

/** One name of a subjectAltName or the like (RFC 5280, section 4.2.1.6). `der` is the whole GeneralName. */
export type GeneralName = { readonly der: Buffer } & (
  | { readonly type: 'rfc822Name' | 'dNSName' | 'uniformResourceIdentifier'; readonly value: string }
  /** In text form, such as `192.0.2.1` or `2001:db8::1`; as `192.0.2.1`, too, where it stands there in the form of IPv6. */
  | { readonly type: 'iPAddress'; readonly value: string }
  | { readonly type: 'directoryName'; readonly name: Name }
  /** A dotted object identifier. */
  | { readonly type: 'registeredID'; readonly value: string }
  /** What the value means, as a dotted object identifier; the value itself stays in `der`. */
  | { readonly type: 'otherName'; readonly typeId: string }
  | { readonly type: 'x400Address' | 'ediPartyName' }
);

/** The alternatives of GeneralName, as RFC 5280 names them. */
export type GeneralNameType = GeneralName['type'];

const nameTags = {
  otherName: contextTag(0, 'constructed'),
  rfc822Name: contextTag(1, 'primitive'),
  dNSName: contextTag(2, 'primitive'),
  x400Address: contextTag(3, 'constructed'),
  directoryName: contextTag(4, 'constructed'),
  ediPartyName: contextTag(5, 'constructed'),
  uniformResourceIdentifier: contextTag(6, 'primitive'),
  iPAddress: contextTag(7, 'primitive'),
  registeredID: contextTag(8, 'primitive'),
} as const;

/** Decodes the DER of a GeneralNames, which holds at least one name. Throws DerError. */
export function readGeneralNames(der: Buffer): readonly GeneralName[] {
  return readGeneralNameNodes(expectTag(readDer(der), tags.sequence, 'A list of general names').children);
}

/** As `readGeneralNames`, from what the list holds. */
export function readGeneralNameNodes(children: readonly DerNode[]): readonly GeneralName[] {
  if (children.length === 0) throw new DerError('A list of general names is empty.');
  return children.map(readGeneralName);
}

/** Whether a GeneralName that was not decoded is of this kind. */
export function isRegisteredID({ tag }: DerNode): boolean {
  return tag === nameTags.registeredID;
}

function readGeneralName(node: DerNode): GeneralName {
  const { bytes: der, content, children } = node;
  switch (node.tag) {
    case nameTags.rfc822Name:
      return { der, type: 'rfc822Name', value: readAscii(content) };
    case nameTags.dNSName:
      return { der, type: 'dNSName', value: readAscii(content) };
    case nameTags.uniformResourceIdentifier:
      return { der, type: 'uniformResourceIdentifier', value: readAscii(content) };
    case nameTags.iPAddress:
      return { der, type: 'iPAddress', value: addressToText(content) };
    case nameTags.registeredID:
      return {
        der,
        type: 'registeredID',
        value: readObjectIdentifier(withTag(node, tags.objectIdentifier)),
      };
    case nameTags.directoryName:
      return { der, type: 'directoryName', name: readName(onlyChild(node)) };
    case nameTags.otherName:
      return { der, type: 'otherName', typeId: readObjectIdentifier(firstOfTwo(children)) };
    case nameTags.x400Address:
      return { der, type: 'x400Address' };
    case nameTags.ediPartyName:
      return { der, type: 'ediPartyName' };
    default:
      throw new DerError('A general name has an unknown type.');
  }
}

function readAscii(content: Buffer): string {
  if (!isAscii(content)) throw new DerError('A general name holds characters beyond ASCII.');
  return content.toString('latin1');
}

function onlyChild({ children }: DerNode): DerNode {
  const [child, ...rest] = children;
  if (child === undefined || rest.length > 0) throw new DerError('A directoryName is malformed.');
  return child;
}

function firstOfTwo([typeId, value, ...rest]: readonly DerNode[]): DerNode {
  if (typeId === undefined || value?.tag !== contextTag(0, 'constructed') || rest.length > 0) {
    throw new DerError('An otherName is malformed.');
  }
  return typeId;
}

function addressToText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new DerError('An iPAddress has neither 4 nor 16 octets.');
  if (octets.subarray(0, 12).equals(ipv4Mapped)) return octets.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => octets.readUInt16BE(2 * at).toString(16));
  return shortened(`:${groups.join(':')}:`);
}

/** RFC 4291, section 2.5.5.2: what stands before an IPv4 address in the form of IPv6. */
const ipv4Mapped = Buffer.from('00000000000000000000ffff', 'hex');

/**
 * An IPv6 address as RFC 5952, section 4.2 writes it, from its eight groups between colons: `::` stands for the first of the
 * longest runs of two zeros or more. A request may hold a thousand of them, and the parser of URLs takes three times as long.
 */
function shortened(groups: string): string {
  const [longest] = (groups.match(/:0(?::0)+:/g) ?? []).sort((a, b) => b.length - a.length);
  const text = longest === undefined ? groups : groups.replace(longest, '::');
  return text.replaceAll(/^:(?!:)|(?<!:):$/g, '');
}

function textToAddress(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  const [head = [], tail = []] = new URL(`http://[${text}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return Buffer.from([...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** A dNSName; the caller vouches for its syntax. */
export function dNSName(value: string): GeneralName {
  return { type: 'dNSName', value, der: toDer(primitive(nameTags.dNSName, Buffer.from(value, 'latin1'))) };
}

/** An rfc822Name; the caller vouches for its syntax. */
export function rfc822Name(value: string): GeneralName {
  const der = toDer(primitive(nameTags.rfc822Name, Buffer.from(value, 'latin1')));
  return { type: 'rfc822Name', value, der };
}

/**
 * An iPAddress from its text form, version 4 or 6, without a zone; one of version 4 in the form of IPv6 becomes one of four
 * octets. Throws an Error for any other text.
 */
export function iPAddress(text: string): GeneralName {
  if (isIP(text) === 0 || text.includes('%')) throw new Error(`${text} is not an IP address`);
  const value = addressToText(textToAddress(text));
  return { type: 'iPAddress', value, der: toDer(primitive(nameTags.iPAddress, textToAddress(value))) };
}

/** A uniformResourceIdentifier; the caller vouches for its syntax. */
export function uniformResourceIdentifier(value: string): GeneralName {
  const der = toDer(primitive(nameTags.uniformResourceIdentifier, Buffer.from(value, 'latin1')));
  return { type: 'uniformResourceIdentifier', value, der };
}

export function directoryName(name: Name): GeneralName {
  return { type: 'directoryName', name, der: toDer(explicit(4, embed(name.der))) };
}

/** For people: the type and the value; in hexadecimal where it is no text. */
export function generalNameText(name: GeneralName): string {
  switch (name.type) {
    case 'directoryName':
      return `${name.type}=${nameToString(name.name)}`;
    case 'otherName':
    case 'x400Address':
    case 'ediPartyName':
      return `${name.type}=${name.der.toString('hex')}`;
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
    case 'iPAddress':
    case 'registeredID':
      return `${name.type}=${name.value}`;
  }
}

/** The DER of a GeneralNames. */
export function encodeGeneralNames(names: readonly GeneralName[]): Buffer {
  return toDer(primitive(tags.sequence, Buffer.concat(names.map(({ der }) => der))));
}

/**
 * Whether two lists hold the same names, in any order: dNSNames without regard to case, addresses without regard to the
 * form of IPv6 around one of IPv4, directoryNames as RFC 5280, section 7.1 compares names, all others octet by octet.
 */
export function generalNamesEqual(a: readonly GeneralName[], b: readonly GeneralName[]): boolean {
  const left = new Set(a.map(comparableGeneralName));
  const right = new Set(b.map(comparableGeneralName));
  return left.size === right.size && [...left].every((name) => right.has(name));
}

/** A text that is the same for two names exactly when `generalNamesEqual` calls them equal. */
export function comparableGeneralName(name: GeneralName): string {
  switch (name.type) {
    case 'dNSName':
      return `dNSName:${name.value.toLowerCase()}`;
    case 'iPAddress':
      return `iPAddress:${name.value}`;
    case 'directoryName':
      return `directoryName:${comparableName(name.name)}`;
    case 'rfc822Name':
    case 'uniformResourceIdentifier':
    case 'registeredID':
    case 'otherName':
    case 'x400Address':
    case 'ediPartyName':
      return name.der.toString('hex');
  }
}
