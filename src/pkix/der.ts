/**
 * A strict reader of DER (X.690): every value is a slice of the received octets, so that signatures are
 * verified over what was sent. BER that is no DER is refused.
 */

/** Identifier octets. */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The identifier octet of a context-specific tag `[n]`; n is at most 30. */
export function contextTag(n: number, form: 'primitive' | 'constructed'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | n;
}

/** One value: tag, length, contents. */
export interface DerNode {
  /** The identifier octet, such as `tags.sequence`. */
  readonly tag: number;
  /** The whole value with its tag and length, a slice of the input. */
  readonly bytes: Buffer;
  /** What stands after tag and length, a slice of the input. */
  readonly content: Buffer;
  /** The values inside a constructed value; empty for a primitive one. */
  readonly children: readonly DerNode[];
}

/** Octets that are not the DER that was expected. The message is one plain sentence without the sender's bytes. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

const maximalDepth = 32;
const maximalNodes = 10_000;
const maximalIntegerOctets = 2100;
const maximalObjectIdentifierOctets = 64;

/** Where a value stands in the octets that hold it. */
export interface DerSpan {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

interface OpenNode extends DerSpan {
  readonly children: DerNode[];
}

/**
 * Reads exactly one value and nothing after it: definite lengths in as few octets as possible, tag numbers
 * below 31, at most 32 levels and 10,000 values. Throws DerError.
 */
export function readDer(input: Buffer): DerNode {
  // A loop with its own stack: the sender does not decide how deep we call.
  const open: OpenNode[] = [];
  let position = 0;
  let nodes = 0;
  for (;;) {
    const parent = open.at(-1);
    if (position === parent?.end) {
      open.pop();
      const closed = new Value(input, parent);
      const outer = open.at(-1);
      if (outer === undefined) return whole(closed, input);
      outer.children.push(closed);
      continue;
    }
    if (++nodes > maximalNodes) throw new DerError('The DER holds more than 10,000 values.');
    const { tag, start, contentStart, end } = readSpan(input, position, parent?.end ?? input.length);
    position = contentStart;
    if ((tag & 0x20) !== 0) {
      if (open.length === maximalDepth) throw new DerError('The DER is nested more than 32 levels deep.');
      open.push({ tag, start, contentStart, end, children: [] });
      continue;
    }
    position = end;
    const leaf = new Value(input, { tag, start, contentStart, end, children: [] });
    if (parent === undefined) return whole(leaf, input);
    parent.children.push(leaf);
  }
}

function whole(node: DerNode, input: Buffer): DerNode {
  if (node.bytes.length !== input.length) throw new DerError('Octets follow after the end of the DER value.');
  return node;
}

/** Slices are made for who asks, since to make them takes longer than all else, and most are never looked at. */
class Value implements DerNode {
  readonly tag: number;
  readonly children: readonly DerNode[];
  readonly #input: Buffer;
  readonly #span: DerSpan;

  constructor(input: Buffer, span: OpenNode) {
    this.tag = span.tag;
    this.children = span.children;
    this.#input = input;
    this.#span = span;
  }

  get bytes(): Buffer {
    return this.#input.subarray(this.#span.start, this.#span.end);
  }

  get content(): Buffer {
    return this.#input.subarray(this.#span.contentStart, this.#span.end);
  }
}

/** The same value under the tag of its own type, where an implicit tag stands in place of that. */
export function withTag({ bytes, content, children }: DerNode, tag: number): DerNode {
  return { tag, bytes, content, children };
}

/**
 * Where the value that begins at `start` lies, without reading what is in it: for what is too large for `readDer`.
 * `limit` is the end of what holds it. Throws DerError.
 */
export function readSpan(input: Buffer, start: number, limit: number): DerSpan {
  if (start + 2 > limit) throw new DerError('The DER ends in the middle of a value.');
  const tag = input.readUInt8(start);
  if (!isDefinedTag(tag)) throw new DerError('The DER holds a tag that DER does not use here.');
  const first = input.readUInt8(start + 1);
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80) throw new DerError('Indefinite lengths are BER, not DER.');
  if (lengthOctets > 4) throw new DerError('The DER holds a length that is out of reach.');
  const contentStart = start + 2 + lengthOctets;
  if (contentStart > limit) throw new DerError('The DER ends in the middle of a value.');
  const length = lengthOctets === 0 ? first : input.readUIntBE(start + 2, lengthOctets);
  if (lengthOctets > 0 && (length < 0x80 || length < 256 ** (lengthOctets - 1))) {
    throw new DerError('A length is written in more octets than DER allows.');
  }
  if (length > limit - contentStart) throw new DerError('A value is longer than what holds it, or cut off.');
  return { tag, start, contentStart, end: contentStart + length };
}

/** Strings and other primitive types in constructed form are BER; tag numbers from 31 nobody needs. */
function isDefinedTag(tag: number): boolean {
  const number = tag & 0x1f;
  if (number === 0x1f || tag === 0) return false;
  const isUniversal = tag < 0x40;
  const isConstructed = (tag & 0x20) !== 0;
  return !isUniversal || isConstructed === (number === 0x10 || number === 0x11);
}

/** The node, when its tag is the expected one; else DerError. `what` names it in the message. */
export function expectTag(node: DerNode | undefined, tag: number, what: string): DerNode {
  if (node?.tag !== tag) throw new DerError(`${what} is missing or has the wrong type.`);
  return node;
}

export function isNull({ tag, content }: DerNode): boolean {
  return tag === tags.null && content.length === 0;
}

