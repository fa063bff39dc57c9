import type { SchemaObject } from 'ajv';
import type { Readable } from 'node:stream';
import type { ClientIdentity, EnrollmentCodes } from '../identity.ts';
import type { Log } from '../ops/log.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { Revocation } from '../pkix/crl-read.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import type { KeyUsage } from '../pkix/extensions.ts';
import type { Name } from '../pkix/names.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import type {
  AttemptRegistry,
  CertificateRegistry,
  HeldRequestRegistry,
  RevocationReason,
} from '../store/store.ts';
import type { NameChange } from '../pkix/name-changes.ts';

/** What the gateway asks a CA backend to certify. Every check has passed; immutable. */
export interface EnrollmentRequest {
  /** For correlation in logs of both sides. */
  readonly requestId: string;
  /** The same for every repeat of the same enrolment: a backend that sees it again must not issue twice. */
  readonly idempotencyKey: string;
  readonly alias: string;
  readonly operation: 'simpleenroll' | 'simplereenroll' | 'serverkeygen' | 'fullcmc';
  /** The certificate that the new one takes the place of, of this CA; undefined: it is a first one. */
  readonly renewed: Certificate | undefined;
  /** With a claim in it: who the client says it is, for the CA to believe or refuse (`wrong_enrollment_code`, or with `_in_csr`). */
  readonly identity: ClientIdentity;
  /**
   * The PKCS#10 as received (`csr.der`) and decoded; its proof of possession was verified. For serverkeygen it is as
   * the client would have sent it with the key that the gateway made.
   */
  readonly csr: CertificationRequest;
  /** Whether the CSR carried the channel binding of its TLS session, which was verified (RFC 7030, section 3.5). */
  readonly linked: boolean;
  /**
   * The names to certify, after policy; for a renewal in the old certificate's encoding. With ChangeSubjectName those
   * of the CSR are the old ones: a backend that can certify no others refuses.
   */
  readonly subject: Name;
  readonly subjectAltName: readonly GeneralName[];
  /** What the CSR asked for, or undefined where it asked nothing. The profile decides what is granted. */
  readonly keyUsage: readonly KeyUsage[] | undefined;
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** The certificate profile that the alias names; its meaning is the backend's. */
  readonly profile: string | undefined;
  /**
   * When the first attempt under this idempotency key began, whose outcome nobody knows: the CA may have issued since
   * then. Undefined: there was none.
   */
  readonly attemptedSince: Date | undefined;
  /** A certificate that was issued since then to an earlier request, which was the same, may be given again. */
  readonly repeatsSince: Date;
  /** The changes of the names that the CA may make: who looks for what an earlier attempt has got must expect them. */
  readonly allowedChanges: readonly NameChange[];
}

/** For whom a certificate is asked for, while nothing of it is recorded yet. */
export type NamesToCertify = Pick<EnrollmentRequest, 'identity' | 'renewed' | 'subject' | 'subjectAltName'>;

/** What a CA backend answers. A refusal is thrown. */
export type EnrollmentResult =
  | {
      readonly status: 'issued';
      /** The certificate, DER. */
      readonly certificate: Buffer;
      /** From `fullCmc` alone: the CA's own Full PKI Response, DER, which the client gets as it is. */
      readonly fullPkiResponse?: Buffer;
      /**
       * From a CA that certifies names that it has registered in place of those of the request: how the certificate differs
       * from these. What `issuedNames` of the alias does not allow is not delivered.
       */
      readonly registeredChanges?: readonly NameChange[];
    }
  | {
      /** Not for serverkeygen: the key cannot wait, and the client is refused. */
      readonly status: 'pending';
      /** By which `resume` finds the request again; each answer may give another one. */
      readonly reference: string;
      /** Whole seconds until asking again makes sense. */
      readonly retryAfter: number;
    };

/** Operations whose answers a CA that speaks EST itself can give in its own octets. */
export const relayedOperations = ['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll'] as const;
export type RelayedOperation = (typeof relayedOperations)[number];

/** An answer of a CA that speaks EST, as it comes in. */
export interface RelayedAnswer {
  /** Content-Type, and what else describes the body. */
  readonly headers: Readonly<Record<string, string>>;
  /** Fails when the CA breaks off. Destroying it ends the request. */
  readonly body: Readable;
}

