import { EstError } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { mayHaveIssued } from '../pkix/path/issuers.ts';
import type { OwnCertificateOptions } from './own-certificate.ts';
import { refusedCertificate, revocationFault } from './refused-certificate.ts';

/** Resolves when the certificate is still one of this CA and not revoked; throws `refused_by_policy`. */
export type RecordedCertificateCheck = (
  certificate: Certificate,
  now: Date,
  signal: AbortSignal,
) => Promise<void>;

/** A check of a certificate that the journal has, so that its signature was verified when it was recorded. */
export function createRecordedCertificateCheck({
  caCertificates,
  checkRevocation,
}: OwnCertificateOptions): RecordedCertificateCheck {
  return async function refuseRevoked(certificate, now, signal) {
    const configured = await caCertificates(signal);
    const issuer = configured.find((candidate) => mayHaveIssued(candidate, certificate));
    const objection =
      issuer === undefined
        ? 'it is of another CA'
        : await checkRevocation([certificate, issuer], { configured, now, signal });
    if (objection === undefined) return;
    const fault = issuer === undefined ? 'unknown_issuer' : revocationFault(objection);
    throw new EstError('refused_by_policy', `The certificate to renew is not renewed: ${objection}.`, {
      refusedCredentials: refusedCertificate(fault, certificate),
    });
  };
}
