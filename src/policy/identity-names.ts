import { EstError } from '../errors.ts';
import type { CertificateIdentity, ClientIdentity } from '../identity.ts';
import { comparableGeneralName, type GeneralName } from '../pkix/general-names.ts';
import { comparableRdn, type Name, type RelativeDistinguishedName } from '../pkix/names.ts';
import { nameOfOid, oids } from '../pkix/oids.ts';
import type { AttributeGrant } from './granted-attributes.ts';
import { missing, offendingName, offendingPart } from './offending.ts';

/** What the alias grants besides the names of the client. */
export interface Grants {
  /** Types of subject attributes, by their names. */
  readonly subject: readonly string[];
  readonly grantsAttribute: AttributeGrant;
}

/**
 * Refuses names that are not the identity's own; docs/policy.md has the rules. A name is compared part by part (RDN), so
 * that the same attributes in other groups are another name, and as RFC 5280, section 7.1 compares them; the name of a
 * user is compared octet by octet, since users whose names differ in case are two. Throws `refused_by_policy`.
 */
export function refuseForeignNames(
  identity: ClientIdentity,
  subject: Name,
  subjectAltName: readonly GeneralName[],
  grants: Grants,
): void {
  const isUsers = isNameOfUser(identity, subject);
  refuseForeignParts(identity, subject, isUsers, grants);
  if (!isUsers) refuseLeftOutParts(identity, subject, grants);
  const own = new Set(identity.certificate?.certificate.subjectAltName?.map(comparableGeneralName) ?? []);
  const foreign = subjectAltName.find(
    (name) => !own.has(comparableGeneralName(name)) && !isUsersHost(identity, name),
  );
  if (foreign !== undefined) throw foreignName(offendingName(foreign));
}

/** Whether the subject says nobody else than the user: its commonName does, or it leaves that to the subjectAltName. */
function isNameOfUser({ user }: ClientIdentity, { rdns }: Name): boolean {
  return user !== undefined && (rdns.length === 0 || rdns.some((rdn) => isUserName(rdn, user.name)));
}

function isUserName([attribute, ...others]: RelativeDistinguishedName, userName: string): boolean {
  return attribute?.type === oids.commonName && attribute.value === userName && others.length === 0;
}

/**
 * Each part stands in the certificate, is the name of the user, or is a single attribute that the alias grants. It grants
 * none to who shows a certificate of its own CA and asks by that name.
 */
function refuseForeignParts(
  { certificate, user }: ClientIdentity,
  { rdns }: Name,
  isUsers: boolean,
  { grantsAttribute }: Grants,
): void {
  const own = countsOf(certificate?.certificate.subject.rdns ?? []);
  const mayBeGranted = isUsers || certificate?.trustAnchor !== 'explicit';
  const isGranted = (rdn: RelativeDistinguishedName): boolean =>
    (user !== undefined && isUserName(rdn, user.name)) ||
    (mayBeGranted && rdn.length === 1 && rdn.every(grantsAttribute));
  const asked = countsOf(rdns);
  const foreign = rdns.find((rdn) => {
    const text = comparableRdn(rdn);
    const times = asked.get(text) ?? 0;
    return times > (own.get(text) ?? 0) && (times > 1 || !isGranted(rdn));
  });
  if (foreign !== undefined) throw foreignName(offendingPart(foreign));
}

/** How often each part of a name is there. */
function countsOf(rdns: readonly RelativeDistinguishedName[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const text of rdns.map(comparableRdn)) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** What is left out makes another name of it, which may be somebody else's. */
function refuseLeftOutParts({ certificate }: ClientIdentity, { rdns }: Name, { subject }: Grants): void {
  if (certificate === undefined) {
    throw refusal('The commonName in the subject must be the name of the user.', missing('commonName'));
  }
  const asked = new Set(rdns.map(comparableRdn));
  const leftOut = partsToKeep(certificate, subject).find((rdn) => !asked.has(comparableRdn(rdn)));
  if (leftOut === undefined) return;
  throw refusal(
    'The subject of the CSR leaves out a part of the name in the certificate that the client shows.',
    missing(offendingPart(leftOut)),
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
 * All parts of a name that the alias's own CA gave. Of a vendor's, those that tell its holder from others and may stand in a
 * subject here; a name that has none is kept whole.
 */
function partsToKeep(
  { certificate, trustAnchor }: CertificateIdentity,
  grantedTypes: readonly string[],
): readonly RelativeDistinguishedName[] {
  const { rdns } = certificate.subject;
  if (trustAnchor === 'explicit') return rdns;
  const telling = rdns.filter((rdn) => rdn.some(({ type }) => tellingTypes.has(type)));
  const grantable = telling.filter((rdn) => rdn.every(({ type }) => grantedTypes.includes(nameOfOid(type))));
  return [grantable, telling].find((parts) => parts.length > 0) ?? rdns;
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
