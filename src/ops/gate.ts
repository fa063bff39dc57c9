import { EstError } from '../errors.ts';

/** Lets a bounded number of jobs run at once, and a bounded number wait. */
export interface Gate {
  /**
   * Runs the job when there is room. Throws `overloaded` when too many wait already, and `ca_timeout` when the signal
   * aborts before the job has begun.
   */
  run<Value>(signal: AbortSignal, job: () => Promise<Value>): Promise<Value>;
}

/** How many jobs run and wait. */
export interface GateOptions {
  readonly concurrency: number;
  readonly queue: number;
}

/** Seconds after which there may be room again. */
const retryWhenFull = 5;

/** A gate in front of a CA or another service. Who waits longest comes first. */
export function createGate({ concurrency, queue }: GateOptions): Gate {
  const waiting = new Set<() => void>();
  let running = 0;

  async function enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw tooLate();
    if (running < concurrency) {
      running += 1;
      return;
    }
    if (waiting.size >= queue) {
      throw new EstError('overloaded', 'Too many requests wait for the same service.', {
        retryAfter: retryWhenFull,
      });
    }
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        waiting.delete(begin);
        reject(tooLate());
      };
      const begin = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      waiting.add(begin);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Hands the place to the next one. */
  function leave(): void {
    const [next] = waiting;
    if (next === undefined) {
      running -= 1;
      return;
    }
    waiting.delete(next);
    next();
  }

  return {
    async run(signal, job) {
      await enter(signal);
      try {
        return await job();
      } finally {
        leave();
      }
    },
  };
}

function tooLate(): EstError {
  return new EstError('ca_timeout', 'The time for the request was over before the service could be asked.');
}
