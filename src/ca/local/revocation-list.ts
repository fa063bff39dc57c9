import { signCertificateRevocationList } from '../../pkix/crl.ts';
import type { RevokedCertificate } from '../../store/store.ts';
import type { CertificationAuthorityServices } from '../ca.ts';
import type { Authority } from './authority.ts';

interface CurrentList {
  readonly der: Buffer;
  /** The serial numbers on it. */
  readonly entries: string;
  /** Milliseconds since 1970 from which a new one is made. */
  readonly refreshAt: number;
}

/**
 * Gives the current CRL, DER: the same one until a certificate is revoked, here or by another process, or a
 * third of its validity (milliseconds) has passed.
 */
export function createRevocationList(
  { certificate: issuer, signer, keyIdentifier }: Authority,
  validity: number,
  { name, certificates }: CertificationAuthorityServices,
): () => Promise<Buffer> {
  let current: CurrentList | undefined;

  async function signList(revoked: readonly RevokedCertificate[], now: Date): Promise<Buffer> {
    return await signCertificateRevocationList(
      {
        issuer: issuer.subject,
        thisUpdate: now,
        nextUpdate: new Date(now.getTime() + validity),
        crlNumber: await certificates.nextCrlNumber(name),
        authorityKeyIdentifier: keyIdentifier,
        revoked: revoked.map(({ serialNumber, revocation }) => ({ serialNumber, ...revocation })),
      },
      signer,
    );
  }

  return async function currentList() {
    const now = new Date();
    // An entry stays until one CRL after the certificate's end has had it (RFC 5280, section 3.3).
    const revoked = await certificates.revoked(name, new Date(now.getTime() - validity));
    // A revocation never changes, so the serial numbers tell whether the list is still true.
    const entries = revoked
      .map(({ serialNumber }) => serialNumber)
      .sort()
      .join();
    if (current?.entries !== entries || now.getTime() >= current.refreshAt) {
      const refreshAt = now.getTime() + validity / 3;
      current = { der: await signList(revoked, now), entries, refreshAt };
    }
    return current.der;
  };
}
