import type { CertificateFault, RefusedCredentials } from '../errors.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { nameToString } from '../pkix/names.ts';
import { compromisedKey, neverIssued } from './revocation/revocation.ts';

/**
 * How the log names a certificate that is refused: whoever looks for the device knows it by this, true or not. Undefined:
 * it cannot be read.
 */
export function refusedCertificate(
  certificateFault: CertificateFault,
  certificate: Certificate | undefined,
): RefusedCredentials {
  return {
    ...(certificate && { refusedCertificate: describe(certificate) }),
    certificateFault,
  };
}

function describe({ subject, serialNumber, issuer }: Certificate): string {
  return `${nameToString(subject)}, serial number ${serialNumber}, issued by ${nameToString(issuer)}`;
}

/** What the objection of a `RevocationCheck` is about. */
export function revocationFault(objection: string): CertificateFault {
  if (objection.endsWith(' is revoked')) return 'revoked';
  if (objection.endsWith(compromisedKey)) return 'key';
  return objection.endsWith(neverIssued) ? 'never_issued' : 'revocation_unknown';
}
