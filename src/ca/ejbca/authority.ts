import { EstError } from '../../errors.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import { generalNamesEqual } from '../../pkix/general-names.ts';
import type { NameChange } from '../../pkix/name-changes.ts';
import { namesEqual } from '../../pkix/names.ts';
import type { CertificationAuthority, EnrollmentRequest, EnrollmentResult, NamesToCertify } from '../ca.ts';
import { statusByRecord, type RecordOption } from '../record.ts';
import type { EjbcaAliasSettings } from './alias-settings.ts';
import type { EjbcaCalls, EnrollmentAnswer, Profiles } from './calls.ts';
import type { CaPublications } from './certification-authorities.ts';
import { refuseChangedAltNames, refuseChangedSubject, refuseChangedUsername } from './changed-names.ts';
import { usernameIn } from './client-mode.ts';
import { subjectAltNameText, subjectText } from './enrollment/end-entity-names.ts';
import { enrollByCode } from './enrollment/enrollment-by-code.ts';
import type { EnrollmentParts } from './enrollment/enrollment-parts.ts';
import { enrollInOneStep } from './enrollment/one-step-enrollment.ts';
import {
  enrollApproved,
  referenceTo,
  registrationIn,
  type WaitingRegistration,
} from './enrollment/approved-enrollment.ts';
import { enrollRegistered, type Target } from './enrollment/registered-enrollment.ts';
import { generateUsername } from './name-generation.ts';
import type { VendorMode } from './vendor-mode.ts';
import { newEndEntity, type RegisteredEndEntity } from './web-service.ts';
import { nameOfReason } from './revocation-reasons.ts';

/** What a CA of EJBCA is made of for an alias. */
export interface AuthorityParts extends EnrollmentParts {
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
  /** Whether EJBCA registers end entities for the gateway. */
  readonly canRegister: (signal: AbortSignal) => Promise<boolean>;
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

    nameChanges: (names) => changesByMode(parts, names),

    caCertificates: async (signal) => await publications.chain(signal),

    async enroll(request, signal) {
      const { idempotencyKey } = request;
      const result = underWay.get(idempotencyKey) ?? enroll(parts, request, signal);
      underWay.set(idempotencyKey, result);
      return await result.finally(() => underWay.delete(idempotencyKey));
    },

    async resume(reference, request, signal) {
      const registration = registrationIn(reference);
      const answer =
        registration === undefined
          ? await calls.finalize(Number(reference), request.requestId, signal)
          : await resumeRegistration(parts, request, registration, signal);
      // Older versions do not repeat the id.
      if (answer.status === 'waiting') return { status: 'pending', reference, retryAfter: parts.retryAfter };
      return answer;
    },

    async certificateStatus({ serialNumber }, signal) {
      return statusByRecord(await calls.certificateStatus(dn, serialNumber, signal), parts.record);
    },

    revocationOf: async ({ serialNumber }, signal) => await calls.revocationOf(dn, serialNumber, signal),