/** True or false; TRUE is FF in DER. */
export function readBoolean(node: DerNode): boolean {
  expectTag(node, tags.boolean, 'A BOOLEAN');
  const octet = node.content[0];
  if (node.content.length !== 1 || (octet !== 0 && octet !== 0xff))
    throw new DerError('A BOOLEAN is not DER.');
  return octet === 0xff;
}

/** An INTEGER of at most 2100 octets. */
export function readInteger(node: DerNode): bigint {
  const { content } = expectTag(node, tags.integer, 'An INTEGER');
  const [first = 0, second = 0] = content;
  if (content.length === 0) throw new DerError('An INTEGER is empty.');
  if (content.length > maximalIntegerOctets) throw new DerError('An INTEGER is longer than 2100 octets.');
  if (content.length > 1 && (first === 0x00 ? second < 0x80 : first === 0xff && second >= 0x80)) {
    throw new DerError('An INTEGER is written in more octets than DER allows.');
  }
  return BigInt.asIntN(content.length * 8, BigInt(`0x${content.toString('hex')}`));
}

/** A BIT STRING; the unused bits at its end must be zero. */
export function readBitString(node: DerNode): { readonly unusedBits: number; readonly octets: Buffer } {
  const { content } = expectTag(node, tags.bitString, 'A BIT STRING');
  const [unusedBits = 8] = content;
  const octets = content.subarray(1);
  const last = octets.at(-1);
  if (unusedBits > 7 || (last === undefined && unusedBits > 0))
    throw new DerError('A BIT STRING is malformed.');
  if (((last ?? 0) & ((1 << unusedBits) - 1)) !== 0) {
    throw new DerError('The unused bits of a BIT STRING are not zero.');
  }
  return { unusedBits, octets };
}

export function readOctetString(node: DerNode): Buffer {
  return expectTag(node, tags.octetString, 'An OCTET STRING').content;
}

/** Those that were read lately: structures are full of the same few. */
const knownObjectIdentifiers = new Map<string, string>();
const mostKnown = 1000;

/** An object identifier of at most 64 octets, as a dotted string; arcs in as few octets as possible. */
export function readObjectIdentifier(node: DerNode): string {
  const { content } = expectTag(node, tags.objectIdentifier, 'An OBJECT IDENTIFIER');
  if (content.length > maximalObjectIdentifierOctets) throw new DerError('An OBJECT IDENTIFIER is too long.');
  const octets = content.toString('latin1');
  const known = knownObjectIdentifiers.get(octets);
  if (known !== undefined) return known;
  const dotted = dottedOf(content);
  if (knownObjectIdentifiers.size >= mostKnown) knownObjectIdentifiers.clear();
  knownObjectIdentifiers.set(octets, dotted);
  return dotted;
}

function dottedOf(content: Buffer): string {
  const [first, ...others] = readArcs(content);
  if (first === undefined) throw new DerError('An OBJECT IDENTIFIER is empty.');
  return [...firstTwoArcs(first), ...others].join('.');
}

/** X.690, section 8.19.4. */
function firstTwoArcs(combined: number | bigint): readonly (number | bigint)[] {
  if (combined >= 80) return [2, BigInt(combined) - 80n];
  return [Math.floor(Number(combined) / 40), Number(combined) % 40];
}

function readArcs(content: Buffer): readonly (number | bigint)[] {
  const arcs: (number | bigint)[] = [];
  let start = 0;
  let arc = 0;
  for (let index = 0; index < content.length; index += 1) {
    const octet = content.readUInt8(index);
    if (index === start && octet === 0x80) throw new DerError('An OBJECT IDENTIFIER is not DER.');
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    // Numbers of JavaScript are exact up to 2^53.
    arcs.push(arc <= Number.MAX_SAFE_INTEGER ? arc : largeArc(content.subarray(start, index + 1)));
    start = index + 1;
    arc = 0;
  }
  if (start < content.length) throw new DerError('An OBJECT IDENTIFIER is cut off.');
  return arcs;
}

/** Of so many octets the seven bits that each has to give fit into a number of JavaScript. */
const octetsAtOnce = 7;

/** By groups of octets, since every addition copies a large number. */
function largeArc(octets: Buffer): bigint {
  let arc = 0n;
  for (let start = 0; start < octets.length; start += octetsAtOnce) {
    const end = Math.min(start + octetsAtOnce, octets.length);
    let group = 0;
    for (let at = start; at < end; at += 1) group = group * 128 + (octets.readUInt8(at) & 0x7f);
    arc = (arc << BigInt(7 * (end - start))) | BigInt(group);
  }
  return arc;
}

/** UTCTime or GeneralizedTime in the form of RFC 5280, section 4.1.2.5: whole seconds, Z, an existing date. */
export function readTime(node: DerNode): Date {
  const text = node.content.toString('latin1');
  const digits = node.tag === tags.utcTime ? withCentury(text) : text;
  const isTime = node.tag === tags.utcTime || node.tag === tags.generalizedTime;
  if (!isTime || !/^\d{14}Z$/.test(digits)) throw new DerError('A time is malformed.');
  const part = (from: number, to: number): number => Number(digits.slice(from, to));
  const [day, hour, minute, second] = [part(6, 8), part(8, 10), part(10, 12), part(12, 14)];
  const time = new Date(0);
  time.setUTCFullYear(part(0, 4), part(4, 6) - 1, day);
  time.setUTCHours(hour, minute, second);
  // JavaScript takes times that do not exist for those after them.
  const exists =
    time.getUTCMonth() === part(4, 6) - 1 &&
    time.getUTCDate() === day &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  if (!exists) throw new DerError('A time does not exist.');
  return time;
}

/** RFC 5280, section 4.1.2.5.1: 50 to 99 are of the 20th century. */
function withCentury(text: string): string {
  return (text >= '50' ? '19' : '20') + text;
}
