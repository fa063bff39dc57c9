import type { Certificate } from './certificate.ts';
import { contextTag, DerError, expectTag, readDer, tags, type DerNode } from './der.ts';
import type { GeneralName } from './general-names.ts';
import { attributeValues, comparableName, readName, type Name } from './names.ts';
import { oids } from './oids.ts';

/** The base of a subtree: the tag of its GeneralName says what it constrains. */
interface Subtree {
  readonly tag: number;
  readonly base: DerNode;
}

interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/**
 * What in a certificate's names breaks the nameConstraints of a CA above it (RFC 5280, section 4.2.1.10); undefined
 * when nothing does. A constraint of a kind that cannot be checked is broken by every name of that kind.
 */
export function objectionToNames(certificate: Certificate, issuer: Certificate): string | undefined {
  const extension = issuer.extensions.find(({ oid }) => oid === oids.nameConstraints);
  if (extension === undefined) return undefined;
  const { permitted, excluded } = readNameConstraints(extension.value);
  const isRefused = constrainedNames(certificate).some(({ tag, fits }) => {
    const ofKind = permitted.filter((subtree) => subtree.tag === tag);
    const isPermitted = ofKind.length === 0 || ofKind.some(({ base }) => fits(base) === true);
    const isExcluded = excluded.some((subtree) => subtree.tag === tag && fits(subtree.base) !== false);
    return !isPermitted || isExcluded;
  });
  return isRefused ? 'it holds a name that a CA above it may not certify' : undefined;
}

/** Throws DerError; `minimum` and `maximum` must be left out, as RFC 5280 demands. */
function readNameConstraints(value: Buffer): NameConstraints {
  const fields = expectTag(readDer(value), tags.sequence, 'The nameConstraints').children;
  const subtrees = (n: number): readonly Subtree[] =>
    fields
      .filter(({ tag }) => tag === contextTag(n, 'constructed'))
      .flatMap(({ children }) => children.map(readSubtree));
  return { permitted: subtrees(0), excluded: subtrees(1) };
}

function readSubtree({ children: [base, ...bounds] }: DerNode): Subtree {
  if (base === undefined || bounds.length > 0)
    throw new DerError('A name constraint has bounds, or no base.');
  return { tag: base.tag, base };
}

/** A name, with whether it lies below a base of its own kind; undefined when nobody can tell. */
interface ConstrainedName {
  readonly tag: number;
  readonly fits: (base: DerNode) => boolean | undefined;
}

function constrainedNames({ subject, subjectAltName = [] }: Certificate): readonly ConstrainedName[] {
  const hasAddress = subjectAltName.some(({ type }) => type === 'rfc822Name');
  const addresses = hasAddress ? [] : attributeValues(subject, oids.emailAddress);
  return [
    ...(subject.rdns.length === 0 ? [] : [directoryName(subject)]),
    ...addresses.map(mailbox),
    ...subjectAltName.map(constrainedName),
  ];
}

function constrainedName(name: GeneralName): ConstrainedName {
  switch (name.type) {
    case 'dNSName':
      return { tag: contextTag(2, 'primitive'), fits: (base) => isBelowHost(name.value, textOf(base)) };
    case 'rfc822Name':
      return mailbox(name.value);
    case 'uniformResourceIdentifier':
      return {
        tag: contextTag(6, 'primitive'),
        fits: (base) => isHostWithin(hostOf(name.value), textOf(base)),
      };
    case 'directoryName':
      return directoryName(name.name);
    case 'iPAddress':
      return {
        tag: contextTag(7, 'primitive'),
        fits: ({ content }) => isAddressWithin(readDer(name.der).content, content),
      };
    case 'otherName':
    case 'registeredID':
    case 'x400Address':
    case 'ediPartyName':
      return { tag: readDer(name.der).tag, fits: () => undefined };
  }
}

function textOf({ content }: DerNode): string {
  return content.toString('latin1').toLowerCase();
}

/** A dNSName constraint holds for the host and for all below it. */
function isBelowHost(host: string, base: string): boolean {
  const name = host.toLowerCase();
  const domain = base.replace(/^\./, '');
  return domain === '' || name === domain || name.endsWith(`.${domain}`);
}

/** For mailboxes and URIs: a base with a leading dot holds for what is below it, one without for that host alone. */
function isHostWithin(host: string | undefined, base: string): boolean | undefined {
  if (host === undefined) return undefined;
  return base.startsWith('.') ? host.endsWith(base) : host === base;
}

function hostOf(uri: string): string | undefined {
  const host = URL.canParse(uri) ? new URL(uri).hostname : '';
  return host === '' ? undefined : host.toLowerCase();
}

function mailbox(address: string): ConstrainedName {
  const at = address.lastIndexOf('@');
  const host = address.slice(at + 1).toLowerCase();
  return {
    tag: contextTag(1, 'primitive'),
    fits: (base) => {
      const text = textOf(base);
      return text.includes('@')
        ? `${address.slice(0, at)}@${host}` === mailboxOf(base)
        : isHostWithin(host, text);
    },
  };
}

/** The part before the @ keeps its case. */
function mailboxOf({ content }: DerNode): string {
  const text = content.toString('latin1');
  const at = text.lastIndexOf('@');
  return `${text.slice(0, at)}@${text.slice(at + 1).toLowerCase()}`;
}

function directoryName(name: Name): ConstrainedName {
  return {
    tag: contextTag(4, 'constructed'),
    fits: ({ children: [base] }) => {
      if (base === undefined) return undefined;
      const { der, rdns } = readName(base);
      return comparableName({ der, rdns: name.rdns.slice(0, rdns.length) }) === comparableName({ der, rdns });
    },
  };
}

/** The base is an address and a mask of the same length. */
function isAddressWithin(address: Buffer, base: Buffer): boolean | undefined {
  if (base.length !== 8 && base.length !== 32) return undefined;
  const half = base.length / 2;
  if (address.length !== half) return false;
  return address.every((octet, at) => {
    const mask = base.readUInt8(half + at);
    return (octet & mask) === (base.readUInt8(at) & mask);
  });
}
