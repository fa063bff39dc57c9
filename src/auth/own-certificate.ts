import { EstError, type CertificateFault } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { oids } from '../pkix/oids.ts';
import { PathError, validatePath } from '../pkix/path.ts';
import { refusedCertificate, revocationFault } from './refused-certificate.ts';
import type { RevocationCheck } from './revocation/revocation.ts';
import { trustAnchors } from './trust-anchors.ts';

/** What decides about certificates that sign messages at one alias. */
export interface OwnCertificateOptions {
  /** The certificates of the alias's own CA at this moment. */
  readonly caCertificates: (signal: AbortSignal) => Promise<readonly Certificate[]>;
  readonly checkRevocation: RevocationCheck;
}

/** Resolves when the certificate is good; throws `forbidden`. */
export type OwnCertificateCheck = (certificate: Certificate, now: Date, signal: AbortSignal) => Promise<void>;

/**
 * A check at request time of a certificate with which a message was signed: issued by the alias's own CA, in force,
 * fit for clients or registration authorities, not revoked. Other CAs, although trusted for TLS, do not count.
 */
export function createOwnCertificateCheck({
  caCertificates,
  checkRevocation,
}: OwnCertificateOptions): OwnCertificateCheck {
  return async function checkOwnCertificate(certificate, now, signal) {
    const configured = await caCertificates(signal);
    const path = await findPath(certificate, configured, now);
    const objection = await checkRevocation(path, { configured, now, signal });
    if (objection !== undefined) throw refusal(objection, revocationFault(objection), certificate);
  };
}

async function findPath(
  certificate: Certificate,
  caCertificates: readonly Certificate[],
  now: Date,
): Promise<readonly Certificate[]> {
  const { roots, intermediates } = trustAnchors('explicit', caCertificates);
  const purposes = [oids.clientAuth, oids.cmcRA];
  try {
    return await validatePath(certificate, { intermediates, trustAnchors: roots, at: now, purposes });
  } catch (error) {
    if (error instanceof PathError) throw refusal(error.message, error.fault, certificate);
    throw error;
  }
}

function refusal(reason: string, fault: CertificateFault, certificate: Certificate): EstError {
  return new EstError(
    'forbidden',
    `The certificate that signed the request is not accepted as one of this CA: ${reason}.`,
    { cmcFailure: 'badIdentity', refusedCredentials: refusedCertificate(fault, certificate) },
  );
}
