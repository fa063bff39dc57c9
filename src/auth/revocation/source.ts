import type { Certificate } from '../../pkix/certificate.ts';

/** A certificate of a path that was validated, and the one above it. */
export interface RevocationQuestion {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
  /** The certificates of CAs that the configuration or the backend names; others come from the peer. */
  readonly configured: readonly Certificate[];
  readonly now: Date;
  readonly signal: AbortSignal;
}

/** What a source says of a certificate. */
export type Verdict =
  | { readonly status: 'good' | 'revoked' }
  /** The CA says that it never issued the certificate, though its key has signed it; the backend alone can know that. */
  | { readonly status: 'neverIssued' }
  /** The source does not speak of such certificates. */
  | { readonly status: 'uncovered' }
  /** The source will never know; the reason is said of the certificate: `is not known to the OCSP responder`. */
  | { readonly status: 'unknown'; readonly reason: string }
  /** The source should know, and does not at the moment; the reason is a sentence for the log. */
  | { readonly status: 'failed'; readonly reason: string };

/** Somebody who knows which certificates are revoked. */
export interface RevocationSource {
  readonly name: 'backend' | 'crl' | 'ocsp';
  status(question: RevocationQuestion): Promise<Verdict>;
}

/** For a failure; the message of whatever was thrown is for the log alone. */
export function failed(error: unknown): Verdict {
  return { status: 'failed', reason: error instanceof Error ? error.message : String(error) };
}

/** Addresses are believed of CAs that the operator named, and of nobody whom the peer brought along. */
export function isConfigured({ issuer, configured }: RevocationQuestion): boolean {
  return configured.some(({ sha256 }) => sha256 === issuer.sha256);
}
