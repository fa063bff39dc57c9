import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { comparableGeneralName, type GeneralName } from '../pkix/general-names.ts';
import { comparableAttribute, type AttributeTypeAndValue, type Name } from '../pkix/names.ts';
import { nameOfOid, oids } from '../pkix/oids.ts';
import type { AttributeGrant } from './granted-attributes.ts';
import { missing, offendingAttribute, offendingName } from '../pkix/offending.ts';

/** What the alias grants besides the names of the client. */
export interface Grants {
  /** Types of subject attributes, by their names. */
  readonly subject: readonly string[];
  readonly grantsAttribute: AttributeGrant;
}

/**
 * Refuses names that are not the identity's own; docs/policy.md has the rules. A subject is compared attribute by attribute,
 * as RFC 5280, section 7.1 compares values; the name of a user is compared octet by octet, since users whose names differ in
 * case are two. Throws `refused_by_policy`.
 */
export function refuseForeignNames(
  identity: ClientIdentity,
  subject: Name,
  subjectAltName: readonly GeneralName[],
  grants: Grants,
): void {
  const attributes = subject.rdns.flat();
  const isUsers = isNameOfUser(identity, attributes);
  refuseForeignAttributes(identity, attributes, isUsers, grants);
  if (!isUsers) refuseLeftOutAttributes(identity, attributes, grants);
  const own = new Set(identity.certificate?.certificate.subjectAltName?.map(comparableGeneralName) ?? []);
  const foreign = subjectAltName.find(
    (name) => !own.has(comparableGeneralName(name)) && !isUsersHost(identity, name),
  );
  if (foreign !== undefined) throw foreignName(offendingName(foreign));
}

type Attributes = readonly AttributeTypeAndValue[];

/** Whether the subject says nobody else than the user: its commonName does, or it leaves that to the subjectAltName. */
function isNameOfUser({ user }: ClientIdentity, attributes: Attributes): boolean {
  return (
    user !== undefined && (attributes.length === 0 || attributes.some((one) => isUserName(one, user.name)))
  );
}

function isUserName({ type, value }: AttributeTypeAndValue, userName: string): boolean {
  return type === oids.commonName && value === userName;
}

/**
 * Each attribute stands in the certificate, is the name of the user, or is granted by the alias. It grants none to who shows
 * a certificate of its own CA and asks by that name.
 */
function refuseForeignAttributes(
  { certificate, user }: ClientIdentity,
  attributes: Attributes,
  isUsers: boolean,
  { grantsAttribute }: Grants,
): void {
  const own = countsOf(certificate?.certificate.subject.rdns.flat() ?? []);
  const mayBeGranted = isUsers || certificate?.trustAnchor !== 'explicit';
  const isGranted = (one: AttributeTypeAndValue): boolean =>
    (user !== undefined && isUserName(one, user.name)) || (mayBeGranted && grantsAttribute(one));
  const asked = countsOf(attributes);
  const foreign = attributes.find((one) => {
    const text = comparableAttribute(one);
    const times = asked.get(text) ?? 0;
    return times > (own.get(text) ?? 0) && (times > 1 || !isGranted(one));
  });
  if (foreign !== undefined) throw foreignName(offendingAttribute(foreign));
}

/** How often each attribute is there. */
function countsOf(attributes: Attributes): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of attributes.map(comparableAttribute)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** A subject without what tells its holder from others may be the name of somebody else; an empty one names nobody. */
function refuseLeftOutAttributes(
  { certificate }: ClientIdentity,
  attributes: Attributes,
  { subject }: Grants,
): void {
  if (certificate === undefined) {
    throw refusal('The commonName in the subject must be the name of the user.', missing('commonName'));
  }
  if (attributes.length === 0) return;
  const asked = new Set(attributes.map(comparableAttribute));
  const own = certificate.certificate.subject.rdns.flat();
  const leftOut = attributesToKeep(own, subject).find((one) => !asked.has(comparableAttribute(one)));
  if (leftOut === undefined) return;
  throw refusal(
    'The subject of the CSR leaves out a part of the name in the certificate that the client shows.',
    missing(offendingAttribute(leftOut)),
  );
}

/** Attribute types by which one holder is told from another: X.520, RFC 4519. */
const tellingTypes: ReadonlySet<string> = new Set([
  oids.commonName,
  oids.serialNumber,
  oids.userId,
  oids.dnQualifier,
  oids.x500UniqueIdentifier,
]);

/**
 * Those that tell the holder from others and may stand in a subject here: a CA may add others, such as its
 * organizationName, to what the device asks for. A name that has none is kept whole.
 */
function attributesToKeep(own: Attributes, grantedTypes: readonly string[]): Attributes {
  const telling = own.filter(({ type }) => tellingTypes.has(type));
  const grantable = telling.filter(({ type }) => grantedTypes.includes(nameOfOid(type)));
  return [grantable, telling].find((some) => some.length > 0) ?? own;
}

function isUsersHost({ user }: ClientIdentity, name: GeneralName): boolean {
  return name.type === 'dNSName' && name.value.toLowerCase() === user?.name.toLowerCase();
}

function foreignName(offending: string): EstError {
  return refusal('The CSR asks for a name that does not belong to the authenticated client.', offending);
}

function refusal(sentence: string, offending: string): EstError {
  return new EstError('refused_by_policy', sentence, { cmcFailure: 'badIdentity', refusedBy: { offending } });
}
