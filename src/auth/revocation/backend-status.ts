import type { Certificate } from '../../pkix/certificate.ts';
import type { Revocation } from '../../pkix/crl-read.ts';
import { undetermined, type RevocationSource } from './source.ts';

/** The certificates of a CA at one moment. */
interface OwnCertificates {
  /** The chain of the CA, and what the alias adds to it. */
  readonly certificates: readonly Certificate[];
  /** Those of the key that issues to end entities. */
  readonly issuing: readonly Certificate[];
}

/** What the CA behind an alias can tell. */
export interface BackendStatusOptions {
  readonly caCertificates: (signal: AbortSignal) => Promise<OwnCertificates>;
  /**
   * `unknown`: never issued by this CA; `uncovered`: it cannot tell; a `Revocation`: it is revoked, and the CA says why.
   * Undefined: the CA never can tell.
   */
  readonly certificateStatus:
    | ((
        certificate: Certificate,
        signal: AbortSignal,
      ) => Promise<'good' | 'revoked' | 'unknown' | 'uncovered' | Revocation>)
    | undefined;
}

/**
 * The backend itself, about certificates of its CA, whichever certificate of the CA's key is above them. Its own chain, which
 * it hands out at this moment, is good. That it never issued a certificate it can say of the key that issues now: nobody
 * records what roots and keys of the past have signed.
 */
export function createBackendSource({
  caCertificates,
  certificateStatus,
}: BackendStatusOptions): RevocationSource {
  return {
    name: 'backend',
    async status({ certificate, issuer, signal }) {
      const { certificates, issuing } = await caCertificates(signal);
      if (certificates.some(({ sha256 }) => sha256 === certificate.sha256)) return { status: 'good' };
      if (certificateStatus === undefined || !hasKeyOf(issuer, certificates)) return { status: 'uncovered' };
      try {
        const status = await certificateStatus(certificate, signal);
        if (typeof status === 'object') return { status: 'revoked', revocation: status };
        if (status === 'revoked') return { status, revocation: undefined };
        if (status !== 'unknown') return { status };
        return { status: hasKeyOf(issuer, issuing) ? 'neverIssued' : 'uncovered' };
      } catch (error) {
        return undetermined(error);
      }
    },
  };
}

/** A CA may have several certificates for one key, as around a change of the root. */
function hasKeyOf({ spki: key }: Certificate, certificates: readonly Certificate[]): boolean {
  return certificates.some(({ spki }) => spki.equals(key));
}
