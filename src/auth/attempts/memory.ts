import { createRecent } from '../../ops/recent.ts';

/** What is remembered for some time in this process. Times are milliseconds of one clock. */
export interface Memory<Value> {
  get(key: string, now: number): Value | undefined;
  /** Remembers from now on, in place of what was there. */
  set(key: string, value: Value, now: number): void;
  forget(key: string): void;
}

/** Keeps entries for so many milliseconds, of more than so many only those that were set last (`createRecent`). */
export function createMemory<Value>(leastEntries: number, lifetime: number): Memory<Value> {
  const entries = createRecent<{ readonly value: Value; readonly setAt: number }>(leastEntries);
  return {
    get(key, now) {
      const entry = entries.get(key);
      return entry !== undefined && entry.setAt + lifetime > now ? entry.value : undefined;
    },
    set(key, value, now) {
      entries.set(key, { value, setAt: now });
    },
    forget(key) {
      entries.forget(key);
    },
  };
}