/** What such a CA answers to an enrolment. */
export type RelayedEnrollment =
  | Extract<EnrollmentResult, { readonly status: 'pending' }>
  | {
      readonly status: 'relayed';
      readonly answer: RelayedAnswer;
      /** The certificate, DER, in the whole body. Throws `ca_bad_answer`. */
      readonly certificateIn: (body: Buffer) => Buffer;
    };

/** A CA whose answers go to clients as they are. When `signal` aborts, the request to the CA ends at once. */
export interface Relay {
  /** Those that are answered so; the others are the methods of the CA. */
  readonly operations: ReadonlySet<string>;
  /** Undefined: the CA has nothing to say. */
  get(operation: 'cacerts' | 'csrattrs', signal: AbortSignal): Promise<RelayedAnswer | undefined>;
  /** As `enroll`; with the reference that `pending` gave, as `resume`. */
  enroll(
    request: EnrollmentRequest,
    reference: string | undefined,
    signal: AbortSignal,
  ): Promise<RelayedEnrollment>;
}

/** What somebody may be for the CA, beside a device; `tls-server` is the gateway itself. */
export const operatorRoles = ['registration-authority', 'cmc-signer', 'tls-server'] as const;
export type OperatorRole = (typeof operatorRoles)[number];

/** What an operator has certified by a command; the names of the CSR are the operator's responsibility. */
export interface OperatorRequest {
  readonly csr: CertificationRequest;
  readonly role: OperatorRole;
  readonly validityDays: number;
}

/**
 * Whether a certificate of this CA is good at this moment. `unknown`: this CA never issued it, so that it is refused
 * everywhere. `uncovered`: the CA cannot tell, since its record is incomplete and does not have the certificate.
 */
export type CertificateStatus = 'good' | 'revoked' | 'unknown' | 'uncovered';

/**
 * A certificate authority behind the gateway.
 *
 * Two methods are required; having an optional method is having the capability, and an alias that needs one
 * that is missing is refused at start. Every method may run many times at once. Failures are thrown as
 * `EstError`: `ca_unavailable` when the CA cannot be reached, `ca_timeout` when it does not answer in time,
 * `ca_bad_answer` when the answer makes no sense, `rejected_by_ca` or `bad_certification_request` when it
 * refuses; exception texts of libraries never travel in the sentence. When `signal` aborts, the method stops
 * as soon as it can without leaving the CA in doubt.
 */
export interface CertificationAuthority {
  /**
   * The CA issues by itself, and all that `enroll` and `resume` change is in the gateway's store. Nothing of it is outside of
   * the gateway when they resolve, so that the record of the enrolment, which was written before, need not be durable before
   * they are called; and what they have written need not be, since the caller makes its own record durable after it.
   */
  readonly issuesInStore?: true;

  /**
   * Seconds that `enroll`, `fullCmc` and `resume` may take. They go on when the time of the client's request is over, since
   * the CA would too: repeats of the request wait for their outcome, which gets into the journal in any case. Left out: they
   * end with the request.
   */
  readonly deadline?: number;

  /**
   * The CA whose state is in the gateway's store, and the options that say something of the CA itself: all backends of one CA
   * must have the same. Left out: its state is elsewhere.
   */
  readonly recorded?: {
    /** `identifierOfCa`. */
    readonly ca: string;
    readonly options: Readonly<Record<string, unknown>>;
  };

  /**
   * What of the backend's options decides what a certificate of this profile says, the CA among it, as plain data: the same as long as
   * the CA would issue the same. Left out: the name of the backend stands for it.
   */
  terms?(profile: string | undefined): unknown;

  /** The CA writes the parts of a subject in an order of its own; a CSR for a renewal may have them in another one. */
  readonly ordersSubject?: true;

  /**
   * Refuses names that the CA would certify in another form or without a part of them; asks nobody, and is asked before a
   * request is recorded. Throws `bad_certification_request` with a sentence that says what to change.
   */
  refuseNames?(names: NamesToCertify): void;

  /**
   * How the CA changes names by its nature, as by registered names in place of those of the CSR; an alias may say otherwise.
   * Left out: it does not.
   */
  nameChanges?(names: NamesToCertify): readonly NameChange[];

