/**
 * The gateway's own errors. Inside, code throws `EstError(code, sentence)`; the table below is the only place
 * that knows HTTP status codes (RFC 7030, section 4.2.3: a refusal is a suitable 4xx or 5xx with plain text).
 */

const statusByCode = {
  malformed_request: 400,
  unknown_alias: 400,
  bad_certification_request: 400,
  channel_binding_mismatch: 400,
  unauthenticated: 401,
  wrong_credentials: 401,
  wrong_enrollment_code: 401,
  wrong_enrollment_code_in_csr: 400,
  client_certificate_missing: 403,
  forbidden: 403,
  refused_by_policy: 403,
  rejected_by_ca: 403,
  unknown_operation: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  payload_too_large: 413,
  unsupported_media_type: 415,
  expectation_failed: 417,
  too_early: 425,
  header_fields_too_large: 431,
  too_many_requests: 429,
  internal: 500,
  unknown_method: 501,
  ca_bad_answer: 502,
  ca_unavailable: 503,
  credentials_unavailable: 503,
  overloaded: 503,
  policy_unavailable: 503,
  revocation_status_unavailable: 503,
  ca_timeout: 504,
} as const;

/** 5xx texts are fixed: what happened between the gateway and the CA is for the log. */
const fixedSentences: Partial<Record<EstErrorCode, string>> = {
  internal: 'The gateway failed to handle the request.',
  ca_bad_answer: 'The CA behind the gateway gave an answer that makes no sense.',
  ca_unavailable: 'The CA behind the gateway cannot be reached at the moment; try again later.',
  ca_timeout: 'The CA behind the gateway did not answer in time; try again later.',
  revocation_status_unavailable:
    'It cannot be found out at the moment whether the client certificate is revoked; try again later.',
  credentials_unavailable:
    'It cannot be found out at the moment whether the enrolment code is right; try again later.',
  policy_unavailable:
    'It cannot be found out at the moment whether this request is allowed; try again later.',
  overloaded: 'The gateway has as much to do as it may take on; try again later.',
};

/** What went wrong, as a stable word; log lines and specs quote it. */
export type EstErrorCode = keyof typeof statusByCode;

/** What a CMC answer says of a refusal: a CMCFailInfo, or the CMCStatus noSupport (RFC 5272, sections 6.1.3, 6.1.4). */
export type CmcFailure =
  | 'noSupport'
  | 'badAlg'
  | 'badMessageCheck'
  | 'badRequest'
  | 'unsupportedExt'
  | 'badIdentity'
  | 'popFailed'
  | 'internalCAError'
  | 'tryLater';

/** What an error carries besides its code and sentence. */
export interface EstErrorOptions {
  /** What led to it, for the log only. */
  readonly cause?: unknown;
  /** Whole seconds after which the same request may succeed. */
  readonly retryAfter?: number;
  /** Response header fields that belong to the status: `Allow`, `Accept`, `WWW-Authenticate`; a list is several lines. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** What a CMC answer says of it, where the code alone does not tell. */
  readonly cmcFailure?: CmcFailure;
  /** For the log only: what refused the request. */
  readonly refusedBy?: RefusedBy;
  /** For the log only: what the client showed in vain. */
  readonly refusedCredentials?: RefusedCredentials;
  /** For the log only: for whom a CSR asks that was refused before it was read to its end. */
  readonly requestedNames?: RequestedNames | undefined;
  /** For the journal: it is known that the CA has issued nothing, since it was not asked or has said so. */
  readonly nothingIssued?: boolean;
}

/** For whom a CSR asks, for people. */
export interface RequestedNames {
  /** RFC 4514 string. */
  readonly subject: string;
  /** Type and value of each name. */
  readonly subjectAltName?: string;
}

