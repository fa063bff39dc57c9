import { EstError } from '../../../errors.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import { outcomeOf } from '../refusal.ts';
import type { EnrollmentParts } from './enrollment-parts.ts';
import type { RequestOutcome } from './exactly-once.ts';

/** By which an end entity gets a certificate. */
interface EndEntityCredentials {
  readonly username: string;
  readonly code: string;
}

/** Asks for the certificate of a registered end entity, and tells refusals that say something about its state from others. */
export async function requestCertificate(
  { calls, settings: { certificateAuthority } }: Pick<EnrollmentParts, 'calls' | 'settings'>,
  { requestId, csr }: Pick<EnrollmentRequest, 'requestId' | 'csr'>,
  credentials: EndEntityCredentials,
  signal: AbortSignal,
): Promise<RequestOutcome<Buffer>> {
  const call = { requestId, csr: csr.der, certificateAuthority, ...credentials };
  try {
    const answer = await calls.certificateRequest(call, signal);
    if (answer.status === 'issued') return { state: 'issued', certificate: answer.certificate };
  } catch (error) {
    const outcome = stateIn(error);
    if (outcome === undefined) throw error;
    return outcome;
  }
  throw new EstError(
    'rejected_by_ca',
    'The CA decides on this request later, and does not say how to ask again.',
  );
}

function stateIn(error: unknown): RequestOutcome<Buffer> | undefined {
  switch (outcomeOf(error)) {
    case 'alreadyIssued':
    case 'wrongStatus':
      return { state: 'alreadyIssued' };
    case 'wrongPassword':
    case 'unknownEndEntity':
      return { state: 'registeredAnew' };
    case 'lostRace':
      return { state: 'lostRace' };
    case 'revoked':
      return { state: 'revoked' };
    case 'conflict':
    case 'waitsForApproval':
    case 'approvalExists':
    case 'makesPasswords':
    case undefined:
      return undefined;
  }
}
