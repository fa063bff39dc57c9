/** A world without time of its own: everything that waits does so at a pause, and a seed decides who goes on next. */

/** Numbers from a seed, the same each time (mulberry32). */
export interface Chance {
  /** From 0 on, below 1. */
  next(): number;
  below(limit: number): number;
  /** Whether something of this probability happens. */
  happens(probability: number): boolean;
}

/** From a whole number. */
export function chanceFrom(seed: number): Chance {
  let state = seed;
  function next(): number {
    state = (state + 0x6d_2b_79_f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    happens: (probability) => next() < probability,
  };
}

/** Who waits, until when. */
interface Waiting {
  readonly until: number;
  readonly goOn: () => void;
}

/** Virtual time. */
export interface World {
  readonly chance: Chance;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Waits up to so many milliseconds; left out: for a moment. */
  pause(most?: number): Promise<void>;
  /** Waits exactly so many milliseconds. */
  sleep(milliseconds: number): Promise<void>;
  /** Lets everything go on until nothing waits. */
  run(): Promise<void>;
}

/** Pauses that are rolled over more often than this mean that something never ends. */
const mostSteps = 50_000;

/** Nothing waits yet. */
export function createWorld(chance: Chance): World {
  let time = Date.UTC(2026, 0, 1);
  let waiting: Waiting[] = [];

  async function sleep(milliseconds: number): Promise<void> {
    await new Promise<void>((goOn) => {
      waiting.push({ until: time + milliseconds, goOn });
    });
  }

  return {
    chance,
    now: () => time,
    sleep,
    async pause(most = 50) {
      await sleep(chance.below(most));
    },
    async run() {
      for (let step = 0; ; step += 1) {
        await new Promise(setImmediate);
        if (waiting.length === 0) return;
        if (step > mostSteps) throw new Error('It does not come to an end.');
        const [first, ...others] = waiting.sort((one, other) => one.until - other.until);
        if (first === undefined) return;
        time = Math.max(time, first.until);
        waiting = others;
        first.goOn();
      }
    },
  };
}
