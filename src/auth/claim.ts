import { EstError, toEstError } from '../errors.ts';
import type { ClientIdentity, EnrollmentClaim, EnrollmentCodes } from '../identity.ts';
import type { Attempts } from './attempts/attempts.ts';
import { basicChallenge, readBasicCredentials } from './basic.ts';
import type { Authentication } from './index.ts';

/**
 * For an alias whose CA checks enrolment codes itself. Nothing is believed here: with HTTP Basic (RFC 7617) the identity
 * has what the client claims, and else nothing before the CSR is read.
 */
export function createClaimAuthentication(alias: string, { place }: EnrollmentCodes): Authentication {
  return async function claim({ authorization }) {
    const credentials = place === 'basic' ? readBasicCredentials(authorization ?? '') : undefined;
    if (place === 'basic' && credentials === undefined) throw credentialsMissing(alias);
    return await Promise.resolve(claimedBy(alias, credentials));
  };
}

/** Asks the CA with a claim, for a client at an address. Throws `too_many_requests` after too many wrong codes. */
export type ClaimGuard = <Outcome extends { readonly status: 'issued' | 'pending' }>(
  claim: EnrollmentClaim,
  address: string | undefined,
  ask: () => Promise<Outcome>,
) => Promise<Outcome>;

/** The CA alone knows whether a code is right; who guesses is held off here. */
export function createClaimGuard(alias: string, attempts: Attempts): ClaimGuard {
  return async function guard({ username: name, code }, address, ask) {
    const verdict = await attempts.run({ alias, address, name, code }, async () => {
      try {
        const outcome = await ask();
        // Who waits may wait for another request with the same code, which nobody has checked yet.
        return { state: outcome.status === 'issued' ? 'proved' : 'unfinished', outcome } as const;
      } catch (thrown) {
        const error = toEstError(thrown);
        if (!isWrongCode(error)) throw error;
        return { state: 'wrong', error } as const;
      }
    });
    if (verdict.state === 'wrong') throw verdict.error;
    return verdict.outcome;
  };
}

function isWrongCode({ code }: EstError): boolean {
  return code === 'wrong_enrollment_code' || code === 'wrong_enrollment_code_in_csr';
}

function claimedBy(alias: string, credentials: ReturnType<typeof readBasicCredentials>): ClientIdentity {
  const nobody = { key: 'claim', description: 'not known yet', user: undefined, certificate: undefined };
  if (credentials === undefined) return nobody;
  const { name: username, code } = credentials;
  return {
    ...nobody,
    description: `${username} (not verified here)`,
    claim: { username, code, challenge: basicChallenge(alias) },
  };
}

function credentialsMissing(alias: string): EstError {
  return new EstError(
    'unauthenticated',
    'Authentication is required here: the user name and the enrolment code of the CA (HTTP Basic).',
    { headers: basicChallenge(alias) },
  );
}
