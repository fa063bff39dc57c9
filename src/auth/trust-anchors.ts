import type { TrustAnchorKind } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { mayHaveIssued } from '../pkix/path/issuers.ts';
import { x509Of } from '../pkix/x509.ts';

/**
 * Certificates that client certificates may lead to, split as path validation needs them. `explicit` holds the
 * EST CA of an alias, `implicit` vendors and other third parties (RFC 7030, section 3.1).
 */
export interface TrustAnchors {
  readonly kind: TrustAnchorKind;
  /** Self-signed. */
  readonly roots: readonly Certificate[];
  /** Trusted only by a path to a root. */
  readonly intermediates: readonly Certificate[];
  /** Certificate policies of which a path must be valid under one; empty: any, or none. */
  readonly policies: readonly string[];
}

/** Splits certificates into roots and intermediates. */
export function trustAnchors(
  kind: TrustAnchorKind,
  certificates: readonly Certificate[],
  policies: readonly string[] = [],
): TrustAnchors {
  const roots = certificates.filter(isSelfSigned);
  return {
    kind,
    roots,
    intermediates: certificates.filter((certificate) => !roots.includes(certificate)),
    policies,
  };
}

/** The intermediates from which no path leads to a root. */
export function withoutRoot({ roots, intermediates }: TrustAnchors): readonly Certificate[] {
  const led = new Set(roots);
  for (const issuer of led) {
    for (const certificate of intermediates) if (mayHaveIssued(issuer, certificate)) led.add(certificate);
  }
  return intermediates.filter((certificate) => !led.has(certificate));
}

/** All of them, roots first. */
export function certificatesOf({ roots, intermediates }: TrustAnchors): readonly Certificate[] {
  return [...roots, ...intermediates];
}

function isSelfSigned(certificate: Certificate): boolean {
  const x509 = x509Of(certificate.der);
  return x509.checkIssued(x509) && x509.verify(x509.publicKey);
}
