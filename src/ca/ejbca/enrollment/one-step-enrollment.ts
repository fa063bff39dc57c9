import type { EnrollmentRequest } from '../../ca.ts';
import type { RecordOption } from '../../record.ts';
import type { EnrollmentAnswer, Profiles } from '../calls.ts';
import {
  inDoubt,
  mayBeUnderWay,
  newPassword,
  searchForRequest,
  type EnrollmentParts,
} from './enrollment-parts.ts';
import { searchFailed } from './exactly-once.ts';
import { endingAttempts } from './registered-enrollment.ts';

/**
 * Registers the end entity and issues to it in one call, where the two steps of `enrollRegistered` are not to be had. EJBCA
 * issues as often as it is asked, so that after a lost answer nothing is asked again before its transaction must have ended.
 */
export async function enrollInOneStep(
  parts: EnrollmentParts & { readonly record: RecordOption },
  request: EnrollmentRequest,
  endEntity: Profiles & { readonly username: string },
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { calls, attempts, settings } = parts;
  const { requestId, csr, idempotencyKey: record, attemptedSince: since } = request;
  const { username } = endEntity;
  if (since !== undefined) {
    const latest = await attempts.latest(record);
    const wait = latest === undefined ? 0 : mayBeUnderWay(parts, latest);
    const result = await searchForRequest(parts, { username, withNames: true, request, since }, signal);
    if (result.state === 'found') return { status: 'issued', certificate: result.certificate };
    if (wait > 0) throw inDoubt(wait);
    // Where EJBCA keeps no certificates, none will ever be shown.
    if (result.state === 'unknown' && parts.record === 'complete') throw searchFailed();
  }
  const password = newPassword();
  await attempts.begin(record, { username, password: '', before: '{}' }, new Date());
  const call = { ...endEntity, requestId, csr: csr.der, password };
  const { certificateAuthority } = settings;
  return await endingAttempts(parts, record, calls.pkcs10Enroll({ ...call, certificateAuthority }, signal));
}
