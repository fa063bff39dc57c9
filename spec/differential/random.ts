import { randomInt } from 'node:crypto';

/** Numbers that a seed decides, so that what was found can be made again. */
export interface Random {
  /** A whole number below `limit`. */
  below(limit: number): number;
  pick<Value>(values: readonly [Value, ...Value[]]): Value;
  /** True so many times in a hundred. */
  chance(percent: number): boolean;
}

/** By the generator mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (values) => values[below(values.length)] ?? values[0],
    chance: (percent) => below(100) < percent,
  };
}

/** Seeds to run: one that stays, and one that is another each time unless DIFFERENTIAL_SEED says which. */
export const seeds = {
  fixed: 5280,
  changing: Number(process.env['DIFFERENTIAL_SEED'] ?? randomInt(2 ** 31)),
} as const;

/** Says how to have the same situations again. */
export function printSeed(seed: number, what: string): void {
  process.stdout.write(`${what}: DIFFERENTIAL_SEED=${seed}\n`);
}

/** How many times more than usual is tried. */
export const times = Number(process.env['DIFFERENTIAL_TIMES'] ?? 1);
