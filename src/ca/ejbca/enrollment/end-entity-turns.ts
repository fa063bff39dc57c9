import { EstError } from '../../../errors.ts';
import type { AttemptRegistry } from '../../../store/store.ts';

/** Has an end entity serve one record after the other, at this gateway and at all that share the store. */
export interface EndEntityTurns {
  /**
   * Runs a job while the end entity is kept for the record. Throws `ca_unavailable` when others have it for too long. Where
   * the job fails without a word of EJBCA, `keepOnDoubt` keeps it for the record until nothing can be under way any more.
   */
  run<Value>(turn: Turn, job: () => Promise<Value>): Promise<Value>;
}

/** For whom, and for how long one waits. */
interface Turn {
  readonly username: string;
  /** Id of the journal's record. */
  readonly record: string;
  readonly keepOnDoubt: boolean;
  readonly signal: AbortSignal;
}

/** What turns are made of. */
export interface EndEntityTurnsParts {
  readonly attempts: AttemptRegistry;
  /** The backend's name in the configuration. */
  readonly backend: string;
  /** Seconds that a job may take. */
  readonly deadline: number;
  /** Resolves after so many milliseconds. */
  readonly sleep: (milliseconds: number) => Promise<unknown>;
}

/** Milliseconds between two looks at whether another gateway is done. */
const pause = 100;

/** Seconds by which clocks of gateways may differ. */
const clockSkew = 60;

/** Nobody has an end entity yet. */
export function createEndEntityTurns({
  attempts,
  backend,
  deadline,
  sleep,
}: EndEntityTurnsParts): EndEntityTurns {
  const last = new Map<string, Promise<unknown>>();

  /** The records that this gateway handles come in the order in which they asked. */
  async function inOrder<Value>(username: string, job: () => Promise<Value>): Promise<Value> {
    const before = last.get(username) ?? Promise.resolve();
    const own = before.then(job, job);
    last.set(username, own);
    try {
      return await own;
    } finally {
      if (last.get(username) === own) last.delete(username);
    }
  }

  async function occupy(username: string, { record, signal }: Turn, patience: number): Promise<void> {
    for (;;) {
      const now = new Date();
      const until = new Date(now.getTime() + (deadline + clockSkew) * 1000);
      if (await attempts.occupy({ backend, username }, record, now, until)) return;
      if (signal.aborted || now.getTime() > patience) throw inUse();
      await sleep(pause);
    }
  }

  return {
    async run(turn, job) {
      const username = sameForEjbca(turn.username);
      const patience = Date.now() + (deadline * 1000) / 2;
      return await inOrder(username, async () => {
        if (turn.signal.aborted) throw inUse();
        await occupy(username, turn, patience);
        let isInDoubt = false;
        try {
          return await job();
        } catch (error) {
          isInDoubt = turn.keepOnDoubt && !(error instanceof EstError && error.status < 500);
          throw error;
        } finally {
          if (!isInDoubt) await attempts.vacate({ backend, username }, turn.record);
        }
      });
    },
  };
}

/** EJBCA trims user names, and its database may ignore their case. */
export function sameForEjbca(username: string): string {
  return username.trim().toLowerCase();
}

function inUse(): EstError {
  return new EstError('ca_unavailable', 'Another request for the same end entity is under way.', {
    retryAfter: 2,
  });
}
