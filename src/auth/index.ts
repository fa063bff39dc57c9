import { hash } from 'node:crypto';
import { EstError, type EstErrorOptions } from '../errors.ts';
import type {
  CertificateIdentity,
  ClientIdentity,
  RegistrationAuthority,
  UserIdentity,
} from '../identity.ts';
import { identifierOfCa } from '../pkix/ca-identifier.ts';
import { comparableGeneralName } from '../pkix/general-names.ts';
import { comparableName, nameToString } from '../pkix/names.ts';
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
    return authority === undefined ? identity : asRegistrationAuthority(identity, authority);
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

/**
 * A client that may ask for others. It is known by the name that the configuration has for it, whichever certificate it shows;
 * one that the configuration does not know, by its certificate.
 */
export function asRegistrationAuthority(
  identity: ClientIdentity,
  authority: RegistrationAuthority,
): ClientIdentity {
  const { user } = identity;
  const isKnown = Object.keys(authority.names).length > 0;
  const proofs = [
    ...(user === undefined ? [] : [describeUser(user).key]),
    `registrationAuthority:${authority.name}`,
  ];
  return { ...identity, ...(isKnown && { key: proofs.join('+') }), registrationAuthority: authority };
}

/** RFC 7030, section 3.2.3: the name is empty where a code is nobody's in particular. */
function describeUser({ name }: UserIdentity): { key: string; description: string } {
  return { key: `user:${name}`, description: name === '' ? 'code without a name' : name };
}

function describeCertificate(shown: CertificateIdentity): { key: string; description: string } {
  return { key: `certificate:${holderOf(shown)}`, description: nameToString(shown.certificate.subject) };
}

/**
 * The holder of a certificate, who stays the same when it is renewed: subject and CA. Where the subject is empty, the
 * subjectAltName takes its place (RFC 5280, section 4.1.2.6).
 */
function holderOf({ certificate: { subject, subjectAltName = [] }, issuer }: CertificateIdentity): string {
  const names =
    subject.rdns.length > 0 ? comparableName(subject) : subjectAltName.map(comparableGeneralName).sort();
  return hash('sha256', JSON.stringify([names, identifierOfCa(issuer)]), 'hex');
}
