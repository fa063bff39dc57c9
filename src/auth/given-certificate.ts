import type { Certificate } from '../pkix/certificate.ts';
import { mayHaveIssued } from '../pkix/path/issuers.ts';
import type { Standing, StandingOf } from './revocation/revocation.ts';

/** The standing of a certificate that an earlier, equal request has got. Throws `revocation_status_unavailable`. */
export type GivenCertificateStanding = (
  certificate: Certificate,
  now: Date,
  signal: AbortSignal,
) => Promise<Standing>;

/** What decides about it at one alias. */
export interface GivenCertificateOptions {
  /** The certificates of the alias's own CA at this moment. */
  readonly caCertificates: (signal: AbortSignal) => Promise<readonly Certificate[]>;
  readonly standingOf: StandingOf;
}

/** Whether a certificate of the journal, so that its signature was verified when it was recorded, may be given again. */
export function createGivenCertificateStanding({
  caCertificates,
  standingOf,
}: GivenCertificateOptions): GivenCertificateStanding {
  return async function standingOfGiven(certificate, now, signal) {
    if (certificate.notAfter <= now) return 'gone';
    const configured = await caCertificates(signal);
    const issuer = configured.find((candidate) => mayHaveIssued(candidate, certificate));
    return issuer === undefined ? 'gone' : await standingOf(certificate, issuer, { configured, now, signal });
  };
}
