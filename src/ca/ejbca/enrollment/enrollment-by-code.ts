import { EstError } from '../../../errors.ts';
import type { EnrollmentClaim } from '../../../identity.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { IssuedAnswer } from '../calls.ts';
import { wrongEnrollmentCode } from '../refusal.ts';
import { searchForRequest, type EnrollmentParts } from './enrollment-parts.ts';
import type { SearchOutcome } from './exactly-once.ts';
import { requestCertificate } from './request-outcome.ts';

/**
 * EJBCA checks the code, and certifies the names with which the end entity is registered. GENERATED
 * says nothing about the code, so that a search answers a repeat alone, which is the same request with the same code.
 */
export async function enrollByCode(
  parts: EnrollmentParts,
  request: EnrollmentRequest,
  claim: EnrollmentClaim,
  signal: AbortSignal,
): Promise<IssuedAnswer> {
  const { attemptedSince: since } = request;
  const search = async (): Promise<SearchOutcome<Buffer> | undefined> =>
    since &&
    (await searchForRequest(parts, { username: claim.username, withNames: false, request, since }, signal));
  const before = await search();
  if (before?.state === 'found') return { status: 'issued', certificate: before.certificate };
  const outcome = await requestTwice(parts, request, claim, signal);
  switch (outcome.state) {
    case 'issued':
      return { status: 'issued', certificate: outcome.certificate };
    case 'registeredAnew':
    case 'revoked':
      throw wrongCode(claim);
    case 'lostRace':
      throw new EstError('ca_unavailable', 'EJBCA fails to issue.', { retryAfter: 10 });
    case 'alreadyIssued': {
      const after = await search();
      if (after?.state === 'found') return { status: 'issued', certificate: after.certificate };
      if (after?.state !== 'unknown') throw wrongCode(claim);
      throw new EstError('ca_unavailable', 'EJBCA does not show the certificate that it has issued.', {
        retryAfter: 30,
      });
    }
  }
}

/** Another request with the same code may be faster: then the state of the end entity says so to who asks once more. */
async function requestTwice(
  parts: EnrollmentParts,
  request: EnrollmentRequest,
  claim: EnrollmentClaim,
  signal: AbortSignal,
): ReturnType<typeof requestCertificate> {
  const outcome = await requestCertificate(parts, request, claim, signal);
  return outcome.state === 'lostRace' ? await requestCertificate(parts, request, claim, signal) : outcome;
}

/** 401 where the code came by HTTP; 400 where it stood in the CSR, as EJBCA answers. */
function wrongCode({ challenge }: EnrollmentClaim): EstError {
  if (challenge === undefined) return new EstError('wrong_enrollment_code_in_csr', wrongEnrollmentCode);
  return new EstError('wrong_enrollment_code', wrongEnrollmentCode, { headers: challenge });
}
