import { createAttempts, type AttemptLimits, type Attempts } from '../auth/attempts/attempts.ts';
import { createNonceUses, type NonceUses } from '../auth/digest-nonce.ts';
import type { Log } from '../ops/log.ts';

/** What is kept in memory and must outlive a reload: made once for the process, and used by whatever is served. */
export interface ProcessState {
  /** Who must wait after wrong codes. */
  readonly attempts: Attempts;
  /** Which credentials of Digest were used. */
  readonly nonceUses: NonceUses;
  /** Aborted when all requests have been answered and the process is to end. */
  readonly stopping: AbortController;
}

/** With nothing in it yet. A reload takes up no change of the limits. */
export function createProcessState(limits: AttemptLimits, log: Log): ProcessState {
  return {
    attempts: createAttempts(limits, log),
    nonceUses: createNonceUses(),
    stopping: new AbortController(),
  };
}
