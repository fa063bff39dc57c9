import { EstError } from '../errors.ts';

/** Lets a bounded number of jobs run at once, and a bounded number wait. */
export interface Gate {
  /**
   * Runs the job when there is room. Those who wait are served by turns: one job of each party, and of a party the one
   * that waits longest. When too many wait, the party with the most jobs gives up its last one, so that a flood of one
   * party keeps out nobody else; left out, all are one party.
   *
   * Throws `overloaded` when the job may wait no more, and `ca_timeout` when the signal aborts before the job has begun.
   */
  run<Value>(signal: AbortSignal, job: () => Promise<Value>, party?: string): Promise<Value>;
}

/** How many jobs run and wait. */
export interface GateOptions {
  readonly concurrency: number;
  readonly queue: number;
}

/** Seconds after which there may be room again. */
const retryWhenFull = 5;

type Place = PromiseWithResolvers<undefined>;

/** A gate in front of a CA, another service, or whatever takes long. */
export function createGate({ concurrency, queue }: GateOptions): Gate {
  /** Who waits, by party; none of them is empty, and whose turn is next stands first. */
  const lines = new Map<string, readonly Place[]>();
  let running = 0;

  async function enter(signal: AbortSignal, party: string): Promise<void> {
    if (signal.aborted) throw tooLate();
    if (running < concurrency) {
      running += 1;
      return;
    }
    makeRoomFor(party);
    const place = Promise.withResolvers<undefined>();
    const giveUp = (): void => {
      remove(party, place, tooLate());
    };
    setLine(party, [...lineOf(party), place]);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await place.promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Nobody is sent away for a party that would then have as many waiting as the other one, or more. */
  function makeRoomFor(party: string): void {
    const waiting = [...lines.values()].reduce((sum, { length }) => sum + length, 0);
    if (waiting < queue) return;
    const [longest] = [...lines].sort(([, one], [, other]) => other.length - one.length);
    const last = longest?.[1].at(-1);
    if (longest === undefined || last === undefined || longest[1].length <= lineOf(party).length + 1) {
      throw tooMany();
    }
    remove(longest[0], last, tooMany());
  }

  function remove(party: string, place: Place, reason: EstError): void {
    setLine(
      party,
      lineOf(party).filter((other) => other !== place),
    );
    place.reject(reason);
  }

  /** Hands the place to the next one, whose party then comes after all others. */
  function leave(): void {
    const [next] = lines;
    if (next === undefined) {
      running -= 1;
      return;
    }
    const [party, [first, ...others]] = next;
    lines.delete(party);
    setLine(party, others);
    first?.resolve(undefined);
  }

  function lineOf(party: string): readonly Place[] {
    return lines.get(party) ?? [];
  }

  function setLine(party: string, line: readonly Place[]): void {
    if (line.length > 0) lines.set(party, line);
    else lines.delete(party);
  }

  return {
    async run(signal, job, party = '') {
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
