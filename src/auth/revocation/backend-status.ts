import type { Certificate } from '../../pkix/certificate.ts';
import { failed, type RevocationSource } from './source.ts';

/** What the CA behind an alias can tell. */
export interface BackendStatusOptions {
  /** The CA's own certificates at this moment. */
  readonly caCertificates: (signal: AbortSignal) => Promise<readonly Certificate[]>;
  /** By serial number; `unknown`: never issued by this CA. Undefined: the backend cannot tell. */
  readonly certificateStatus:
    ((serialNumber: string, signal: AbortSignal) => Promise<'good' | 'revoked' | 'unknown'>) | undefined;
}

/** The backend itself, about what it issued. Its own chain, which it hands out at this moment, is good. */
export function createBackendSource({
  caCertificates,
  certificateStatus,
}: BackendStatusOptions): RevocationSource {
  return {
    name: 'backend',
    async status({ certificate, issuer, signal }) {
      const own = await caCertificates(signal);
      if (own.some(({ sha256 }) => sha256 === certificate.sha256)) return { status: 'good' };
      const isOwn = own.some(({ sha256 }) => sha256 === issuer.sha256);
      if (!isOwn || certificateStatus === undefined) return { status: 'uncovered' };
      try {
        const status = await certificateStatus(certificate.serialNumber, signal);
        return { status: status === 'unknown' ? 'uncovered' : status };
      } catch (error) {
        return failed(error);
      }
    },
  };
}
