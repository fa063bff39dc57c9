import { EstError } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { oids } from '../pkix/oids.ts';
import { PathError, validatePath } from '../pkix/path.ts';
import { trustAnchors } from './trust-anchors.ts';

/** What decides about certificates that sign messages at one alias. */
export interface OwnCertificateOptions {
  /** The certificates of the alias's own CA at this moment. */
  readonly caCertificates: (signal: AbortSignal) => Promise<readonly Certificate[]>;
  readonly isRevoked: (certificate: Certificate, signal: AbortSignal) => Promise<boolean>;
}

/** Resolves when the certificate is good; throws `forbidden`. */
export type OwnCertificateCheck = (certificate: Certificate, now: Date, signal: AbortSignal) => Promise<void>;

/**
 * A check at request time of a certificate with which a message was signed: issued by the alias's own CA, in force,
 * fit for clients or registration authorities, not revoked. Other CAs, although trusted for TLS, do not count.
 */
export function createOwnCertificateCheck({
  caCertificates,
  isRevoked,
}: OwnCertificateOptions): OwnCertificateCheck {
  return async function checkOwnCertificate(certificate, now, signal) {
    const { roots, intermediates } = trustAnchors('explicit', await caCertificates(signal));
    const purposes = [oids.clientAuth, oids.cmcRA];
    try {
      validatePath(certificate, { intermediates, trustAnchors: roots, at: now, purposes });
    } catch (error) {
      if (error instanceof PathError) throw refusal(error.message);
      throw error;
    }
    if (await isRevoked(certificate, signal)) throw refusal('it is revoked');
  };
}

function refusal(reason: string): EstError {
  return new EstError(
    'forbidden',
    `The certificate that signed the request is not accepted as one of this CA: ${reason}.`,
    { cmcFailure: 'badIdentity' },
  );
}