/** What a client showed in vain, by its own words. */
export interface RefusedCredentials {
  /** The name of a user that somebody knows. */
  readonly user?: string;
  /** A name that nobody knows, or about which nobody was asked; not a name that may be a code in the wrong place. */
  readonly triedUser?: string;
  readonly refusedCertificate?: string;
  readonly certificateFault?: CertificateFault;
}

/** Why a certificate is not accepted, as a stable word. */
export type CertificateFault =
  | 'expired'
  | 'not_yet_valid'
  | 'unknown_issuer'
  | 'issuer_not_valid'
  | 'issuer_no_ca'
  | 'revoked'
  | 'never_issued'
  | 'revocation_unknown'
  | 'key_usage'
  | 'extended_key_usage'
  | 'critical_extension'
  | 'name_constraints'
  | 'certificate_policies'
  | 'path_length'
  | 'signature'
  | 'key'
  | 'malformed'
  | 'other';

/** A rule that a request broke. */
export interface RefusedBy {
  /** The rule by its place in the configuration, such as `policy.rules[0]`, and its text where it has one; left out: that of the check. */
  readonly rule?: string;
  /** Where in the request, as docs/policy.md names its parts. */
  readonly path?: string;
  /** The attribute, name or extension that the rule does not grant, such as `organizationName=Other`; of one line. */
  readonly offending?: string;
}

/**
 * A refusal. The message is one plain ASCII sentence: what was expected, what was found, what to do. It never
 * holds secrets or the sender's bytes. A 4xx message is what the device's operator reads.
 */
export class EstError extends Error {
  readonly code: EstErrorCode;
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly cmcFailure: CmcFailure | undefined;
  readonly refusedBy: RefusedBy | undefined;
  readonly refusedCredentials: RefusedCredentials | undefined;
  readonly requestedNames: RequestedNames | undefined;
  readonly nothingIssued: boolean;

  constructor(code: EstErrorCode, sentence: string, options: EstErrorOptions = {}) {
    super(sentence, { cause: options.cause });
    this.name = 'EstError';
    this.code = code;
    this.retryAfter = options.retryAfter;
    this.headers = options.headers ?? {};
    this.cmcFailure = options.cmcFailure;
    this.refusedBy = options.refusedBy;
    this.refusedCredentials = options.refusedCredentials;
    this.requestedNames = options.requestedNames;
    this.nothingIssued = options.nothingIssued ?? false;
  }

  /** The same refusal, of which more is known. */
  with(options: EstErrorOptions): EstError {
    const { cause, retryAfter, headers, cmcFailure, refusedBy, refusedCredentials } = this;
    const { requestedNames, nothingIssued } = this;
    return new EstError(this.code, this.message, {
      cause,
      headers,
      ...(retryAfter !== undefined && { retryAfter }),
      ...(cmcFailure !== undefined && { cmcFailure }),
      ...(refusedBy !== undefined && { refusedBy }),
      ...(refusedCredentials !== undefined && { refusedCredentials }),
      requestedNames,
      nothingIssued,
      ...options,
    });
  }

  /** The HTTP status of this refusal. */
  get status(): number {
    return statusByCode[this.code];
  }

  /** What the client reads. */
  get sentence(): string {
    return fixedSentences[this.code] ?? this.message;
  }
}

/** Whether something thrown, or what led to it, says that the CA is down or late: what was asked may succeed later. */
export function isOutage(thrown: unknown): boolean {
  if (thrown instanceof EstError) return thrown.code === 'ca_unavailable' || thrown.code === 'ca_timeout';
  return thrown instanceof Error && thrown.cause !== undefined && isOutage(thrown.cause);
}

/**
 * Anything thrown, as an EstError: what is not one already becomes `internal` with a fixed sentence, and stays
 * in `cause` for the log, since exception texts may hold secrets.
 */
export function toEstError(thrown: unknown): EstError {
  if (thrown instanceof EstError) return thrown;
  return new EstError('internal', 'Something unforeseen was thrown.', { cause: thrown });
}
