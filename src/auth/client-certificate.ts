import { EstError, type CertificateFault } from '../errors.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { DerError, readDer } from '../pkix/der.ts';
import { readPublicKey } from '../pkix/keys.ts';
import { PathError, validatePath } from '../pkix/path.ts';
import type { TrustAnchorKind } from '../identity.ts';
import type { CertificateAuthenticator, PresentedCertificate } from './auth.ts';
import { refusedCertificate, revocationFault } from './refused-certificate.ts';
import type { RevocationCheck } from './revocation/revocation.ts';
import { certificatesOf, type TrustAnchors } from './trust-anchors.ts';

/** What decides about the client certificates of one alias. */
export interface ClientCertificateOptions {
  /** Decodes a certificate, or gives again what it decoded. Throws DerError. */
  readonly read: (der: Buffer) => Certificate;
  /** The EST CA's own certificates at this moment. */
  readonly explicit: (signal: AbortSignal) => Promise<TrustAnchors>;
  /** Vendors and third parties; without roots: switched off. */
  readonly implicit: TrustAnchors;
  readonly checkRevocation: RevocationCheck;
  /** Milliseconds that a certificate of the EST CA may have expired ago; 0 but for renewals. */
  readonly expiredFor: number;
}

/**
 * The TLS client certificate (RFC 7030, section 3.3.2), validated at the time of each request. The TLS layer's
 * verdict alone is not enough: a resumed session carries that of the original handshake, perhaps made under
 * other anchors, and without a certificate some TLS stacks call a resumed session authorized.
 */
export function createClientCertificateAuthenticator(
  options: ClientCertificateOptions,
): CertificateAuthenticator {
  return async function clientCertificate({ clientCertificate: presented }, now, signal) {
    if (presented === undefined) return undefined;
    const certificate = readPresented(options.read, presented.certificate, 'it is malformed');
    if (presented.chain !== undefined) refuseWeakKey(certificate);
    if (!presented.authorized) refuseUnlessOnlyExpired(presented, certificate, options.expiredFor, now);
    const explicit = await options.explicit(signal);
    const { path, trustAnchor } = await findPath(presented, certificate, explicit, options, now);
    const configured = [explicit, options.implicit].flatMap(certificatesOf);
    const objection = await options.checkRevocation(path, { configured, now, signal });
    if (objection !== undefined) throw refusal(objection, revocationFault(objection), certificate);
    const [, issuer = certificate] = path;
    return { certificate, trustAnchor, issuer };
  };
}

/**
 * Tries the EST CA first. There only the CA's own certificates count as intermediates, so that a sibling CA
 * under the same root does not pass for the EST CA; a third party's chain may come with the handshake.
 */
async function findPath(
  presented: PresentedCertificate,
  certificate: Certificate,
  explicit: TrustAnchors,
  { implicit, expiredFor: ownExpiredFor }: ClientCertificateOptions,
  now: Date,
): Promise<{ readonly path: readonly Certificate[]; readonly trustAnchor: TrustAnchorKind }> {
  const attempts = [
    { anchors: explicit, intermediates: () => explicit.intermediates, expiredFor: ownExpiredFor },
    {
      anchors: implicit,
      intermediates: () => [...implicit.intermediates, ...presentedChain(presented)],
      expiredFor: 0,
    },
  ];
  const failures: PathError[] = [];
  for (const { anchors, intermediates, expiredFor } of attempts) {
    try {
      const path = await validatePath(certificate, {
        trustAnchors: anchors.roots,
        intermediates: intermediates(),
        at: now,
        expiredFor,
        policies: anchors.policies,
      });
      return { path, trustAnchor: anchors.kind };
    } catch (error) {
      if (!(error instanceof PathError)) throw error;
      failures.push(error);
    }
  }
  const [{ message, fault } = noAnchor] = failures;
  throw refusal(message, fault, certificate);
}

const noAnchor = { message: 'it leads to no trust anchor of this alias', fault: 'unknown_issuer' } as const;

/**
 * What the TLS layer refused may go on to the other checks when it has expired, and that may be. What else OpenSSL
 * objects to is not known then. All but the strength of the key is checked again anyway; that is checked here.
 */
function refuseUnlessOnlyExpired(
  presented: PresentedCertificate,
  certificate: Certificate,
  expiredFor: number,
  now: Date,
): void {
  if (presented.handshakeError !== 'CERT_HAS_EXPIRED' || certificate.notAfter >= now || expiredFor === 0) {
    throw refusal('it did not pass the TLS handshake', handshakeFault(presented), certificate);
  }
  refuseWeakKey(certificate);
}

/** The strength of the key is all that OpenSSL alone looks at in the handshake. */
function refuseWeakKey(certificate: Certificate): void {
  try {
    readPublicKey(readDer(certificate.spki));
  } catch (error) {
    if (error instanceof EstError || error instanceof DerError)
      throw refusal('its key is not accepted', 'key', certificate);
    throw error;
  }
}

/** A client that sends more than this many certificates is not believed beyond them. */
const longestChain = 8;

function presentedChain({ session, chain: forwarded }: PresentedCertificate): readonly Certificate[] {
  if (forwarded !== undefined) return forwarded.slice(0, longestChain).map(readAbove);
  const chain: Certificate[] = [];
  let issuer = session?.issuerCertificate;
  while (issuer !== undefined && chain.length < longestChain) {
    chain.push(readAbove(issuer.raw));
    issuer = issuer.issuerCertificate;
  }
  return chain;
}

function readAbove(der: Buffer): Certificate {
  return readPresented(readCertificate, der, 'what the client sent above it is malformed');
}

/** OpenSSL takes some certificates that are malformed. */
function readPresented(read: (der: Buffer) => Certificate, der: Buffer, objection: string): Certificate {
  try {
    return read(der);
  } catch (error) {
    if (error instanceof DerError) throw refusal(objection, 'malformed');
    throw error;
  }
}

function refusal(reason: string, certificateFault: CertificateFault, certificate?: Certificate): EstError {
  return new EstError('forbidden', `The TLS client certificate is not accepted: ${reason}.`, {
    refusedCredentials: refusedCertificate(certificateFault, certificate),
  });
}

/** What OpenSSL objected to in the handshake, by the names of its errors. */
const handshakeFaults: Readonly<Record<string, CertificateFault>> = {
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'not_yet_valid',
  UNABLE_TO_GET_ISSUER_CERT: 'unknown_issuer',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknown_issuer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknown_issuer',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknown_issuer',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknown_issuer',
  INVALID_PURPOSE: 'extended_key_usage',
  CERT_SIGNATURE_FAILURE: 'signature',
  CERT_CHAIN_TOO_LONG: 'path_length',
  PATH_LENGTH_EXCEEDED: 'path_length',
  INVALID_CA: 'issuer_no_ca',
};

function handshakeFault({ handshakeError = '' }: PresentedCertificate): CertificateFault {
  return handshakeFaults[handshakeError] ?? 'other';
}
