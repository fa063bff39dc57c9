import { isIPv4 } from 'node:net';
import type { RequestedNames } from '../errors.ts';
import { DerError, type DerNode } from './der.ts';
import {
  generalNameText,
  iPAddress,
  isRegisteredID,
  readGeneralNameNodes,
  type GeneralName,
} from './general-names.ts';
import { nameToString, type AttributeTypeAndValue, type Name } from './names.ts';
import { nameOfOid, oids } from './oids.ts';
import { hasFormOfType } from './other-names.ts';

/**
 * What a name must look like to be certified. Names in certificates of others are read with more tolerance:
 * they are compared and shown, not issued.
 */

/** Upper bounds in characters (RFC 5280, appendix A); larger ones there are lowered to `longestValue`. */
const upperBounds: Readonly<Record<string, number | undefined>> = {
  [oids.commonName]: 64,
  [oids.serialNumber]: 64,
  [oids.organizationName]: 64,
  [oids.organizationalUnitName]: 64,
  [oids.title]: 64,
  [oids.dnQualifier]: 64,
  [oids.domainComponent]: 63,
  [oids.countryName]: 2,
  [oids.localityName]: 128,
  [oids.stateOrProvinceName]: 128,
  [oids.pseudonym]: 128,
};
const longestValue = 255;

/** Control characters, line and paragraph separators, overrides of the writing direction, markup. */
const unfitCharacters = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069<>]/u;

/**
 * Throws DerError when an attribute of the subject is empty, too long, no text, or not fit to be printed, or when there are
 * two common names, of which one would be checked and another believed.
 */
export function checkRequestedSubject(subject: Name): void {
  let commonNames = 0;
  for (const rdn of subject.rdns) {
    rdn.forEach(checkAttribute);
    commonNames += rdn.filter(({ type }) => type === oids.commonName).length;
  }
  if (commonNames > 1) throw new DerError('The subject has more than one commonName.');
}

function checkAttribute({ type, value, isText }: AttributeTypeAndValue): void {
  const upperBound = upperBounds[type] ?? longestValue;
  const refusal = (objection: string): DerError =>
    new DerError(`The ${nameOfOid(type)} in the subject ${objection}.`);
  if (!isText) throw refusal('is not a text');
  if (value === '') throw refusal('is empty');
  if (isLonger(value, upperBound)) throw refusal(`is longer than ${upperBound} characters`);
  if (unfitCharacters.test(value)) throw refusal('holds a control character, or < or >');
  if (type === oids.countryName && !/^[A-Za-z]{2}$/.test(value))
    throw refusal('is not a code of two letters (ISO 3166)');
}

/** Counts characters, not UTF-16 code units, of which a character has at most two. */
function isLonger(value: string, upperBound: number): boolean {
  if (value.length <= upperBound) return false;
  return value.length > 2 * upperBound || Array.from(value).length > upperBound;
}

/** More names than any device has; each costs time in every check and octets in every handshake. */
const mostNames = 1000;

/** Nobody has several, and their numbers may be large. */
const mostRegisteredIDs = 100;

/**
 * Decodes what a list of names holds; too long a list is refused before its names are looked at. An IPv4 address in the form
 * of IPv6 (RFC 4291, section 2.5.5.2) becomes one of four octets, the form in which it is certified. Throws DerError.
 */
export function readRequestedNames(children: readonly DerNode[]): readonly GeneralName[] {
  refuseTooMany(children.length);
  if (children.filter(isRegisteredID).length > mostRegisteredIDs)
    throw new DerError(`The subjectAltName holds more than ${mostRegisteredIDs} registeredIDs.`);
  return readGeneralNameNodes(children).map((name) =>
    name.type === 'iPAddress' && isIPv4(name.value) ? iPAddress(name.value) : name,
  );
}

/** Throws DerError when there are too many names, or one that has not the syntax of its type. */
export function checkRequestedNames(names: readonly GeneralName[]): void {
  refuseTooMany(names.length);
  names.forEach(checkGeneralName);
}

function refuseTooMany(names: number): void {
  if (names > mostNames) throw new DerError(`The subjectAltName holds more than ${mostNames} names.`);
}

/** LDH labels (RFC 1034, section 3.5), underscores as found in practice, one leading wildcard label. */
const dNSNameSyntax = /^(?:\*\.)?(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/;
const rfc822NameSyntax = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$/;
const uniformResourceIdentifierSyntax = /^[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-[\]_a-z~]{1,2000}$/;

function checkGeneralName(name: GeneralName): void {
  if (name.type === 'directoryName') checkRequestedSubject(name.name);
  if (name.type === 'dNSName' && (name.value.length > 253 || !dNSNameSyntax.test(name.value))) {
    throw new DerError('A dNSName in the subjectAltName is not a host name.');
  }
  if (name.type === 'rfc822Name' && !rfc822NameSyntax.test(name.value)) {
    throw new DerError('An rfc822Name in the subjectAltName is not a mail address.');
  }
  if (name.type === 'uniformResourceIdentifier' && !uniformResourceIdentifierSyntax.test(name.value)) {
    throw new DerError('A uniformResourceIdentifier in the subjectAltName is not a URI.');
  }
  if (name.type === 'otherName' && !hasFormOfType(name)) {
    throw new DerError('An otherName in the subjectAltName does not have the form of its type.');
  }
}

/** A subject and the names beside it. */
interface DescribedNames {
  readonly subject: Name;
  readonly subjectAltName?: readonly GeneralName[] | undefined;
}

/** The latest for a subject: a request says at several steps whom it is for. */
const described = new WeakMap<Name, { readonly names: DescribedNames; readonly text: RequestedNames }>();

/** The names that a CSR asks for, for people. */
export function describeNames(names: DescribedNames): RequestedNames {
  const { subject, subjectAltName } = names;
  const known = described.get(subject);
  if (known !== undefined && known.names.subjectAltName === subjectAltName) return known.text;
  const text = {
    subject: nameToString(subject),
    ...(subjectAltName !== undefined &&
      subjectAltName.length > 0 && { subjectAltName: subjectAltName.map(generalNameText).join(', ') }),
  };
  described.set(subject, { names: { subject, subjectAltName }, text });
  return text;
}