    async revoke({ serialNumber }, reason, signal) {
      try {
        await calls.revoke(dn, serialNumber, nameOfReason(reason), signal);
      } catch (error) {
        // An earlier call may have revoked it whose answer was lost.
        const status = await calls.certificateStatus(dn, serialNumber, signal).catch(() => undefined);
        if (status !== 'revoked') throw error;
      }
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

/**
 * EJBCA has an order of its own for the parts of a subject. A first certificate in client mode has the registered names; in
 * vendor mode the registered subject has been compared with the one asked for, unless there was none.
 */
function changesByMode(
  { vendorMode }: AuthorityParts,
  { identity, renewed, subject }: NamesToCertify,
): readonly NameChange[] {
  if (identity.claim !== undefined) return ['replacedSubject', 'replacedSubjectAltNames'];
  if (vendorMode === undefined || renewed !== undefined) return ['reorderedSubject'];
  return [subject.rdns.length === 0 ? 'replacedSubject' : 'reorderedSubject', 'replacedSubjectAltNames'];
}

async function enroll(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const { claim } = request.identity;
  const record = request.idempotencyKey;
  if (claim !== undefined) {
    const turn = { username: claim.username, record, keepOnDoubt: true, signal };
    return await parts.turns.run(turn, async () => await enrollByCode(parts, request, claim, signal));
  }
  const { target, profiles } = await targetOf(parts, request, signal);
  const turn = { username: target.username, record, keepOnDoubt: false, signal };
  return await parts.turns.run(turn, async () => {
    if (profiles === undefined || (await isRegistrable(parts, request, target, signal))) {
      return registrationResult(parts, await enrollRegistered(parts, request, target, signal));
    }
    const endEntity = { username: target.username, ...(await profiles()) };
    return resultOf(parts, await enrollInOneStep(parts, request, endEntity, signal));
  });
}

function registrationResult({ retryAfter }: AuthorityParts, answer: EnrollmentAnswer): EnrollmentResult {
  if (answer.status === 'issued') return answer;
  return { status: 'pending', reference: referenceTo(answer.requestId), retryAfter };
}

/** What has become of a registration that waited. */
async function resumeRegistration(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  { approval }: WaitingRegistration,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { target } = await targetOf(parts, request, signal);
  const turn = { username: target.username, record: request.idempotencyKey, keepOnDoubt: false, signal };
  return await parts.turns.run(
    turn,
    async () => await enrollApproved(parts, request, { target, approval }, signal),
  );
}

/** What EJBCA's findUser does not take in a user name (IllegalQueryException), though an end entity may have it. */
const notLookedUp = /["&|]/;

/** Whether the end entity can be registered before its certificate is asked for. */
async function isRegistrable(
  { canRegister }: AuthorityParts,
  { subjectAltName }: EnrollmentRequest,
  { username }: Target,
  signal: AbortSignal,
): Promise<boolean> {
  return (
    !notLookedUp.test(username) &&
    subjectAltNameText(subjectAltName) !== undefined &&
    (await canRegister(signal))
  );
}

interface EndEntityOfRequest {
  readonly target: Target;
  /** For one step; undefined: only one that is registered gets the certificate. */
  readonly profiles: (() => Promise<Profiles>) | undefined;
}

async function targetOf(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { vendorMode, settings } = parts;
  if (vendorMode !== undefined && request.renewed === undefined) {
    return { target: await vendorMode.targetOf(request), profiles: undefined };
  }
  refuseOtherNames(request);
  return settings.operationMode === 'ra'
    ? await targetInRaMode(parts, request, signal)
    : await targetOfRenewal(parts, request, signal);
}

/** EJBCA takes the names from the CSR, so that it can certify no others. */
function refuseOtherNames({ csr, subject, subjectAltName }: EnrollmentRequest): void {
  if (namesEqual(csr.subject, subject) && generalNamesEqual(csr.subjectAltName ?? [], subjectAltName)) return;
  throw new EstError('rejected_by_ca', 'The CA certifies only the names that stand in the CSR itself.');
}

/** The one that has the certificate which is renewed; else one whose name is made as the alias says. */
async function targetInRaMode(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { calls, settings, record } = parts;
  const { renewed, csr, idempotencyKey } = request;
  const holder = renewed && (await holderOf(calls, renewed, signal));
  if (renewed !== undefined && holder === undefined && record === 'complete') throw holderNotShown();
  const username = holder ?? generateUsername(settings.nameGeneration, csr.subject, idempotencyKey);
  return {
    target: {
      username,
      withNames: true,
      onlyWhenNew: false,
      toRegister: (existing) => ({ ...existing, username, ...fieldsOf(settings, request, settings) }),
    },
    profiles: async () => await Promise.resolve(settings),
  };
}

/** The one that has the certificate which is renewed, with the profiles that it has. */
async function targetOfRenewal(
  { calls, settings }: AuthorityParts,
  request: EnrollmentRequest,
  signal: AbortSignal,
): Promise<EndEntityOfRequest> {
  const { renewed } = request;
  const username = renewed && (await holderOf(calls, renewed, signal));
  if (renewed === undefined || username === undefined) throw unknownCertificate();
  return {
    target: {
      username,
      withNames: true,
      onlyWhenNew: false,
      toRegister(existing) {
        if (existing?.status === newEndEntity) throw codeWaits();
        const { certificateProfileName = settings.certificateProfile } = existing ?? {};
        const { endEntityProfileName = settings.endEntityProfile } = existing ?? {};
        const profiles = {
          certificateProfile: certificateProfileName,
          endEntityProfile: endEntityProfileName,
        };
        return { ...existing, username, ...fieldsOf(settings, request, profiles) };
      },
    },
    profiles: async () => (await calls.profilesOf(renewed, signal)) ?? settings,
  };
}

/** With the names of the request, for a key of the client's own. */
function fieldsOf(
  { certificateAuthority }: EjbcaAliasSettings,
  { subject, subjectAltName }: EnrollmentRequest,
  { certificateProfile, endEntityProfile }: Profiles,
): Omit<RegisteredEndEntity, 'username' | 'status'> {
  return {
    caName: certificateAuthority,
    certificateProfileName: certificateProfile,
    endEntityProfileName: endEntityProfile,
    subjectDN: subjectText(subject),
    subjectAltName: subjectAltNameText(subjectAltName) ?? '',
    tokenType: 'USERGENERATED',
  };
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

/** Seconds after which EJBCA may show what it must have. */
const retryWhenHidden = 30;

function holderNotShown(): EstError {
  return new EstError(
    'ca_unavailable',
    'EJBCA does not show to whom it has issued the certificate that is to be renewed.',
    { retryAfter: retryWhenHidden },
  );
}

/** Another registration would take the place of its code. */
function codeWaits(): EstError {
  return new EstError(
    'rejected_by_ca',
    'The end entity waits at the CA for an enrolment by its code; enrol with the code in place of a renewal.',
  );
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
