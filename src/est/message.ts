import type { Credentials } from '../auth/auth.ts';
import type { ChannelBinding } from '../auth/channel-binding.ts';
import type { RelayedAnswer } from '../ca/ca.ts';
import type { EstError } from '../errors.ts';
import type { TrustAnchorKind } from '../identity.ts';
import type { Log } from '../ops/log.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import type { EnrollmentJournal, PendingLimits } from '../store/store.ts';
import type { Alias } from './alias.ts';
import type { EnrollmentJobs } from './enrollment-jobs.ts';

/** What an operation sees of a request; `est/router.ts` makes it, and no operation sees HTTP. */
export interface EstRequest {
  /** For the error text, the log and the backend. */
  readonly id: string;
  readonly receivedAt: Date;
  readonly alias: Alias;
  readonly journal: EnrollmentJournal;
  readonly jobs: EnrollmentJobs;
  readonly reservationOf: KeyReservations;
  /** How long, in seconds, a repeat of the same request gets the same certificate. */
  readonly repeatWindow: number;
  /** How many requests may wait for the CA, and for how many seconds one that nobody asks for. */
  readonly pending: PendingLimits & { readonly expiry: number };
  /** How long, in seconds, a request may take in all. */
  readonly deadline: number;
  readonly credentials: Credentials;
  /** The channel binding of the TLS session. */
  readonly channelBinding: () => ChannelBinding;
  /** Whether a CSR that carries it can be accepted at all, which takes nothing from the connection to know. */
  readonly canLink: boolean;
  /** Bits of the key with which TLS encrypts the answer; 0 where nobody knows. Throws `malformed_request`. */
  readonly cipherStrength: () => number;
  /** Aborts when the time for this request is over. */
  readonly signal: AbortSignal;
  /** Aborts when the client goes away before it has the answer. */
  readonly clientGone: () => AbortSignal;
  /**
   * Reads the body once, in the media type that the operation demands (with its parameters, if it names any), and
   * gives its DER octets. Throws `unsupported_media_type`, `payload_too_large` or `malformed_request`.
   */
  readonly readBody: (mediaType: string) => Promise<Buffer>;
  readonly log: Log;
  /** Adds to the one log line of this request, whatever its end is. */
  readonly annotate: (facts: RequestFacts) => void;
}

/** What the log line of a request says besides alias, operation and outcome. */
export interface RequestFacts {
  readonly identity?: string;
  /** Which kind of anchor the client certificate led to, when there was one. */
  readonly trustAnchor?: TrustAnchorKind | undefined;
  /** When the client certificate expired, where the alias lets such a one renew itself. */
  readonly expiredAt?: string;
  /** Whose certificate signed the message, where messages are signed: RFC 4514 string. */
  readonly signedBy?: string;
  /** Which one asked for somebody else, by its name in the configuration. */
  readonly registrationAuthority?: string | undefined;
  readonly subject?: string;
  readonly subjectAltName?: string;
  readonly serialNumber?: string;
  readonly repeated?: boolean;
}

/** The body of an answer, or a part of it. */
export interface Content {
  readonly mediaType: string;
  /** DER; base64 is the wire's business (RFC 8951, section 3). */
  readonly body: Buffer;
}

/** What an operation answers. A refusal is thrown, unless the operation has a format of its own for it. */
export type EstResponse =
  | (Content & { readonly status: 'ok' })
  | {
      readonly status: 'ok';
      /** Several, of which one is secret: the wire fills them with zeros when they are sent. */
      readonly secretParts: readonly Content[];
    }
  | {
      /** There is nothing to say. */
      readonly status: 'empty';
    }
  | {
      readonly status: 'accepted';
      /** Whole seconds (RFC 7030, section 4.2.3). */
      readonly retryAfter: number;
      /** Left out: a sentence for people. */
      readonly content?: Content;
    }
  | {
      /** The CA's own answer, on its way. */
      readonly status: 'relayed';
      readonly answer: RelayedAnswer;
    }
  | {
      /** Refused, in the operation's own format (RFC 7030, section 4.3.2). */
      readonly status: 'refused';
      readonly error: EstError;
      readonly content: Content;
    };
