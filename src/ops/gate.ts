import { EstError } from '../errors.ts';
import { createTurns, type Party } from './turns.ts';

/** Lets a bounded number of jobs run at once, and a bounded number wait. */
export interface Gate {
  /**
   * Runs the job when there is room. Those who wait take turns by their parties (`createTurns`). When too many wait, the
   * job that would wait longest is given up, so that a flood keeps out nobody who has a party without it. Without a party
   * jobs run in the order in which they come.
   *
   * Throws `overloaded` when the job may wait no more, and `ca_timeout` when the signal aborts before the job has begun.
   */
  run<Value>(signal: AbortSignal, job: () => Promise<Value>, party?: Party): Promise<Value>;
}

/** How many jobs run and wait. */
export interface GateOptions {
  readonly concurrency: number;
  readonly queue: number;
}

/** Seconds after which there may be room again. */
const retryWhenFull = 5;

/** A gate in front of a CA, another service, or whatever takes long. */
export function createGate({ concurrency, queue }: GateOptions): Gate {
  const turns = createTurns<PromiseWithResolvers<undefined>>();
  let running = 0;

  async function enter(signal: AbortSignal, party: Party): Promise<void> {
    if (signal.aborted) throw tooLate();
    const place = Promise.withResolvers<undefined>();
    const giveUp = (): void => {
      turns.remove(place);
      place.reject(tooLate());
    };
    turns.add(place, party);
    if (running < concurrency) {
      running += 1;
      turns.next()?.resolve(undefined);
    } else if (turns.waiting > queue) {
      turns.last()?.reject(tooMany());
    }
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await place.promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Hands the place to the next one. */
  function leave(): void {
    const next = turns.next();
    if (next === undefined) running -= 1;
    else next.resolve(undefined);
  }

  return {
    async run(signal, job, party = []) {
      await enter(signal, party);
      try {
        return await job();
      } finally {
        leave();
      }
    },
  };
}

function tooMany(): EstError {
  return new EstError('overloaded', 'Too many requests wait for the same service.', {
    retryAfter: retryWhenFull,
  });
}

function tooLate(): EstError {
  return new EstError('ca_timeout', 'The time for the request was over before the service could be asked.');
}
