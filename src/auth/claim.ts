import { EstError } from '../errors.ts';
import type { ClientIdentity, EnrollmentCodes } from '../identity.ts';
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
