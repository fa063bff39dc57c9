import { setTimeout as wait } from 'node:timers/promises';

/** Calls in a second. */
export const perSecond = 100;
/** Calls in a round. */
export const callsInRound = 3 * perSecond;

/** Starts calls at a steady pace, whatever they take; gives the milliseconds of each. */
export async function paced(call: () => Promise<unknown>): Promise<readonly number[]> {
  const times: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let n = 0; n < callsInRound; n += 1) {
    await wait(Math.max(0, startedAt + (n * 1000) / perSecond - performance.now()));
    const begin = performance.now();
    times.push(call().then(() => performance.now() - begin));
  }
  return await Promise.all(times);
}

/** The time that so many percent of the calls do not exceed. */
export function percentile(times: readonly number[], percent: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? 0;
}

/** Of several rounds, so that what else the machine did in one of them does not count. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}
