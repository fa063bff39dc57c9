/** How EJBCA issues certificates, whichever interface asks. */
import { createHash } from 'node:crypto';
import { generalNamesFrom } from '../alternative-names.ts';
import { issueCertificate, type CertificateContents } from '../authority.ts';
import type { RequestedCertificate } from '../certification-request.ts';
import { nameFromDn } from '../distinguished-name.ts';
import { oids } from '../../../../src/pkix/oids.ts';
import { refusals } from '../refusal.ts';
import { isAtLeast, since, type Release } from '../version.ts';
import {
  endEntityStatuses,
  wholeSecond,
  type CertificateProfile,
  type CertificationAuthority,
  type Database,
  type EndEntity,
  type IssuedCertificate,
} from './database.ts';
import {
  examined,
  needsApproval,
  requireCa,
  requireCertificateProfile,
  requireView,
  usernameFrom,
  type Operation,
  type Registration,
} from './registration.ts';
import { begin, type Transaction } from './transaction.ts';

/** Validity that a request asks for. */
export interface RequestedValidity {
  readonly notBefore: Date | undefined;
  readonly notAfter: Date | undefined;
}

const noValidity: RequestedValidity = { notBefore: undefined, notAfter: undefined };

/**
 * POST pkcs10enroll: adds the end entity, or changes it when its name exists, and issues at once, all of it in one
 * transaction that no other one on the same end entity makes fail. Throws a Refusal.
 */
export async function pkcs10Enroll(
  operation: Operation,
  registration: Registration,
  request: RequestedCertificate,
  validity = noValidity,
): Promise<IssuedCertificate> {
  const { ejbca, administrator, pause } = operation;
  await pause('before the end entity');
  const transaction = begin(ejbca.database, 'last one wins');
  const endEntity = examined(operation, transaction.endEntity(registration.username), registration);
  if (needsApproval(ejbca, registration.certificationAuthority, registration.certificateProfile)) {
    const ca = requireCa(ejbca, registration.certificationAuthority);
    throw refusals.approvalsEnabled(
      ca.id,
      requireCertificateProfile(ejbca, registration.certificateProfile).id,
    );
  }
  await pause('after the end entity');
  administrator.require('/ca_functionality/create_certificate');
  return await issue(operation, transaction, endEntity, request, validity);
}

/** What certificaterequest takes beside the CSR. */
export interface EndEntityCredentials {
  readonly username: string;
  readonly password: string;
}

/**
 * POST certificaterequest: issues to an end entity that is registered, under its registered names, in a transaction that
 * fails with `General failure.` when another one has changed the end entity since it was read. Throws a Refusal.
 */
export async function certificateRequest(
  operation: Operation,
  { username, password }: EndEntityCredentials,
  request: RequestedCertificate,
): Promise<IssuedCertificate> {
  const { ejbca, administrator, pause } = operation;
  await pause('before the end entity');
  const transaction = begin(ejbca.database);
  const endEntity = transaction.endEntity(usernameFrom(username));
  if (endEntity === undefined) throw refusals.wrongUsernameOrPassword();
  requireView(operation, endEntity);
  const { status } = endEntity;
  if (status !== 'NEW' && status !== 'FAILED' && status !== 'INPROCESS') {
    throw refusals.wrongStatus(status, endEntityStatuses[status], endEntity.username);
  }
  if (endEntity.password !== password) throw refusals.invalidPassword(endEntity.username);
  if (endEntity.token !== 'USERGENERATED') throw refusals.wrongTokenType();
  await pause('after the end entity');
  if (!administrator.isAuthorized('/ca_functionality/create_certificate')) {
    const ca = requireCa(ejbca, endEntity.certificationAuthority);
    throw refusals.notAuthorizedToCreate(administrator.name, ca.id);
  }
  return await issue(operation, transaction, endEntity, request, noValidity);
}

/** Issues to an end entity that EJBCA has authenticated otherwise, such as for a key store. */
export async function issueTo(
  operation: Operation,
  username: string,
  request: RequestedCertificate,
): Promise<IssuedCertificate> {
  const transaction = begin(operation.ejbca.database);
  const endEntity = transaction.endEntity(username);
  if (endEntity === undefined) throw refusals.unknownEndEntity(username);
  return await issue(operation, transaction, endEntity, request, noValidity);
}

/** Issues, makes the end entity GENERATED, and commits. */
async function issue(
  { ejbca, pause }: Operation,
  transaction: Transaction,
  endEntity: Omit<EndEntity, 'rowVersion'>,
  request: RequestedCertificate,
  requested: RequestedValidity,
): Promise<IssuedCertificate> {
  const { database } = ejbca;
  const ca = requireCa(ejbca, endEntity.certificationAuthority);
  const profile = requireCertificateProfile(ejbca, endEntity.certificateProfile);
  checkActive(ca);
  checkSupported(request, ejbca.release);
  if (!request.isProven) throw refusals.wrongProof();
  checkKey(request, profile);
  checkUnique(database, ca, endEntity, request);
  const issued = await sign(database, ca, endEntity, request, validity(database, profile, requested));
  transaction.add(issued);
  transaction.save({ ...endEntity, ...afterIssuing(ca, endEntity) });
  await pause('before the commit');
  transaction.commit();
  await pause('after the commit');
  return issued;
}

/** Refuses when the CA cannot sign. */
export function checkActive({ status, dn }: CertificationAuthority): void {
  if (status === 'token offline') throw refusals.tokenOffline(dn);
  if (status !== 'active') throw refusals.certificationAuthorityNotActive(dn);
}

