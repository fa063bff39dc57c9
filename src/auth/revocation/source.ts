import type { Certificate } from '../../pkix/certificate.ts';
import type { Revocation } from '../../pkix/crl-read.ts';

/** A certificate of a path that was validated, and the one above it. */
export interface RevocationQuestion {
  readonly certificate: Certificate;
  readonly issuer: Certificate;
  /** Where the path ends. */
  readonly trustAnchor: Certificate;
  /** The certificates of CAs that the configuration or the backend names; others come from the peer. */
  readonly configured: readonly Certificate[];
  readonly now: Date;
  readonly signal: AbortSignal;
}

/** What a source says of a certificate. */
export type Verdict =
  | { readonly status: 'good' }
  /** Undefined: the source does not say why. */
  | { readonly status: 'revoked'; readonly revocation: Revocation | undefined }
  /** The CA says that it never issued the certificate, though its key has signed it; the backend alone can know that. */
  | { readonly status: 'neverIssued' }
  /** The source will never know; the reason is said of the certificate: `is not known to the OCSP responder`. */
  | { readonly status: 'unknown'; readonly reason: string }
  /**
   * Something that is configured for such certificates, or that this one names, should have told, and did not; the reasons
   * are sentences for the log.
   */
  | { readonly status: 'undetermined'; readonly reasons: readonly string[] }
  /** Nothing that is configured, or that the certificate names, speaks of it. */
  | { readonly status: 'uncovered' };

/** Somebody who knows which certificates are revoked. */
export interface RevocationSource {
  readonly name: 'backend' | 'crl' | 'ocsp';
  status(question: RevocationQuestion): Promise<Verdict>;
}

/** For a failure; the message of whatever was thrown is for the log alone. */
export function undetermined(error: unknown): Verdict {
  return { status: 'undetermined', reasons: [sentence(error)] };
}

/** What was thrown, for the log. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Addresses are believed of CAs that the operator named, and of nobody whom the peer brought along. */
export function isConfigured({ issuer, configured }: RevocationQuestion): boolean {
  return configured.some(({ sha256 }) => sha256 === issuer.sha256);
}

/** URLs of one certificate that are tried. */
const mostUrls = 8;

/** The URLs to try, in their order, each once, and what is to be said about those that are not. */
export function urlsToTry(urls: readonly string[]): {
  readonly tried: readonly string[];
  readonly omitted: readonly string[];
} {
  const distinct = [...new Set(urls)];
  return {
    tried: distinct.slice(0, mostUrls),
    omitted:
      distinct.length > mostUrls
        ? [`The certificate names ${distinct.length} URLs, of which the first ${mostUrls} were tried.`]
        : [],
  };
}
