/** Values by keys, of which only those that were set lately are kept. */
export interface Recent<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
  forget(key: string): void;
}

/**
 * Keeps at least so many keys, those that were set last, and at most twice as many. Two maps take turns, since a Map from
 * which the first key is deleted again and again takes long to find the next one.
 */
export function createRecent<Value>(least: number): Recent<Value> {
  let young = new Map<string, Value>();
  let old: typeof young = new Map();
  return {
    get: (key) => young.get(key) ?? old.get(key),
    set(key, value) {
      young.set(key, value);
      if (young.size < least) return;
      old = young;
      young = new Map();
    },
    forget(key) {
      young.delete(key);
      old.delete(key);
    },
  };
}
