import { hash } from 'node:crypto';
import { signCertificateRevocationList } from '../../pkix/crl.ts';
import type { CertificateRegistry, KeptCrl, RevokedCertificate } from '../../store/store.ts';
import type { Authority } from './authority.ts';

/** How the CRLs of a CA are made. */
export interface RevocationListOptions {
  /** `identifierOfCa`. */
  readonly ca: string;
  /** Milliseconds from now to nextUpdate. */
  readonly validity: number;
  /** Milliseconds from thisUpdate to now, for relying parties whose clock is behind. */
  readonly backdate: number;
  readonly certificates: CertificateRegistry;
}

/**
 * Gives the current CRL of a CA, DER, the same one to all who share its store: until a certificate is revoked, or a third of
 * its validity has passed.
 */
export function createRevocationList(
  { certificate: issuer, signer, keyIdentifier, chain }: Authority,
  { ca, validity, backdate, certificates }: RevocationListOptions,
): () => Promise<Buffer> {
  const earliest = Math.max(...chain.map(({ notBefore }) => notBefore.getTime()));

  async function signList(
    revoked: readonly RevokedCertificate[],
    now: Date,
  ): Promise<Pick<KeptCrl, 'number' | 'crl'>> {
    const number = await certificates.nextCrlNumber(ca);
    const crl = await signCertificateRevocationList(
      {
        issuer: issuer.subject,
        thisUpdate: new Date(Math.max(now.getTime() - backdate, earliest)),
        nextUpdate: new Date(now.getTime() + validity),
        crlNumber: number,
        authorityKeyIdentifier: keyIdentifier,
        revoked: revoked.map(({ serialNumber, revocation }) => ({ serialNumber, ...revocation })),
      },
      signer,
    );
    return { number, crl };
  }

  /** What two CRLs agree in when the one is as good as the other. */
  function contentsOf(revoked: readonly RevokedCertificate[]): string {
    const entries = revoked.map(({ serialNumber, revocation }) => `${serialNumber} ${revocation.reason}`);
    const parts = [issuer.sha256, validity, backdate, entries.sort()];
    return hash('sha256', JSON.stringify(parts), 'hex');
  }

  return async function currentList() {
    const now = new Date();
    // An entry stays until one CRL after the certificate's end has had it (RFC 5280, section 3.3).
    const revoked = await certificates.revoked(ca, new Date(now.getTime() - validity));
    const contents = contentsOf(revoked);
    const kept = await certificates.keptCrl(ca);
    if (kept?.contents === contents && now < kept.refreshAt) return kept.crl;
    const made = await signList(revoked, now);
    await certificates.keepCrl(ca, { ...made, contents, refreshAt: new Date(now.getTime() + validity / 3) });
    return made.crl;
  };
}
