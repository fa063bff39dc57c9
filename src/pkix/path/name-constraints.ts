import { isIPv4 } from 'node:net';
import type { Certificate } from '../certificate.ts';
import { contextTag, DerError, expectTag, readDer, tags, type DerNode } from '../der.ts';
import type { GeneralName } from '../general-names.ts';
import { attributeValues, comparableRdn, readName, type Name } from '../names.ts';
import { oids } from '../oids.ts';
import { readText } from '../text.ts';

/**
 * The bases of the subtrees of one kind, each as a text. A name is below a base when the text is among those that the name
 * gives, so that a name is looked up and never compared with one base after another.
 */
interface Bases {
  readonly texts: ReadonlySet<string>;
  /** One of them cannot be read, and may hold for any name. */
  readonly hasUnreadable: boolean;
}

/** By the tag of the GeneralName. */
type Subtrees = ReadonlyMap<number, Bases>;

interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
}

/** A name by its kind, and the texts of all bases that it is below; undefined when that cannot be told. */
interface ConstrainedName {
  readonly tag: number;
  readonly bases: readonly string[] | undefined;
}

const kinds = {
  otherName: contextTag(0, 'constructed'),
  rfc822Name: contextTag(1, 'primitive'),
  dNSName: contextTag(2, 'primitive'),
  directoryName: contextTag(4, 'constructed'),
  uniformResourceIdentifier: contextTag(6, 'primitive'),
  iPAddress: contextTag(7, 'primitive'),
} as const;

/**
 * What in a certificate's names breaks the nameConstraints of a CA above it (RFC 5280, section 4.2.1.10); undefined
 * when nothing does. A constraint of a kind that cannot be checked is broken by every name of that kind, and so is any
 * constraint by a name of its kind that cannot be read. Takes time that grows with the names and the subtrees, and not with
 * their product. Throws DerError.
 */
export function objectionToNames(certificate: Certificate, issuer: Certificate): string | undefined {
  const constraints = constraintsOf(issuer);
  if (constraints === undefined) return undefined;
  const isRefused = constrainedNames(certificate).some(
    (name) => !isPermitted(name, constraints) || isExcluded(name, constraints),
  );
  return isRefused ? 'it holds a name that a CA above it may not certify' : undefined;
}

function isPermitted({ tag, bases }: ConstrainedName, { permitted }: NameConstraints): boolean {
  const ofKind = permitted.get(tag);
  return ofKind === undefined || bases?.some((base) => ofKind.texts.has(base)) === true;
}

function isExcluded({ tag, bases }: ConstrainedName, { excluded }: NameConstraints): boolean {
  const ofKind = excluded.get(tag);
  if (ofKind === undefined) return false;
  return ofKind.hasUnreadable || bases === undefined || bases.some((base) => ofKind.texts.has(base));
}

/** Constraints of CAs that are kept are read once. */
const known = new WeakMap<Certificate, NameConstraints>();

function constraintsOf(issuer: Certificate): NameConstraints | undefined {
  const extension = issuer.extensions.find(({ oid }) => oid === oids.nameConstraints);
  if (extension === undefined) return undefined;
  const constraints = known.get(issuer) ?? readNameConstraints(extension.value);
  known.set(issuer, constraints);
  return constraints;
}

/** Throws DerError; `minimum` and `maximum` must be left out, as RFC 5280 demands. */
function readNameConstraints(value: Buffer): NameConstraints {
  const fields = expectTag(readDer(value), tags.sequence, 'The nameConstraints').children;
  const bases = (n: number): readonly DerNode[] =>
    fields
      .filter(({ tag }) => tag === contextTag(n, 'constructed'))
      .flatMap(({ children }) => children.map(readBase));
  return { permitted: byKind(bases(0), textsOfBase), excluded: byKind(bases(1), textsOfExcluded) };
}

function readBase({ children: [base, ...bounds] }: DerNode): DerNode {
  if (base === undefined || bounds.length > 0)
    throw new DerError('A name constraint has bounds, or no base.');
  return base;
}

function byKind(
  bases: readonly DerNode[],
  textsOf: (base: DerNode) => readonly string[] | undefined,
): Subtrees {
  const subtrees = new Map<number, { readonly texts: Set<string>; hasUnreadable: boolean }>();
  for (const base of bases) {
    const ofKind = subtrees.get(base.tag) ?? { texts: new Set(), hasUnreadable: false };
    subtrees.set(base.tag, ofKind);
    const texts = textsOf(base);
    if (texts === undefined) ofKind.hasUnreadable = true;
    for (const text of texts ?? []) ofKind.texts.add(text);
  }
  return subtrees;
}

/** Undefined: the base cannot be read, or its kind cannot be checked. */
function textsOfBase(base: DerNode): readonly string[] | undefined {
  const text = base.content.toString('latin1');
  switch (base.tag) {
    case kinds.dNSName:
      return text === '' || isHost(withoutDot(text)) ? [text.toLowerCase()] : undefined;
    case kinds.rfc822Name:
      return text.includes('@') ? firstOnly(mailboxBases(text)) : hostBase(text);
    case kinds.uniformResourceIdentifier:
      return hostBase(text);
    case kinds.iPAddress:
      return networkBase(base.content);
    case kinds.directoryName:
      return base.children[0] && [prefixesOf(readName(base.children[0])).at(-1) ?? ''];
    default:
      return undefined;
  }
}

/** A wildcard stands for every host of its domain, also for one that is excluded. */
function textsOfExcluded(base: DerNode): readonly string[] | undefined {
  const texts = textsOfBase(base);
  if (base.tag !== kinds.dNSName) return texts;
  return texts?.flatMap((text) => [text, text.replace(/^[^.]+/, '*')]);
}

