import type { SchemaObject } from 'ajv';
import type { UserIdentity } from '../../identity.ts';
import type { Log } from '../../ops/log.ts';

/** A user name and its code, as a client sent them: in NFC, without control characters, either may be empty. */
export interface ShownCode {
  readonly name: string;
  readonly code: string;
}

/** What a source of credentials knows of a user. */
export type CredentialVerdict =
  | { readonly state: 'proved'; readonly user: UserIdentity }
  /** The source has no user of this name: the next one is asked. */
  | { readonly state: 'unknown' }
  /** The code is not that of the user, or the user may not enrol: nobody else is asked. The reason is for the log. */
  | { readonly state: 'wrong'; readonly reason?: string }
  /** Nobody knows at the moment: the request is refused, and nobody else is asked. */
  | { readonly state: 'unavailable'; readonly reason: string };

/** Somebody who knows users and their codes. */
export interface CredentialSource {
  /** For the log. */
  readonly name: string;
  /** Whether a refusal takes the same time for every name, known or not. */
  readonly takesEqualTime: boolean;
  /**
   * Asks about a user; rejects only when something unforeseen happens, which counts as `unavailable`. `networks`
   * are those that the client is in, from the largest to the smallest (left out or empty: nobody knows): where checks must wait, they
   * should take turns at each of these levels, so that a flood from some keeps nobody else out.
   */
  prove(shown: ShownCode, signal: AbortSignal, networks?: readonly string[]): Promise<CredentialVerdict>;
  /** Rejects with a plain sentence when nobody could be proved at the moment. Left out: that cannot be. */
  health?(signal: AbortSignal): Promise<void>;
  /** Nobody is proved any more. Left out: there is nothing to close. */
  close?(): Promise<void>;
}

/** The users of the store at one alias. */
export interface StoreUsers {
  /** As a source does; a refusal takes the same time for every name, known or not. */
  prove(shown: ShownCode, signal: AbortSignal, networks?: readonly string[]): Promise<CredentialVerdict>;
}

/** What a source may use. */
export interface CredentialServices {
  /** The alias at which users enrol. */
  readonly alias: string;
  readonly users: StoreUsers;
  readonly log: Log;
}

/** A kind of source: one object in the table of `index.ts`. */
export interface CredentialDriver<Options = unknown> {
  /** The value of `driver` in the configuration. */
  readonly name: string;
  /** JSON Schema of the options beside `driver`; formats `file` and `secret` as in `ca/ca.ts`. */
  readonly optionsSchema: SchemaObject;
  /**
   * Makes a source ready. Rejects with a plain sentence when its options or files are wrong; an outage is no reason. A
   * reload opens sources anew while the earlier ones still serve.
   */
  open(options: Options, services: CredentialServices): Promise<CredentialSource>;
}
