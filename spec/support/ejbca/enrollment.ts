/** How EJBCA registers end entities and issues to them, whichever interface asks. */
import { generalNamesFrom, kindsIn } from './alternative-names.ts';
import type { Administrator } from './administrator.ts';
import { issueCertificate } from './authority.ts';
import { unfitKey, type RequestedCertificate } from './certification-request.ts';
import {
  endEntityStatuses,
  type CertificateProfile,
  type CertificationAuthority,
  type EndEntity,
  type IssuedCertificate,
} from './database.ts';
import { nameFromDn, partsOf } from './distinguished-name.ts';
import type { Ejbca } from './ejbca.ts';
import { refusals } from './refusal.ts';

/** Thrown instead of doing what needs approval; answered with 202 (1.5). */
export class WaitingForApproval extends Error {
  readonly requestId: number;

  constructor(requestId: number, message = 'The request is waiting for approval.') {
    super(message);
    this.requestId = requestId;
  }
}

/** Validity that a request asks for. */
export interface RequestedValidity {
  readonly notBefore: Date | undefined;
  readonly notAfter: Date | undefined;
}

/** The CA of this name; refuses an unknown one, and a caller who may not use it. */
export function requireCa(ejbca: Ejbca, administrator: Administrator, name: string): CertificationAuthority {
  const ca = ejbca.database.certificationAuthorities.get(name);
  if (ca === undefined) throw refusals.unknownCertificationAuthority(name);
  if (!administrator.isAuthorized(`/ca/${name}`)) throw refusals.notAuthorizedToCa(administrator.name, ca.id);
  return ca;
}

/** The certificate profile of this name; refuses an unknown one. */
export function requireCertificateProfile({ database }: Ejbca, name: string): CertificateProfile {
  const profile = database.certificateProfiles.get(name);
  if (profile === undefined) throw refusals.unknownCertificateProfile(name);
  return profile;
}

/** Refuses a caller who may not add or, if it exists, edit the end entity, and data that its profile does not allow. */
export function checkEndEntity(ejbca: Ejbca, administrator: Administrator, endEntity: EndEntity): void {
  const exists = ejbca.database.endEntities.has(endEntity.username);
  const right = exists ? 'edit_end_entity' : 'create_end_entity';
  administrator.require(`/ra_functionality/${right}`);
  administrator.require(`/endentityprofilesrules/${endEntity.endEntityProfile}/${right}`);
  const profile = ejbca.database.endEntityProfiles.get(endEntity.endEntityProfile);
  if (profile === undefined) throw refusals.unknownEndEntityProfile(endEntity.endEntityProfile);
  const { certificateProfile, certificationAuthority } = endEntity;
  if (profile.certificateProfiles?.includes(certificateProfile) === false) {
    throw refusals.certificateProfileNotAllowed(certificateProfile);
  }
  if (profile.certificationAuthorities?.includes(certificationAuthority) === false) {
    throw refusals.certificationAuthorityNotAllowed(certificationAuthority);
  }
  const subjectFields = partsOf(endEntity.subjectDn).map(({ symbol }) => symbol);
  const surplusField = surplus(subjectFields, profile.subject);
  if (surplusField !== undefined) throw refusals.wrongNumberOfSubjectFields(surplusField);
  const surplusName = surplus(kindsIn(endEntity.subjectAltName), profile.alternativeNames);
  if (surplusName !== undefined) throw refusals.wrongNumberOfAlternativeNames(surplusName.toUpperCase());
}

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
 * Issues for an end entity and keeps it as GENERATED. The subject is the end entity's, never the CSR's. What is
 * refused changes nothing.
 */