function firstOnly(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts?.slice(0, 1);
}

function withoutDot(base: string): string {
  return base.replace(/^\./, '');
}

function hostBase(text: string): readonly string[] | undefined {
  return isHost(withoutDot(text)) ? [text.toLowerCase()] : undefined;
}

function constrainedNames({ subject, subjectAltName = [] }: Certificate): readonly ConstrainedName[] {
  return [
    ...(subject.rdns.length === 0 ? [] : [directoryName(subject)]),
    ...attributeValues(subject, oids.emailAddress).map(mailbox),
    ...subjectAltName.flatMap(constrainedName),
  ];
}

function constrainedName(name: GeneralName): ConstrainedName | readonly ConstrainedName[] {
  switch (name.type) {
    case 'dNSName':
      return { tag: kinds.dNSName, bases: dNSNameBases(name.value) };
    case 'rfc822Name':
      return mailbox(name.value);
    case 'uniformResourceIdentifier':
      return { tag: kinds.uniformResourceIdentifier, bases: uriBases(name.value) };
    case 'directoryName':
      return directoryName(name.name);
    case 'iPAddress':
      return { tag: kinds.iPAddress, bases: prefixesOfBits(bitsOf(readDer(name.der).content)) };
    case 'otherName': {
      const other = { tag: kinds.otherName, bases: undefined };
      return name.typeId === oids.smtpUtf8Mailbox ? [other, mailbox(smtpUtf8Mailbox(name.der))] : other;
    }
    case 'registeredID':
    case 'x400Address':
    case 'ediPartyName':
      return { tag: readDer(name.der).tag, bases: undefined };
  }
}

/** RFC 9598, section 3. */
function smtpUtf8Mailbox(der: Buffer): string {
  const value = readDer(der).children[1]?.children[0];
  return (value?.tag === tags.utf8String ? readText(value) : undefined) ?? '';
}

const longestHost = 253;
const label = '[a-z0-9_-]{1,63}';
const hostSyntax = new RegExp(`^(?:${label}\\.)*${label}$`, 'i');

function isHost(text: string): boolean {
  return text.length <= longestHost && hostSyntax.test(text);
}

/** Itself, and with a leading dot each domain that it is below. */
function hostBases(text: string): readonly string[] | undefined {
  if (!isHost(text)) return undefined;
  const host = text.toLowerCase();
  return [host, ...domainsAbove(host)];
}

function domainsAbove(host: string): readonly string[] {
  return Array.from(host.matchAll(/\./g), ({ index }) => host.slice(index));
}

/** A constraint on a dNSName holds for the host and for all below it; with a leading dot, for these alone. */
function dNSNameBases(text: string): readonly string[] | undefined {
  if (!isHost(text.replace(/^\*\./, ''))) return undefined;
  const host = text.toLowerCase();
  return ['', host, ...domainsAbove(host).flatMap((domain) => [domain, domain.slice(1)])];
}

/** What RFC 5321 allows without quotes, and beyond ASCII what RFC 6531 does. */
const localPart = /^[^\s"(),:;<>@[\\\]\p{C}]+$/u;

/** The mailbox itself, its host, and the domains above that. The part before the @ keeps its case. */
function mailboxBases(address: string): readonly string[] | undefined {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, Math.max(at, 0));
  const host = hostBases(address.slice(at + 1));
  return host?.[0] !== undefined && localPart.test(local) ? [`${local}@${host[0]}`, ...host] : undefined;
}

function mailbox(address: string): ConstrainedName {
  return { tag: kinds.rfc822Name, bases: mailboxBases(address) };
}

/** RFC 3986, section 3.2. */
const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@\\]*@)?([^/?#@:[\\\]]+)(?::\d*)?(?:[/?#]|$)/i;

/** Readers of URLs take such a host for an IPv4 address. */
const numericHost = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i;

/** A constraint is about hosts that are names (RFC 5280, section 4.2.1.10). */
function uriBases(uri: string): readonly string[] | undefined {
  const host = authority.exec(uri)?.[1];
  return host === undefined || isIPv4(host) || numericHost.test(host) ? undefined : hostBases(host);
}

function directoryName(name: Name): ConstrainedName {
  return { tag: kinds.directoryName, bases: prefixesOf(name) };
}

/** The name up to each of its levels, from none on. */
function prefixesOf({ rdns }: Name): readonly string[] {
  const prefixes = [''];
  for (const rdn of rdns) prefixes.push(`${prefixes.at(-1) ?? ''}${comparableRdn(rdn)}`);
  return prefixes;
}

/** The address, 0 and 1 for each bit, after the length that tells versions apart. */
function bitsOf(octets: Buffer): string {
  return `${octets.length}:${Array.from(octets, (octet) => octet.toString(2).padStart(8, '0')).join('')}`;
}

function prefixesOfBits(bits: string): readonly string[] {
  const start = bits.indexOf(':') + 1;
  return Array.from({ length: bits.length - start + 1 }, (_, length) => bits.slice(0, start + length));
}

/** An address and a mask of the same length, in the style of RFC 4632: ones and then zeros. */
function networkBase(content: Buffer): readonly string[] | undefined {
  if (content.length !== 8 && content.length !== 32) return undefined;
  const half = content.length / 2;
  const mask = bitsOf(content.subarray(half));
  const ones = /:1*(?=0*$)/.exec(mask);
  return ones === null
    ? undefined
    : [bitsOf(content.subarray(0, half)).slice(0, ones.index + ones[0].length)];
}
