import type { EstRequest } from './message.ts';

/** How the configuration limits requests. */
export interface RequestLimits {
  /** Seconds that a request may take. */
  readonly requestTimeout: number;
  /** Seconds in which a repeat of the same request gets the same certificate. */
  readonly repeatWindow: number;
  /** Requests that may wait for the CA at one alias, of one identity and in all. */
  readonly pendingPerIdentity: number;
  readonly pendingPerAlias: number;
  /** Seconds after which one that nobody asks for has lapsed. */
  readonly pendingExpiry: number;
}

/** The same as operations see it. */
export function limitsOfRequest({
  requestTimeout,
  repeatWindow,
  pendingPerIdentity,
  pendingPerAlias,
  pendingExpiry,
}: RequestLimits): Pick<EstRequest, 'deadline' | 'repeatWindow' | 'pending'> {
  const pending = { perIdentity: pendingPerIdentity, perAlias: pendingPerAlias, expiry: pendingExpiry };
  return { deadline: requestTimeout, repeatWindow, pending };
}