export async function issueTo(
  ejbca: Ejbca,
  endEntity: EndEntity,
  request: RequestedCertificate,
  requested: RequestedValidity = { notBefore: undefined, notAfter: undefined },
): Promise<IssuedCertificate> {
  const { database } = ejbca;
  const ca = database.certificationAuthorities.get(endEntity.certificationAuthority);
  if (ca === undefined) throw refusals.unknownCertificationAuthority(endEntity.certificationAuthority);
  const profile = requireCertificateProfile(ejbca, endEntity.certificateProfile);
  checkActive(ca);
  const unfit = unfitKey(request, profile);
  if (unfit !== undefined) throw refusals.illegalKey(unfit);
  checkUnique(ejbca, ca, endEntity, request);
  const { subjectDn, subjectAltName, username } = endEntity;
  const { notBefore, notAfter } = validity(profile, requested);
  const { der, serialNumber } = await issueCertificate(ca.authority, {
    subject: nameFromDn(subjectDn, ca.order),
    alternativeNames: generalNamesFrom(subjectAltName),
    spki: request.spki,
    notBefore,
    notAfter,
    extendedKeyUsage: profile.extendedKeyUsage,
  });
  const issued: IssuedCertificate = {
    der,
    serialNumber: BigInt(`0x${serialNumber}`).toString(16).toUpperCase(),
    issuerDn: ca.dn,
    subjectDn,
    subjectAltName,
    username,
    certificationAuthority: ca.name,
    certificateProfile: profile.name,
    endEntityProfile: endEntity.endEntityProfile,
    accountBindingId: endEntity.accountBindingId,
    notBefore,
    notAfter,
    issuedAt: new Date(),
    keyHash: request.keyHash,
    revocation: undefined,
  };
  database.certificates.push(issued);
  database.endEntities.set(username, { ...endEntity, status: 'GENERATED' });
  return issued;
}

/** Refuses (503) when the CA cannot sign. */
export function checkActive({ status, dn }: CertificationAuthority): void {
  if (status === 'offline') throw refusals.certificationAuthorityNotActive(dn);
  if (status === 'token offline') throw refusals.deviceUnavailable();
}

function checkUnique(
  { database }: Ejbca,
  ca: CertificationAuthority,
  { username, subjectDn }: EndEntity,
  { keyHash }: RequestedCertificate,
): void {
  const ofOthers = database.certificates.filter(
    (certificate) => certificate.certificationAuthority === ca.name && certificate.username !== username,
  );
  const sameSubject = ofOthers.find((certificate) => certificate.subjectDn === subjectDn);
  if (ca.enforceUniqueDistinguishedName && sameSubject !== undefined) {
    throw refusals.subjectOfAnotherUser(username, sameSubject.username);
  }
  if (ca.enforceUniquePublicKeys && ofOthers.some((certificate) => certificate.keyHash === keyHash)) {
    throw refusals.keyOfAnotherUser(username);
  }
}

const day = 86_400_000;

/** What a request asks for counts only where the profile allows it, and never beyond the profile's own limit. */
function validity(
  profile: CertificateProfile,
  { notBefore, notAfter }: RequestedValidity,
): { readonly notBefore: Date; readonly notAfter: Date } {
  const begin = new Date(Math.floor(Date.now() / 1000) * 1000 - 600_000);
  const end = new Date(begin.getTime() + profile.validityDays * day);
  if (!profile.allowValidityOverride) return { notBefore: begin, notAfter: end };
  return {
    notBefore: notBefore ?? begin,
    notAfter: notAfter !== undefined && notAfter < end ? notAfter : end,
  };
}

/** Refuses unless the end entity waits for its certificate and the code is right; status first, as EJBCA does. */
export function authenticateEndEntity(ejbca: Ejbca, username: string, password: string): EndEntity {
  const endEntity = ejbca.database.endEntities.get(username);
  if (endEntity === undefined) throw refusals.wrongUsernameOrPassword();
  const { status } = endEntity;
  if (status !== 'NEW' && status !== 'FAILED' && status !== 'INPROCESS') {
    throw refusals.wrongStatus(status, endEntityStatuses[status], username);
  }
  if (endEntity.password !== password) throw refusals.invalidPassword(username);
  return endEntity;
}

/** Keeps what shall happen until an administrator decides. */
export function putUpForApproval(
  { database }: Ejbca,
  username: string,
  execute: () => void | Promise<void>,
): WaitingForApproval {
  const id = 1_000_000 + database.approvalRequests.size + 1;
  database.approvalRequests.set(id, { id, state: 'waiting', execute, username });
  return new WaitingForApproval(id);
}
