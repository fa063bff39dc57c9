import { randomBytes } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { EnrollmentClaim } from '../../identity.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { generalNamesEqual } from '../../pkix/general-names.ts';
import { namesEqual, sameAttributes } from '../../pkix/names.ts';
import type { CertificationAuthority, EnrollmentRequest, EnrollmentResult, NamesToCertify } from '../ca.ts';
import { statusByRecord, type RecordOption } from '../record.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import type { EjbcaCalls, EnrollmentAnswer } from './calls.ts';
import type { CaPublications } from './certification-authorities.ts';
import { refuseChangedAltNames, refuseChangedSubject, refuseChangedUsername } from './changed-names.ts';
import { usernameIn } from './client-mode.ts';
import { generateUsername } from './name-generation.ts';
import type { VendorMode } from './vendor-mode.ts';

/** What a CA of EJBCA is made of for an alias. */
export interface AuthorityParts {
  readonly calls: EjbcaCalls;
  readonly settings: EjbcaAliasSettings;
  /** Of the CA, in EJBCA's writing. */
  readonly dn: string;
  readonly publications: CaPublications;
  /** Seconds after which a client whose request waits for approval shall ask again. */
  readonly retryAfter: number;
  /** Seconds that all that is asked for one enrolment may take. */
  readonly deadline: number;
  readonly record: RecordOption;
  /** Undefined: switched off. */
  readonly vendorMode: VendorMode | undefined;
}

/** A CA of EJBCA as the settings of one alias want it. */
export function createAuthorityForAlias(parts: AuthorityParts): CertificationAuthority {
  const { calls, dn, publications } = parts;
  const underWay = new Map<string, Promise<EnrollmentResult>>();

  return {
    ordersSubject: true,
    deadline: parts.deadline,

    refuseNames: (names) => {
      refuseChangedNames(parts, names);
    },

    caCertificates: async (signal) => await publications.chain(signal),

    async enroll(request, signal) {
      const { idempotencyKey } = request;
      const result = underWay.get(idempotencyKey) ?? enroll(parts, request, signal);
      underWay.set(idempotencyKey, result);
      return await result.finally(() => underWay.delete(idempotencyKey));
    },

    async resume(reference, { requestId }, signal) {
      const answer = await calls.finalize(Number(reference), requestId, signal);
      // Older versions do not repeat the id.
      if (answer.status === 'waiting') return { status: 'pending', reference, retryAfter: parts.retryAfter };
      return answer;
    },

    async certificateStatus({ serialNumber }, signal) {
      return statusByRecord(await calls.certificateStatus(dn, serialNumber, signal), parts.record);
    },

    crl: async (signal, partition = 0) => await publications.crl(partition, signal),
  };
}

/** A registered end entity has names of its own, so that of the client's only the one that finds it counts. */
function refuseChangedNames(
  { settings, vendorMode }: AuthorityParts,
  { identity, renewed, subject, subjectAltName }: NamesToCertify,
): void {
  if (identity.claim !== undefined) {
    refuseChangedUsername(identity.claim.username);
    return;
  }
  if (vendorMode !== undefined && renewed === undefined) {
    const vendorSubject = identity.certificate?.certificate.subject;
    if (vendorSubject !== undefined) refuseChangedUsername(usernameIn(vendorSubject, settings));
    return;
  }
  refuseChangedSubject(subject);
  refuseChangedAltNames(subjectAltName);
  if (settings.operationMode === 'ra' && renewed === undefined) {
    refuseChangedUsername(generateUsername(settings.nameGeneration, subject, ''));
  }
}

async function enroll(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const { claim } = request.identity;
  if (claim !== undefined) return await enrollByCode(parts, request, claim, signal);
  if (parts.vendorMode !== undefined && request.renewed === undefined) {
    return await enrollByVendorCertificate(parts, parts.vendorMode, request, signal);
  }
  refuseOtherNames(request);
  const endEntity =
    parts.settings.operationMode === 'ra'
      ? await endEntityInRaMode(parts, request, signal)
      : await registeredEndEntity(parts, request, signal);
  return await changeAndIssue(parts, request, endEntity, signal);
}

/** EJBCA checks the code, and certifies the names with which the end entity is registered. */
async function enrollByCode(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  claim: EnrollmentClaim,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const { calls, settings } = parts;
  const { username, code } = claim;
  const issued = await findIssued(calls, username, request, signal);
  if (issued !== undefined) return { status: 'issued', certificate: issued.der };
  const { requestId, csr } = request;
  const { certificateAuthority } = settings;
  const call = { requestId, csr: csr.der, username, code, certificateAuthority };
  try {
    return resultOf(parts, await calls.certificateRequest(call, signal));
  } catch (error) {
    throw refusedClaim(error, claim);
  }
}

/** As by a code: EJBCA certifies the names with which the end entity is registered. */
async function enrollByVendorCertificate(
  parts: AuthorityParts,
  vendorMode: VendorMode,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const issued = await findIssued(parts.calls, await vendorMode.usernameOf(request), request, signal);
  if (issued !== undefined) return { status: 'issued', certificate: issued.der };
  return resultOf(parts, await vendorMode.enroll(request, signal));
}