  /** The certificates, DER, by which the CA knows the gateway. */
  readonly clientCertificates?: readonly Buffer[];

  /**
   * The chain of the issuing CA as DER certificates: every intermediate up to and with the current root; any order,
   * no duplicates (RFC 7030, section 4.1.3). The alias adds what clients need around a change of the root.
   */
  caCertificates(signal: AbortSignal): Promise<readonly Buffer[]>;

  /**
   * Issues a certificate, or accepts the request for later (RFC 7030, sections 4.2.1 to 4.2.3). A request of
   * serverkeygen is for a key that is gone if it is not certified now: a CA that would wait refuses it.
   */
  enroll(request: EnrollmentRequest, signal: AbortSignal): Promise<EnrollmentResult>;

  /**
   * As `enroll`, for a CA that speaks CMC itself: `fullPkiRequest` is the message around the PKCS#10 as received, DER
   * (RFC 5272, section 3.2). Every signature in it was verified. After `pending`, `resume` is asked as it is after
   * `enroll`.
   */
  fullCmc?(
    request: EnrollmentRequest,
    fullPkiRequest: Buffer,
    signal: AbortSignal,
  ): Promise<EnrollmentResult>;

  /** For a CA that speaks EST itself. */
  readonly relay?: Relay;

  /** Asks again for a pending request by its reference; `request` is the device's repeat. */
  resume?(reference: string, request: EnrollmentRequest, signal: AbortSignal): Promise<EnrollmentResult>;

  /**
   * The status at this moment of a certificate that the key of this CA has signed; asked about every one that is shown. A
   * `Revocation`, where the CA says why and since when, in place of `revoked`.
   */
  certificateStatus?(certificate: Certificate, signal: AbortSignal): Promise<CertificateStatus | Revocation>;

  /**
   * Revokes a certificate that the CA has issued; resolves when it is revoked, also where it was before. For certificates that
   * nobody gets.
   */
  revoke?(certificate: Certificate, reason: RevocationReason, signal: AbortSignal): Promise<void>;

  /** Issues what no client can ask for, DER; for the command line alone. */
  issueForOperator?(request: OperatorRequest, signal: AbortSignal): Promise<Buffer>;

  /** The certificate of the key that signs now, DER, as the plain HTTP listener serves it for AIA. */
  issuingCertificate?(signal: AbortSignal): Promise<Buffer>;

  /**
   * The current certificate revocation list, DER, as the plain HTTP listener serves it. A CA that divides its list gives that of
   * a partition by its number, for the certificates whose distribution point names it; without one, that of what is in none.
   */
  crl?(signal: AbortSignal, partition?: number): Promise<Buffer>;

  /**
   * Refuses with a plain sentence when the profile does not exist, or never grants a usage that the alias demands of every CSR;
   * called at start for each alias.
   */
  checkProfile?(profile: string | undefined, demanded: Usages): void;

  /** Resolves when the CA can be reached and would accept us; else throws. For `check` and health probes. */
  health?(signal: AbortSignal): Promise<void>;

  /** Frees sockets and timers. Called once, when no call is under way. */
  close?(): Promise<void>;
}

/** Usages of a key. */
export interface Usages {
  readonly keyUsage: readonly KeyUsage[];
  /** Dotted object identifiers. */
  readonly extendedKeyUsage: readonly string[];
}

/** What a CA elsewhere says of itself, and what it said last: a gateway that starts while the CA is down serves with it. */
export interface LastAnswers {
  /**
   * Asks, and keeps the answer; gives the one that is kept when the CA is down. Throws what `ask` throws when nothing is
   * kept, or when it is no outage (`isOutage`). The CA is not asked for ten seconds after it was found to be down.
   */
  ask(question: string, ask: () => Promise<readonly Buffer[]>): Promise<readonly Buffer[]>;
  /** As `ask`, for what is worth nothing later: undefined while the CA is down. */
  askNow<Value>(ask: () => Promise<Value>): Promise<Value | undefined>;
  /** Whether the CA was ever found to be down. */
  readonly wasDown: boolean;
}

