import { EstError } from '../errors.ts';
import type { ClientIdentity, UserIdentity } from '../identity.ts';
import { attributeValues } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { RequestedContents } from '../pkix/pkcs10.ts';
import type { Credentials } from './auth.ts';
import type { CodeCheck } from './credentials/check.ts';
import { refusedUser } from './tried-user.ts';

/** Gives the user whose code the CSR holds, undefined when it holds none. Throws `forbidden` when it is wrong. */
export type OtpVerifier = (
  csr: RequestedContents,
  identity: ClientIdentity,
  request: { readonly credentials: Credentials; readonly signal: AbortSignal },
) => Promise<UserIdentity | undefined>;

/**
 * otpChallenge (RFC 7894, section 3.1): the enrolment code of the user that HTTP has authenticated, else of the user that
 * is named as the commonName. It adds to the client's identity, which TLS and HTTP alone establish.
 */
export function createOtpVerifier(checkCode: CodeCheck): OtpVerifier {
  return async function verifyOtp({ otpChallenge, subject }, { user }, { credentials: { address }, signal }) {
    if (otpChallenge === undefined) return undefined;
    const [commonName = ''] = attributeValues(subject, oids.commonName);
    const name = user?.name ?? commonName.normalize('NFC');
    const shown = { name, code: otpChallenge.normalize('NFC') };
    const verdict = await checkCode(shown, { address, signal });
    if (verdict.state === 'proved') return verdict.user;
    throw new EstError(
      'forbidden',
      'The otpChallenge is not the enrolment code of the authenticated user, or of the user named as commonName.',
      { refusedCredentials: refusedUser(verdict, shown) },
    );
  };
}
