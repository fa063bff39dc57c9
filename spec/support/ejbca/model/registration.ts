/** How EJBCA registers end entities, whichever interface asks. */
import { alternativeNameField, kindsIn } from '../alternative-names.ts';
import type { Administrator } from '../administrator.ts';
import { fieldName, partsOf, trimmed, withoutForbidden } from '../distinguished-name.ts';
import type { Ejbca } from '../ejbca.ts';
import { refusals } from '../refusal.ts';
import { putUpForApproval } from './approval.ts';
import {
  saveEndEntity,
  type CertificateProfile,
  type CertificationAuthority,
  type EndEntity,
  type EndEntityProfile,
} from './database.ts';
import { begin, type Pause } from './transaction.ts';

/** Who asks for what, and what holds it up. */
export interface Operation {
  readonly ejbca: Ejbca;
  readonly administrator: Administrator;
  readonly pause: Pause;
}

/** What somebody wants registered. */
export type Registration = Omit<EndEntity, 'rowVersion' | 'password' | 'remainingRequests'> & {
  /** Undefined: an end entity that exists keeps the one it has. */
  readonly password: string | undefined;
  /** Whether a part of the subject has several values. */
  readonly isMultiValued?: boolean;
};

/** The CA of this name; refuses an unknown one. */
export function requireCa({ database }: Ejbca, name: string): CertificationAuthority {
  const ca = database.certificationAuthorities.get(name);
  if (ca === undefined) throw refusals.unknownCertificationAuthority(name);
  return ca;
}

/** The CA of this name; refuses an unknown one, and a caller who may not use it. */
export function requireUsableCa(
  ejbca: Ejbca,
  administrator: Administrator,
  name: string,
): CertificationAuthority {
  const ca = requireCa(ejbca, name);
  if (!administrator.isAuthorized(`/ca/${name}`)) {
    throw refusals.notAuthorizedToCa(administrator.name, name);
  }
  return ca;
}

/** Refuses who may not see an end entity that exists. */
export function requireView(
  { ejbca, administrator }: Pick<Operation, 'ejbca' | 'administrator'>,
  { username, endEntityProfile, certificationAuthority }: EndEntity,
): void {
  const rules = [
    '/ra_functionality/view_end_entity',
    `/endentityprofilesrules/${endEntityProfile}/view_end_entity`,
  ];
  if (!rules.every((rule) => administrator.isAuthorized(rule))) {
    const { id } = requireEndEntityProfile(ejbca, endEntityProfile);
    throw refusals.notAuthorizedToProfileOf(id, username, administrator.name);
  }
  if (!administrator.isAuthorized(`/ca/${certificationAuthority}`)) {
    const { id } = requireCa(ejbca, certificationAuthority);
    throw refusals.notAuthorizedToCaOf(id, username, administrator.name);
  }
}

/** The certificate profile of this name; refuses an unknown one. */
export function requireCertificateProfile({ database }: Ejbca, name: string): CertificateProfile {
  const profile = database.certificateProfiles.get(name);
  if (profile === undefined) throw refusals.unknownCertificateProfile(name);
  return profile;
}

/** The end entity profile of this name; refuses an unknown one. */
export function requireEndEntityProfile({ database }: Ejbca, name: string): EndEntityProfile {
  const profile = database.endEntityProfiles.get(name);
  if (profile === undefined) throw refusals.unknownEndEntityProfile(name);
  return profile;
}

/** A user name as EJBCA keeps it. */
export function usernameFrom(text: string): string {
  return withoutForbidden(trimmed(text));
}

/**
 * What is to be written: refuses a caller who may not add or, if it exists, edit the end entity, and data that its profile
 * does not allow.
 */
