/** What is remembered for some time in this process. Times are milliseconds of one clock. */
export interface Memory<Value> {
  get(key: string, now: number): Value | undefined;
  /** Remembers from now on, in place of what was there. */
  set(key: string, value: Value, now: number): void;
  forget(key: string): void;
}

/** Keeps at most so many entries, each for so many milliseconds; the one that was set longest ago is forgotten first. */
export function createMemory<Value>(mostEntries: number, lifetime: number): Memory<Value> {
  const entries = new Map<string, { readonly value: Value; readonly setAt: number }>();
  return {
    get(key, now) {
      const entry = entries.get(key);
      return entry !== undefined && entry.setAt + lifetime > now ? entry.value : undefined;
    },
    set(key, value, now) {
      entries.delete(key);
      const [oldest] = entries.keys();
      if (entries.size >= mostEntries && oldest !== undefined) entries.delete(oldest);
      entries.set(key, { value, setAt: now });
    },
    forget(key) {
      entries.delete(key);
    },
  };
}