/** What the gateway lends to a driver. */
export interface CertificationAuthorityServices {
  /** The backend's name in the configuration. */
  readonly name: string;
  /** Where a backend that issues by itself records its certificates and revocations. */
  readonly certificates: CertificateRegistry;
  /** Where a backend that issues by itself keeps what waits for a person's decision. */
  readonly heldRequests: HeldRequestRegistry;
  /** Where a backend that asks a CA elsewhere keeps what it must know when an answer is lost. */
  readonly attempts: AttemptRegistry;
  /** For what a backend that asks a CA elsewhere must know of it at the start, when that may be down. */
  readonly answers: LastAnswers;
  /** Seconds after which a pending request that its client does not repeat has lapsed. */
  readonly pendingExpiry: number;
  readonly log: Log;
}

/** What every kind of CA backend says of itself. */
interface Driver {
  /** The value of `driver` in the configuration. */
  readonly name: string;
  /**
   * JSON Schema of the options beside `driver`. Two formats have a meaning for the loader: `file` makes a
   * path absolute, relative to the configuration file; `secret` does the same within a `file:` reference
   * (read it with `readSecret` of `ops/secret.ts`, which the package exports too).
   */
  readonly optionsSchema: SchemaObject;
}

/** A kind of CA backend: one object in a table (`ca/index.ts`, or passed to `runCommandLine`). */
export interface CertificationAuthorityDriver<Options = unknown> extends Driver {
  /**
   * Opens the backend; throws an Error with a plain sentence when a file or an option is unusable. A reload opens it anew
   * while the earlier one still serves.
   */
  open(options: Options, services: CertificationAuthorityServices): Promise<CertificationAuthority>;
}

/**
 * A kind of CA backend with several CAs behind it: each alias says by settings of its own which one it wants, and how.
 */
export interface CertificationAuthoritiesDriver<Options = unknown, AliasSettings = unknown> extends Driver {
  readonly aliasSettings: {
    /** JSON Schema of what an alias has below a key named like the driver; formats as above. */
    readonly schema: SchemaObject;
    /** What is contradictory in settings that fit the schema, each as a sentence. */
    contradictionsIn(settings: AliasSettings): readonly string[];
  };
  /** As above. */
  open(
    options: Options,
    services: CertificationAuthorityServices,
  ): Promise<CertificationAuthorities<AliasSettings>>;
}

/** A backend with several CAs; `clientCertificates`, `health` and `close` are those of `CertificationAuthority`. */
export interface CertificationAuthorities<AliasSettings = unknown> extends Pick<
  CertificationAuthority,
  'clientCertificates' | 'health' | 'close'
> {
  /** What no call tells the gateway and an operator has to see to, a sentence each; for `check`. */
  readonly unseen?: readonly string[];
  /** Called at start for each alias; throws an Error with a plain sentence when the settings name what is not there. */
  forAlias(settings: AliasSettings, signal: AbortSignal): Promise<CertificationAuthorityForAlias>;
}

/** A CA as one alias wants it, and what the alias's settings say about the gateway's own checks. */
export interface CertificationAuthorityForAlias {
  readonly ca: CertificationAuthority;
  /**
   * Asks the CA whether it is set up for the alias; changes nothing. Resolves with what keeps requests from being served, a
   * sentence each; throws as the methods of the CA do while it is down. For `check`, and for the log at the start.
   */
  examine?(signal: AbortSignal): Promise<readonly string[]>;
  /** What a client that enrols must show. A renewal needs a certificate of the CA, and nothing else. */
  readonly authentication: 'clientCertificate' | 'basic' | 'both';
  /** In place of it: codes that the CA checks itself. */
  readonly enrollmentCodes: EnrollmentCodes | undefined;
  /** DER: CAs of vendors with those above them, whose client certificates may enrol, as `implicitTrustAnchors` do. */
  readonly vendorCertificates: readonly Buffer[];
  /** Whether ChangeSubjectName is allowed, though the policy does not say so. */
  readonly changeSubjectName: boolean;
  /** Whether a renewal may keep its key. */
  readonly renewWithSameKey: boolean;
  /** Whether serverkeygen is switched on. */
  readonly serverKeyGeneration: boolean;
  /** Whether serverkeygen by a certificate of the CA alone renews it. */
  readonly renewalByServerKeyGeneration: boolean;
}
