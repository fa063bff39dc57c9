import { EstError, type EstErrorOptions } from '../errors.ts';
import type {
  CertificateIdentity,
  ClientIdentity,
  RegistrationAuthority,
  UserIdentity,
} from '../identity.ts';
import { nameToString } from '../pkix/names.ts';
import type { CertificateAuthenticator, Credentials } from './auth.ts';
import type { UserAuthentication } from './user.ts';

/** What an alias demands of every client that enrols. There is no mode without authentication. */
export type AuthenticationMode = 'clientCertificate' | 'basic' | 'either' | 'both';

/** The ways to authenticate at one alias. */
export interface AuthenticationOptions {
  readonly mode: AuthenticationMode;
  readonly clientCertificate: CertificateAuthenticator;
  readonly user: UserAuthentication;
  /** What the holder of a client certificate may do for others. */
  readonly registrationAuthorityOf: (
    shown: CertificateIdentity,
    signal: AbortSignal,
  ) => Promise<RegistrationAuthority | undefined>;
}

/** Who is asking; throws `unauthenticated`, `client_certificate_missing` or `forbidden`. */
export type Authentication = (
  credentials: Credentials,
  now: Date,
  signal: AbortSignal,
) => Promise<ClientIdentity>;

/**
 * Authentication by the alias's mode (RFC 7030, section 3.2.3: HTTP authentication is a fallback for the
 * certificate, or an addition to it). A credential that is shown and wrong is refused although another one
 * would do.
 */
export function createAuthentication({
  mode,
  clientCertificate,
  user,
  registrationAuthorityOf,
}: AuthenticationOptions): Authentication {
  return async function authenticate(credentials, now, signal) {
    const shownCertificate = mode === 'basic' ? undefined : await clientCertificate(credentials, now, signal);
    const shownUser =
      mode === 'clientCertificate' ? undefined : await user.identify(credentials, now, signal);
    const refusal = whatIsMissing(mode, shownCertificate, shownUser, () => user.challenge(now));
    if (refusal !== undefined) throw refusal;
    const identity = clientIdentity(shownCertificate, shownUser);
    const authority = shownCertificate && (await registrationAuthorityOf(shownCertificate, signal));
    return authority === undefined ? identity : { ...identity, registrationAuthority: authority };
  };
}

/** 401 where a user would help, 403 where only a certificate would (a 401 without a challenge is forbidden). */
function whatIsMissing(
  mode: AuthenticationMode,
  certificate: CertificateIdentity | undefined,
  user: UserIdentity | undefined,
  challenge: () => EstErrorOptions['headers'],
): EstError | undefined {
  switch (mode) {
    case 'clientCertificate':
      return certificate === undefined ? certificateMissing() : undefined;
    case 'basic':
      return user === undefined ? userMissing('a user name and an enrolment code', challenge()) : undefined;
    case 'either':
      return certificate === undefined && user === undefined
        ? userMissing('a TLS client certificate, or a user name and an enrolment code', challenge())
        : undefined;
    case 'both':
      if (user === undefined)
        return userMissing('a user name and an enrolment code besides the certificate', challenge());
      return certificate === undefined ? certificateMissing() : undefined;
  }
}

function certificateMissing(): EstError {
  return new EstError(
    'client_certificate_missing',
    'A TLS client certificate is required here, and none was sent.',
  );
}

function userMissing(required: string, headers: EstErrorOptions['headers'] = {}): EstError {
  return new EstError(
    'unauthenticated',
    `Authentication is required here: ${required} (HTTP authentication).`,
    {
      headers,
    },
  );
}

/** A client by what it has proved; at least one of both is there. */
export function clientIdentity(
  certificate: CertificateIdentity | undefined,
  user: UserIdentity | undefined,
): ClientIdentity {
  const proofs = [
    ...(user === undefined ? [] : [describeUser(user)]),
    ...(certificate === undefined ? [] : [describeCertificate(certificate)]),
  ];
  return {
    key: proofs.map(({ key }) => key).join('+'),
    description: proofs.map(({ description }) => description).join(' with '),
    certificate,
    user,
  };
}

/** RFC 7030, section 3.2.3: the name is empty where a code is nobody's in particular. */
function describeUser({ name }: UserIdentity): { key: string; description: string } {
  return { key: `user:${name}`, description: name === '' ? 'code without a name' : name };
}

function describeCertificate({ certificate }: CertificateIdentity): { key: string; description: string } {
  return { key: `certificate:${certificate.sha256}`, description: nameToString(certificate.subject) };
}
