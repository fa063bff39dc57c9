import { EstError } from '../../errors.ts';
import type { NameChange } from '../../pkix/name-changes.ts';
import type { CertificationAuthority, EnrollmentRequest, EnrollmentResult, NamesToCertify } from '../ca.ts';
import { statusByRecord } from '../record.ts';
import { readCertificate } from '../../pkix/certificate.ts';
import type { EnrollmentAnswer, IssuedAnswer } from './calls.ts';
import type { CaPublications } from './certification-authorities.ts';
import { refuseChangedAltNames, refuseChangedSubject, refuseChangedUsername } from './changed-names.ts';
import { usernameIn } from './client-mode.ts';
import { subjectAltNameText } from './enrollment/end-entity-names.ts';
import { enrollByCode } from './enrollment/enrollment-by-code.ts';
import { findEndEntity, type EnrollmentParts } from './enrollment/enrollment-parts.ts';
import { targetOf, type TargetParts } from './enrollment/target.ts';
import { enrollInOneStep } from './enrollment/one-step-enrollment.ts';
import {
  enrollApproved,
  referenceTo,
  registrationIn,
  type WaitingRegistration,
} from './enrollment/approved-enrollment.ts';
import { enrollRegistered, type Target } from './enrollment/registered-enrollment.ts';
import type { SingleIssuance } from './enrollment/single-issuance.ts';
import { generateUsername } from './name-generation.ts';
import { changesOfRegistered } from './registered-names.ts';
import { nameOfReason } from './revocation-reasons.ts';

/** What a CA of EJBCA is made of for an alias. */
export interface AuthorityParts extends EnrollmentParts, TargetParts {
  readonly publications: CaPublications;
  /** Seconds after which a client whose request waits for approval shall ask again. */
  readonly retryAfter: number;
  /** Seconds that all that is asked for one enrolment may take. */
  readonly deadline: number;
  /** Whether EJBCA registers end entities for the gateway. */
  readonly canRegister: (signal: AbortSignal) => Promise<boolean>;
  readonly singleIssuance: SingleIssuance;
  /** Whether the gateway can look up registered end entities. */
  readonly canLookUp: (signal: AbortSignal) => Promise<boolean>;
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

    async revoke({ serialNumber }, reason, signal) {
      try {
        await calls.revoke(dn, serialNumber, nameOfReason(reason), signal);
      } catch (error) {
        // An earlier call may have revoked it whose answer was lost.
        const status = await calls.certificateStatus(dn, serialNumber, signal).catch(() => undefined);
        if (typeof status !== 'object') throw error;
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
    return await parts.turns.run(turn, async () => {
      const canLookUp = await parts.canLookUp(signal);
      const answer = await enrollByCode(parts, request, claim, signal);
      if (!canLookUp) return answer;
      return await comparedWithRegistered(parts, request, claim.username, answer, signal);
    });
  }
  const { target, profiles } = await targetOf(parts, request, signal);
  const turn = { username: target.username, record, keepOnDoubt: false, signal };
  return await parts.turns.run(turn, async () => {
    if (profiles === undefined) return await inTwoSteps(parts, request, target, signal);
    if (await isRegistrable(parts, request, signal)) {
      try {
        return await inTwoSteps(parts, request, target, signal);
      } catch (error) {
        if (!parts.singleIssuance.deniedBy(error)) throw error;
      }
    }
    const endEntity = { username: target.username, ...(await profiles()) };
    return resultOf(parts, await enrollInOneStep(parts, request, endEntity, signal));
  });
}

/** Registers the end entity, and then asks for its certificate. */
async function inTwoSteps(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  target: Target,
  signal: AbortSignal,
): Promise<EnrollmentResult> {
  const answer = await enrollRegistered(parts, request, target, signal);
  if (answer.status === 'issued' && target.withNames) await lookAtIssued(parts, request, target, signal);
  return registrationResult(parts, await comparedForTarget(parts, request, target, answer, signal));
}

/** Seldom; that EJBCA does not answer now is no matter for who has a certificate. */
async function lookAtIssued(
  { singleIssuance, webService }: AuthorityParts,
  { requestId }: EnrollmentRequest,
  { username }: Target,
  signal: AbortSignal,
): Promise<void> {
  if (!singleIssuance.isDue()) return;
  try {
    singleIssuance.learnFrom(await webService.findEndEntity(username, requestId, signal));
  } catch {
    // The log has it.
  }
}

function registrationResult({ retryAfter }: AuthorityParts, answer: EnrollmentAnswer): EnrollmentResult {
  if (answer.status === 'issued') return answer;
  return { status: 'pending', reference: referenceTo(answer.requestId), retryAfter };
}

/** A certificate with the names of the request needs no other comparison. */
async function comparedForTarget(
  parts: AuthorityParts,
  request: EnrollmentRequest,
  { username, withNames }: Target,
  answer: EnrollmentAnswer,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  if (withNames || answer.status !== 'issued') return answer;
  return await comparedWithRegistered(parts, request, username, answer, signal);
}

/** Looks up what the end entity is registered with, now that it has its certificate. */
async function comparedWithRegistered(
  parts: AuthorityParts,
  { requestId }: EnrollmentRequest,
  username: string,
  answer: IssuedAnswer,
  signal: AbortSignal,
): Promise<IssuedAnswer> {
  const registered = await findEndEntity(parts, username, requestId, signal);
  if (registered === undefined) return answer;
  const registeredChanges = changesOfRegistered(registered, readCertificate(answer.certificate));
  return { ...answer, registeredChanges };
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
  return await parts.turns.run(turn, async () => {
    const answer = await enrollApproved(parts, request, { target, approval }, signal);
    return await comparedForTarget(parts, request, target, answer, signal);
  });
}

/** Whether the end entity can be registered before its certificate is asked for. */
async function isRegistrable(
  { canRegister, singleIssuance }: AuthorityParts,
  { subjectAltName }: EnrollmentRequest,
  signal: AbortSignal,
): Promise<boolean> {
  if (subjectAltNameText(subjectAltName) === undefined || singleIssuance.isDenied()) return false;
  return await canRegister(signal);
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
