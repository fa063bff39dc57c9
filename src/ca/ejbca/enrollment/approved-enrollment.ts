import { EstError } from '../../../errors.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { EnrollmentAnswer } from '../calls.ts';
import { outcomeOf } from '../refusal.ts';
import { newEndEntity } from '../web-service.ts';
import { findEndEntity, searchForRequest, type EnrollmentParts } from './enrollment-parts.ts';
import { searchFailed } from './exactly-once.ts';
import { endingAttempts, enrollRegistered, type Target } from './registered-enrollment.ts';
import { requestCertificate } from './request-outcome.ts';

/** A registration that waits for a person's decision. */
export interface WaitingRegistration {
  /** Of EJBCA's request for approval; undefined: EJBCA does not say. */
  readonly approval: number | undefined;
}

interface HeldRegistration extends WaitingRegistration {
  readonly target: Target;
}

/** The registration waits, not the request for the certificate, which EJBCA has not heard of yet. */
const prefix = 'registration ';

/** By which the journal finds it again. */
export function referenceTo(approval: number | undefined): string {
  return `${prefix}${approval ?? ''}`;
}

/** Undefined: the reference is to a request for a certificate. */
export function registrationIn(reference: string): WaitingRegistration | undefined {
  if (!reference.startsWith(prefix)) return undefined;
  const approval = reference.slice(prefix.length);
  return { approval: approval === '' ? undefined : Number(approval) };
}

/** Asks for the certificate of an end entity whose registration waited for approval. */
export async function enrollApproved(
  parts: EnrollmentParts,
  request: EnrollmentRequest,
  held: HeldRegistration,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { attempts } = parts;
  const { idempotencyKey: record } = request;
  const latest = await attempts.latest(record);
  if (latest === undefined) return await enrollRegistered(parts, request, held.target, signal);
  const again = { ...request, attemptedSince: request.attemptedSince ?? latest.startedAt };
  return await endingAttempts(
    parts,
    record,
    askAgain(parts, again, { ...held, password: latest.password }, signal),
  );
}

async function askAgain(
  parts: EnrollmentParts,
  request: EnrollmentRequest & { readonly attemptedSince: Date },
  { target, approval, password }: HeldRegistration & { readonly password: string },
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { attemptedSince: since, requestId } = request;
  const { username, withNames } = target;
  const isDecided = approval !== undefined && (await isApproved(parts, request, approval, signal));
  if (approval !== undefined && !isDecided) return stillWaiting(parts, since, approval);
  // Once the registration is in force, nothing that was asked before gets a certificate any more.
  const endEntity = await findEndEntity(parts, username, requestId, signal);
  const result = await searchForRequest(parts, { username, withNames, request, since }, signal);
  if (result.state === 'found') return { status: 'issued', certificate: result.certificate };
  if (endEntity?.status === newEndEntity) {
    if (result.state === 'unknown') throw searchFailed();
    const outcome = await requestCertificate(parts, request, { username, code: password }, signal);
    if (outcome.state === 'issued') return { status: 'issued', certificate: outcome.certificate };
  }
  if (isDecided) return await enrollRegistered(parts, request, target, signal);
  return stillWaiting(parts, since, approval);
}

/** Finalizing a request says what was decided; what cannot be finalized is approved, for it holds no CSR. */
async function isApproved(
  { calls }: EnrollmentParts,
  { requestId }: EnrollmentRequest,
  approval: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await calls.finalize(approval, requestId, signal)).status !== 'waiting';
  } catch (error) {
    if (outcomeOf(error) === 'alreadyIssued') return true;
    if (error instanceof EstError && error.status < 500 && error.code !== 'bad_certification_request') {
      throw error;
    }
    return true;
  }
}

/** EJBCA forgets requests after a time, too. */
function stillWaiting(
  { pendingExpiry }: EnrollmentParts,
  since: Date,
  approval: number | undefined,
): EnrollmentAnswer {
  if (Date.now() - since.getTime() > pendingExpiry * 1000) {
    throw new EstError('rejected_by_ca', 'The CA has not approved the request in time.');
  }
  return { status: 'waiting', requestId: approval };
}
