import type { Certificate } from './pkix/certificate.ts';
import type { RequestedContents } from './pkix/pkcs10.ts';

/** Which kind of trust anchor the client's certificate leads to (RFC 7030, section 3.1). */
export type TrustAnchorKind = 'explicit' | 'implicit';

/** A client certificate that passed every check at request time. */
export interface CertificateIdentity {
  readonly certificate: Certificate;
  /** `explicit`: issued by the alias's own CA. `implicit`: by a vendor or another third party. */
  readonly trustAnchor: TrustAnchorKind;
  /** The certificate of the CA that issued it. */
  readonly issuer: Certificate;
}

/** Who may ask for certificates of others (RFC 7030, section 3.7). */
export interface RegistrationAuthority {
  /** What the configuration calls it. */
  readonly name: string;
  /**
   * Patterns of the names for which it may ask, by the types of subject attributes and general names; a type that is
   * not here is refused. `*` stands for any text.
   */
  readonly names: Readonly<Record<string, readonly string[]>>;
  /** Whether its CSRs may carry the linking data of other TLS sessions, which nobody can verify. */
  readonly foreignLinking: boolean;
  /** How many certificates it may get in all, those of others and its own; left out: as many as it likes. */
  readonly quota?: CertificateQuota | undefined;
}

/** How many certificates may be had within a period. */
export interface CertificateQuota {
  readonly certificates: number;
  /** Seconds. */
  readonly period: number;
}

/** A user that proved knowledge of its code. */
export interface UserIdentity {
  readonly name: string;
  /** `User.id`; left out: the store does not have the user. */
  readonly id?: string;
  /** What is the same for all names under which its source knows the user; left out: it has this name alone. */
  readonly account?: string;
  /** The code is good for so many certificates or until a time, which the journal watches over. */
  readonly isLimited: boolean;
}

/** Who a client says it is, with an enrolment code that only the CA can check. Nothing of it has been believed. */
export interface EnrollmentClaim {
  readonly username: string;
  readonly code: string;
  /** Header fields of a 401, if the code came by HTTP; undefined: it stood in the CSR. */
  readonly challenge?: Readonly<Record<string, string>>;
}

/** Enrolment codes that the CA checks itself. */
export interface EnrollmentCodes {
  /** Where clients show them. */
  readonly place: 'basic' | 'challengePassword' | 'subject';
  /**
   * Finds name and code in a CSR, and gives the CSR without a code in its subject. Throws `bad_certification_request`.
   */
  take<Csr extends RequestedContents>(csr: Csr): { readonly claim: EnrollmentClaim; readonly csr: Csr };
  /** The same for the same name and code, for the journal; it helps nobody to find the code. */
  fingerprint(claim: EnrollmentClaim): string;
}

/**
 * Who is asking, and how we know. Made only by `src/auth`, from TLS and HTTP, never from the CSR
 * (RFC 5272, section 3.1). At least one of `user` and `certificate` is there; both are when the alias demands both.
 * The exception is a `claim`, which the CA believes or not: then neither is.
 */
export interface ClientIdentity {
  /**
   * Stable and unique, for the journal: `user:NAME`, and joined to it by `+` or alone `registrationAuthority:NAME` or
   * `certificate:` with the SHA-256 over subject and CA, which stay the same when a certificate is renewed.
   */
  readonly key: string;
  /** For log lines and people: the user's name or the certificate's subject (RFC 4514). */
  readonly description: string;
  readonly user: UserIdentity | undefined;
  readonly certificate: CertificateIdentity | undefined;
  readonly claim?: EnrollmentClaim;
  /** What it may do for others; undefined: nothing. */
  readonly registrationAuthority?: RegistrationAuthority | undefined;
}
