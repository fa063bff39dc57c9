import { isIP } from 'node:net';
import { EstError } from '../errors.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { iPAddress, type GeneralName } from '../pkix/general-names.ts';
import type { AttributeTypeAndValue } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import { otherNameText } from '../pkix/other-names.ts';
import { offendingAttribute, offendingName } from '../pkix/offending.ts';

/**
 * Refuses names that stand for many hosts, users or domains at once: wildcards, and the addresses that are unspecified (RFC
 * 4291, section 2.5.2; RFC 1122, section 3.2.1.3). Throws `refused_by_policy`.
 */
export function refuseNamesForMany({ subject, subjectAltName }: CertifiedNames): void {
  const attribute = subject.rdns.flat().find(isAttributeForMany);
  if (attribute !== undefined) throw refusal('subject', offendingAttribute(attribute));
  const name = subjectAltName.find(isNameForMany);
  if (name !== undefined) throw refusal('subjectAltName', offendingName(name));
}

function refusal(place: 'subject' | 'subjectAltName', offending: string): EstError {
  const sentence = `The ${place} may hold neither wildcards nor the unspecified address.`;
  return new EstError('refused_by_policy', sentence, { refusedBy: { offending } });
}

/** Attributes in which relying parties look for a host, a domain or a mailbox. */
const namingAttributes: readonly string[] = [
  oids.commonName,
  oids.domainComponent,
  oids.emailAddress,
  oids.unstructuredName,
  oids.unstructuredAddress,
];

function isAttributeForMany({ type, value }: AttributeTypeAndValue): boolean {
  return namingAttributes.includes(type) && isForMany(value);
}

function isNameForMany(name: GeneralName): boolean {
  switch (name.type) {
    case 'dNSName':
    case 'rfc822Name':
      return isForMany(name.value);
    case 'iPAddress':
      return unspecified.includes(name.value);
    case 'uniformResourceIdentifier':
      return isForMany(hostOf(name.value));
    case 'directoryName':
      return name.name.rdns.flat().some(isAttributeForMany);
    case 'otherName':
      return isForMany(otherNameText(name) ?? '');
    case 'registeredID':
    case 'x400Address':
    case 'ediPartyName':
      return false;
  }
}

const ascii = /^[\x20-\x7e]*$/;

/** Compatibility forms, such as a full-width asterisk, are looked at as what RFC 5280, section 7.1 makes of them. */
function isForMany(text: string): boolean {
  const value = ascii.test(text) ? text : text.normalize('NFKC');
  return value.includes('*') || isUnspecified(value.trim());
}

/** As addresses are written once they are read. */
const unspecified: readonly string[] = ['0.0.0.0', '::'];

/** Every way to write it, with or without a zone, has these characters alone. */
const mayBeUnspecified = /^([0.:f]+)(?:%.*)?$/is;

function isUnspecified(text: string): boolean {
  const [, address = ''] = mayBeUnspecified.exec(text) ?? [];
  if (isIP(address) === 0) return false;
  const name = iPAddress(address);
  return 'value' in name && unspecified.includes(name.value);
}

/**
 * The host of a URI as it is written, without brackets and percent-encoding: what stands after `//`, and the part after the @
 * where there is no `//`, as in `sip:user@host` (RFC 3986, section 3.2; RFC 3261, section 19.1.1). Empty: there is none.
 */
function hostOf(uri: string): string {
  const [, hierarchical, opaque = ''] = /^[^:]*:(?:\/\/([^/?#]*)|([^?#]*))/.exec(uri) ?? [];
  const place = hierarchical ?? (opaque.includes('@') ? opaque.replace(/[;/].*$/s, '') : '');
  const host = place.slice(place.lastIndexOf('@') + 1).replace(/:\d*$/, '');
  return host
    .replace(/^\[(.*)\]$/, '$1')
    .replaceAll(/%2a/gi, '*')
    .replaceAll(/%2e/gi, '.');
}