/** An older version has no means to read such a key. */
function checkSupported({ keyType }: RequestedCertificate, release: Release): void {
  const algorithm = mlDsa.get(keyType);
  if (algorithm !== undefined && !isAtLeast(release, since.mlDsa)) {
    throw refusals.unsupportedAlgorithm(algorithm);
  }
}

const mlDsa = new Map<string, string>([
  ['ML-DSA-44', oids.mlDsa44],
  ['ML-DSA-65', oids.mlDsa65],
  ['ML-DSA-87', oids.mlDsa87],
]);

function checkKey({ keyType, keyBits }: RequestedCertificate, profile: CertificateProfile): void {
  const algorithm = keyType.startsWith('P-') ? 'ECDSA' : keyType;
  if (!profile.keyAlgorithms.some((allowed) => allowed === algorithm)) {
    throw refusals.illegalKeyAlgorithm(algorithm);
  }
  if (algorithm === 'ECDSA' && !profile.curves.includes(keyType)) {
    throw refusals.illegalCurve(curves.get(keyType) ?? keyType);
  }
  if (algorithm === 'RSA' && !profile.bitLengths.includes(keyBits)) throw refusals.illegalKeyLength(keyBits);
}

/** As Java names them. */
const curves = new Map<string, string>([
  ['P-256', 'prime256v1'],
  ['P-384', 'secp384r1'],
  ['P-521', 'secp521r1'],
]);

function checkUnique(
  { certificates }: Database,
  ca: CertificationAuthority,
  { username, subjectDn }: Pick<EndEntity, 'username' | 'subjectDn'>,
  { keyHash }: RequestedCertificate,
): void {
  const ofOthers = certificates.filter(
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

/** EJBCA lets certificates begin ten minutes early, but not before the CA's own. */
const headStart = 600_000;

/** What a request asks for counts only where the profile allows it, and never beyond the profile's own limit. */
function validity(
  database: Database,
  profile: CertificateProfile,
  { notBefore, notAfter }: RequestedValidity,
): { readonly notBefore: Date; readonly notAfter: Date } {
  const begins = new Date(wholeSecond(database).getTime() - headStart);
  const ends = new Date(begins.getTime() + profile.validityDays * day);
  if (!profile.allowValidityOverride) return { notBefore: begins, notAfter: ends };
  return {
    notBefore: notBefore ?? begins,
    notAfter: notAfter !== undefined && notAfter < ends ? notAfter : ends,
  };
}

async function sign(
  database: Database,
  ca: CertificationAuthority,
  endEntity: Omit<EndEntity, 'rowVersion'>,
  request: RequestedCertificate,
  period: { readonly notBefore: Date; readonly notAfter: Date },
): Promise<IssuedCertificate> {
  const { subjectAltName } = endEntity;
  const profile = database.certificateProfiles.get(endEntity.certificateProfile);
  const subjectDn = withPostfix(endEntity.subjectDn, profile?.commonNamePostfix ?? '');
  const crlPartition = partitionOf(ca, request);
  const contents: CertificateContents = {
    subject: nameFromDn(subjectDn, ca.order),
    alternativeNames: generalNamesFrom(subjectAltName),
    isAlternativeNameCritical: profile?.isAlternativeNameCritical === true,
    spki: request.spki,
    ...period,
    extendedKeyUsage: profile?.extendedKeyUsage ?? [],
    crlDistributionPoint: distributionPoint(ca, crlPartition ?? 0),
  };
  const { der, serialNumber, notBefore, notAfter } = await issueCertificate(ca.authority, contents);
  return {
    der,
    serialNumber: BigInt(`0x${serialNumber}`).toString(16).toUpperCase(),
    issuerDn: ca.dn,
    subjectDn,
    subjectAltName,
    username: endEntity.username,
    certificationAuthority: ca.name,
    certificateProfile: endEntity.certificateProfile,
    endEntityProfile: endEntity.endEntityProfile,
    accountBindingId: endEntity.accountBindingId,
    notBefore,
    notAfter,
    certificateRequest: request.der,
    crlPartition,
    updatedAt: new Date(database.clock()),
    keyHash: request.keyHash,
    revocation: undefined,
  };
}

function withPostfix(dn: string, postfix: string): string {
  return dn.replace(/(?<=^|,)CN=(?:[^,\\]|\\.)*/, (commonName) => `${commonName}${postfix}`);
}

/** The URL that certificates of a partition name; partition 0 has no number. */
function distributionPoint(
  { crlDistributionPoint }: CertificationAuthority,
  partition: number,
): string | undefined {
  return crlDistributionPoint?.replace('*', partition === 0 ? '' : String(partition));
}

/** EJBCA draws lots; here the key decides, so that the same happens each time. */
function partitionOf(
  { crlPartitions }: CertificationAuthority,
  { spki }: RequestedCertificate,
): number | undefined {
  if (crlPartitions === 0) return undefined;
  return 1 + (createHash('sha256').update(spki).digest().readUInt32BE() % crlPartitions);
}

/** An end entity is used up by as many certificates as were allowed, unless its CA leaves it as it is. */
function afterIssuing(
  { finishesUser }: CertificationAuthority,
  { remainingRequests, status }: Omit<EndEntity, 'rowVersion'>,
): Pick<EndEntity, 'status' | 'remainingRequests'> {
  if (!finishesUser) return { status, remainingRequests };
  const remaining = remainingRequests - 1;
  return { status: remaining > 0 ? status : 'GENERATED', remainingRequests: Math.max(remaining, 0) };
}