/** 401 where the code came by HTTP; 400 where it stood in the CSR, as EJBCA answers. */
function refusedClaim(error: unknown, { challenge }: EnrollmentClaim): unknown {
  if (!(error instanceof EstError) || error.code !== 'unauthenticated') return error;
  const { message, cause } = error;
  if (challenge === undefined) return new EstError('wrong_enrollment_code_in_csr', message, { cause });
  return new EstError('wrong_enrollment_code', message, { cause, headers: challenge });
}

/** What an end entity is registered with before its certificate is issued. */
interface EndEntity {
  readonly username: string;
  readonly certificateProfile: string;
  readonly endEntityProfile: string;
}

/** The end entity is made, or changed, and gets its certificate, all in one call. */
async function changeAndIssue(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  endEntity: EndEntity,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const { calls, settings } = parts;
  const issued = await findIssued(calls, endEntity.username, request, signal);
  if (issued !== undefined) return { status: 'issued', certificate: issued.der };
  const answer = await calls.pkcs10Enroll(
    {
      ...endEntity,
      requestId: request.requestId,
      csr: request.csr.der,
      password: randomBytes(24).toString('base64url'),
      certificateAuthority: settings.certificateAuthority,
    },
    signal,
  );
  return resultOf(parts, answer);
}

/** EJBCA takes the names from the CSR, so that it can certify no others. */
function refuseOtherNames({ csr, subject, subjectAltName }: EnrollmentRequest): void {
  if (namesEqual(csr.subject, subject) && generalNamesEqual(csr.subjectAltName ?? [], subjectAltName)) return;
  throw new EstError('rejected_by_ca', 'The CA certifies only the names that stand in the CSR itself.');
}

/** The one that has the certificate which is renewed; else one whose name is made as the alias says. */
async function endEntityInRaMode(
  { calls, settings }: AuthorityParts,
  { renewed, csr, idempotencyKey }: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntity> {
  const { nameGeneration, certificateProfile, endEntityProfile } = settings;
  const holder = renewed && (await holderOf(calls, renewed, signal));
  const username = holder ?? generateUsername(nameGeneration, csr.subject, idempotencyKey);
  return { username, certificateProfile, endEntityProfile };
}

/** The one that has the certificate which is renewed, with the profiles that it has. */
async function registeredEndEntity(
  { calls, settings: { certificateProfile, endEntityProfile } }: AuthorityParts,
  { renewed }: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntity> {
  const username = renewed && (await holderOf(calls, renewed, signal));
  if (renewed === undefined || username === undefined) throw unknownCertificate();
  const profiles = await calls.profilesOf(renewed, signal);
  return { username, ...(profiles ?? { certificateProfile, endEntityProfile }) };
}

/**
 * The user name of the end entity to which EJBCA issued the certificate; undefined: EJBCA does not say. Throws
 * `rejected_by_ca` when EJBCA issued another certificate under this serial number.
 */
async function holderOf(
  calls: EjbcaCalls,
  { serialNumber, sha256, issuer }: Certificate,
  signal: AbortSignal,
): Promise<string | undefined> {
  const found = await calls.findCertificates(serialNumber, undefined, signal);
  const holder = found.find(({ certificate }) => certificate.sha256 === sha256);
  const isOfOther = found.some(
    ({ certificate: other }) => other.serialNumber === serialNumber && namesEqual(other.issuer, issuer),
  );
  if (holder === undefined && isOfOther) throw unknownCertificate();
  return holder?.username;
}

function unknownCertificate(): EstError {
  return new EstError('rejected_by_ca', 'The CA does not know the certificate that is to be renewed.');
}

/** Milliseconds by which the clock of EJBCA may be behind the gateway's. */
const clockSkew = 60_000;

/** What an earlier attempt at the same enrolment got, though nobody heard of it. */
async function findIssued(
  calls: EjbcaCalls,
  username: string,
  { csr, identity, attemptedSince }: EnrollmentRequest,
  signal: AbortSignal,
): Promise<Certificate | undefined> {
  if (attemptedSince === undefined) return undefined;
  const since = new Date(attemptedSince.getTime() - clockSkew);
  const found = await calls.findCertificates(username, since, signal);
  return found.find(
    ({ certificate, isRevoked }) =>
      !isRevoked &&
      certificate.spki.equals(csr.publicKey.spki) &&
      // Where the end entity was registered before, the names of the CSR do not count.
      (identity.claim !== undefined ||
        identity.certificate?.trustAnchor === 'implicit' ||
        sameAttributes(certificate.subject, csr.subject)),
  )?.certificate;
}

function resultOf({ retryAfter }: AuthorityParts, answer: EnrollmentAnswer): EnrollmentResult {
  if (answer.status === 'issued') return answer;
  if (answer.requestId === undefined) {
    throw new EstError(
      'rejected_by_ca',
      'The CA decides on this request later, and does not say how to ask again.',
    );
  }
  return { status: 'pending', reference: String(answer.requestId), retryAfter };
}