export function examined(
  { ejbca, administrator }: Pick<Operation, 'ejbca' | 'administrator'>,
  existing: EndEntity | undefined,
  { isMultiValued = false, ...registration }: Registration,
): Omit<EndEntity, 'rowVersion'> {
  const ca = requireCa(ejbca, registration.certificationAuthority);
  if (!administrator.isAuthorized(`/ca/${ca.name}`)) {
    throw refusals.notAuthorizedToCaById(ca.id, administrator.name);
  }
  const profile = requireEndEntityProfile(ejbca, registration.endEntityProfile);
  const certificateProfile = requireCertificateProfile(ejbca, registration.certificateProfile);
  const right = existing === undefined ? 'create_end_entity' : 'edit_end_entity';
  const needed = [`/ra_functionality/${right}`, `/endentityprofilesrules/${profile.name}/${right}`];
  if (!needed.every((rule) => administrator.isAuthorized(rule))) {
    throw refusals.notAuthorizedToProfile(profile.id, administrator.name);
  }
  if (registration.username === '') throw refusals.emptyUsername();
  const isGiven = registration.password !== undefined;
  if (profile.makesPasswords && isGiven && existing === undefined) throw refusals.passwordNotAllowed();
  if (isMultiValued) throw refusals.multiValuedSubject();
  checkNames(registration, profile);
  if (profile.certificateProfiles?.includes(certificateProfile.name) === false) {
    throw refusals.certificateProfileNotAllowed(certificateProfile.id);
  }
  if (profile.certificationAuthorities?.includes(ca.name) === false) {
    throw refusals.certificationAuthorityNotAllowed(ca.id);
  }
  if (certificateProfile.certificationAuthorities?.includes(ca.name) === false) {
    throw refusals.certificateProfileForOtherCa(ca.id, certificateProfile.id);
  }
  const isMade = profile.makesPasswords && (isGiven || existing === undefined);
  const given = isMade ? madePassword(ejbca) : registration.password;
  return { ...registration, password: given ?? existing?.password ?? '', remainingRequests: 1 };
}

/** Nobody is told; another one each time. */
function madePassword({ database }: Ejbca): string {
  return `made-${database.clock()}-${database.endEntities.size}`;
}

function checkNames({ subjectDn, subjectAltName }: EndEntityNames, profile: EndEntityProfile): void {
  const fields = partsOf(subjectDn).map(({ symbol }) => symbol);
  const missing = profile.requiredSubject.find((field) => !fields.includes(field));
  if (missing !== undefined) throw refusals.missingSubjectField(fieldName(missing));
  const surplusField = surplus(fields, profile.subject);
  if (surplusField !== undefined) throw refusals.wrongNumberOfSubjectFields(fieldName(surplusField));
  const surplusName = surplus(kindsIn(subjectAltName), profile.alternativeNames);
  if (surplusName !== undefined) {
    throw refusals.wrongNumberOfAlternativeNames(alternativeNameField(surplusName));
  }
}

type EndEntityNames = Pick<EndEntity, 'subjectDn' | 'subjectAltName'>;

/** The first member that occurs more often than it is allowed. */
function surplus<Field extends string>(
  fields: readonly Field[],
  allowed: readonly Field[] | undefined,
): Field | undefined {
  const countIn = (list: readonly Field[], field: Field): number =>
    list.filter((one) => one === field).length;
  return fields.find((field) => allowed !== undefined && countIn(fields, field) > countIn(allowed, field));
}

/**
 * The web service's editUser: changes the end entity of this name, or adds it with status NEW whatever was asked for.
 * Throws a Refusal, among them `General failure.` when another one has changed it in between, and WaitingForApproval.
 */
export async function editUser(operation: Operation, registration: Registration): Promise<void> {
  await write(operation, registration, (existing) => {
    if (existing === undefined) return { ...registration, status: 'NEW' };
    requireView(operation, existing);
    return registration;
  });
}

/** POST /v1/endentity: adds an end entity with status NEW; one that exists is refused. Throws as `editUser`. */
export async function addEndEntity(operation: Operation, registration: Registration): Promise<void> {
  await write(operation, registration, (existing) => {
    if (existing !== undefined) throw refusals.endEntityExists(existing.username);
    return { ...registration, status: 'NEW' };
  });
}

async function write(
  operation: Operation,
  { username, certificationAuthority, certificateProfile }: Registration,
  wanted: (existing: EndEntity | undefined) => Registration,
): Promise<void> {
  const { ejbca, pause } = operation;
  await pause('before the end entity');
  const transaction = begin(ejbca.database);
  const existing = transaction.endEntity(username);
  const endEntity = examined(operation, existing, wanted(existing));
  transaction.save(endEntity);
  await pause('after the end entity');
  if (needsApproval(ejbca, certificationAuthority, certificateProfile)) {
    throw putUpForApproval(ejbca.database, username, existing === undefined ? 'add' : 'edit', () => {
      saveEndEntity(ejbca.database, endEntity);
    });
  }
  await pause('before the commit');
  transaction.commit();
  await pause('after the commit');
}

/** Whether adding and editing end entities of the CA or of the certificate profile needs approval. */
export function needsApproval({ database }: Ejbca, ca: string, certificateProfile: string): boolean {
  return (
    database.certificationAuthorities.get(ca)?.requiresApproval === true ||
    database.certificateProfiles.get(certificateProfile)?.requiresApproval === true
  );
}
