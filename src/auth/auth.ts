import type { X509Certificate } from 'node:crypto';
import type { CertificateIdentity, UserIdentity } from '../identity.ts';

/**
 * What a client showed, taken from the connection and the header fields by `http/request.ts`; nothing of it has
 * been believed yet.
 */
export interface Credentials {
  /** The value of the Authorization header field. */
  readonly authorization: string | undefined;
  /** Of the request: Digest credentials are good for one method and one path alone. */
  readonly method: string;
  /** The request target, as sent. */
  readonly target: string;
  /** What the TLS layer has, or a proxy says; undefined when the client sent no certificate. */
  readonly clientCertificate: PresentedCertificate | undefined;
  /** The client's; undefined where nobody knows. */
  readonly address: string | undefined;
}

/** The client certificate of the TLS session, which may have ended at a proxy. */
export interface PresentedCertificate {
  /** DER, which alone says whose it is: what Node makes of it may be another certificate (see pkix/x509.ts). */
  readonly certificate: Buffer;
  /** DER of what the client sent above it, where a proxy hands that on; else `session` leads to it. */
  readonly chain?: readonly Buffer[];
  /** The same certificate in the TLS session, where that did not end at a proxy. */
  readonly session?: X509Certificate;
  /**
   * `tlsSocket.authorized`: OpenSSL accepted the chain in the handshake, or in that of the resumed session.
   * Behind a proxy: the proxy has seen the proof of possession, and nothing else is known.
   */
  readonly authorized: boolean;
  /** OpenSSL's name of its last objection in the handshake, which hides any other: that it has expired proves nothing else. */
  readonly handshakeError?: string;
}

/**
 * A way to authenticate: credentials in, identity out. Undefined: nothing of this kind was shown. Throws
 * `EstError` (`unauthenticated` or `forbidden`) when it was shown and is wrong.
 */
type Authenticator<Identity> = (
  credentials: Credentials,
  now: Date,
  signal: AbortSignal,
) => Promise<Identity | undefined>;

export type CertificateAuthenticator = Authenticator<CertificateIdentity>;
export type UserAuthenticator = Authenticator<UserIdentity>;
