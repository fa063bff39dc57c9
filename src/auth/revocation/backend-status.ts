import { identifierOfCa } from '../../pkix/ca-identifier.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import type { Revocation } from '../../pkix/crl-read.ts';
import type { CertificateRegistry } from '../../store/store.ts';
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
  /** What the store knows of the certificates of CAs whose keys the gateway has, or had. */
  readonly recorded: RecordedStatus;
}

/** What is recorded of a certificate that this CA signed; undefined: the record says nothing of it. */
export type RecordedStatus = (
  certificate: Certificate,
  issuer: Certificate,
) => Promise<
  | { readonly status: 'good' | 'neverIssued' }
  | { readonly status: 'revoked'; readonly revocation: Revocation | undefined }
  | undefined
>;

/** Asks the record of the CA that issued the certificate, also of one that no backend has any more. */
export function createRecordedStatus(registry: CertificateRegistry): RecordedStatus {
  return async function recordedStatus({ serialNumber, der }, issuer) {
    const known = await registry.knownCa(identifierOfCa(issuer));
    if (known === undefined) return undefined;
    const status = await registry.status(known.ca, serialNumber, der);
    if (status === 'good') return { status };
    if (status === 'revoked') {
      const revocation = await registry.revocationOf(known.ca, serialNumber);
      return { status, revocation: revocation && { reason: revocation.reason, since: revocation.at } };
    }
    return status === 'another' || known.record === 'complete' ? { status: 'neverIssued' } : undefined;
  };
}

/**
 * The backend itself, about certificates of its CA, whichever certificate of the CA's key is above them, and the record of other
 * CAs of the gateway about theirs. Its own chain, which the backend hands out at this moment, is good. That its CA never issued
 * a certificate it can say of the key that issues now alone: there is no record of what roots have signed.
 */
export function createBackendSource({
  caCertificates,
  certificateStatus,
  recorded,
}: BackendStatusOptions): RevocationSource {
  return {
    name: 'backend',
    async status({ certificate, issuer, configured, signal }) {
      const { certificates, issuing } = await caCertificates(signal);
      if (certificates.some(({ sha256 }) => sha256 === certificate.sha256)) return { status: 'good' };
      const verdict = hasKeyOf(issuer, issuing) ? undefined : await recorded(certificate, issuer);
      // CAs that the operator names have been certified by other means.
      const isNamed = configured.some(({ sha256 }) => sha256 === certificate.sha256);
      if (verdict !== undefined && !(verdict.status === 'neverIssued' && isNamed)) return verdict;
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
