/** A value from elsewhere, and when it ends: milliseconds since 1970. */
export interface Loaded<Value> {
  readonly value: Value;
  readonly expiresAt: number;
}

/** How a value is kept. */
export interface CachedOptions<Value> {
  readonly load: () => Promise<Loaded<Value>>;
  /** Milliseconds after which a value is loaded anew at the latest. */
  readonly maxAge: number;
  /** Told of every load that failed. */
  readonly onFailure: (error: unknown) => void;
}

/** Milliseconds in which nothing is loaded after a failure. */
const pause = 10_000;

/** Share of a value's life after which it is loaded anew while it is still in use. */
const refreshAfter = 0.75;

/**
 * Gives a value that has not expired. It is loaded when somebody asks, once for all who ask meanwhile; ahead of its end
 * it is loaded anew while the old one is still given. Rejects as the load does, too for a while after that.
 */
export function createCached<Value>({ load, maxAge, onFailure }: CachedOptions<Value>): () => Promise<Value> {
  let current: (Loaded<Value> & { readonly refreshAt: number }) | undefined;
  let loading: Promise<Value> | undefined;
  let failed: { readonly error: unknown; readonly until: number } | undefined;

  async function reload(): Promise<Value> {
    const begun = Date.now();
    try {
      const loaded = await load();
      const refreshAt = begun + Math.min(maxAge, (loaded.expiresAt - begun) * refreshAfter);
      current = { ...loaded, refreshAt };
      failed = undefined;
      return loaded.value;
    } catch (error) {
      failed = { error, until: Date.now() + pause };
      onFailure(error);
      throw error;
    } finally {
      loading = undefined;
    }
  }

  return async function get() {
    const now = Date.now();
    if (current !== undefined && now < current.refreshAt) return current.value;
    const isUsable = current !== undefined && now < current.expiresAt;
    if (failed !== undefined && now < failed.until) {
      if (current !== undefined && isUsable) return current.value;
      throw failed.error;
    }
    loading ??= reload();
    if (current === undefined || !isUsable) return await loading;
    // Whoever waits is told; nobody has to.
    loading.catch(() => undefined);
    return current.value;
  };
}

/** Gives the value of a key, which `make` makes on first use. */
export type Cache<Value> = (key: string, make: () => Value) => Value;

/** Remembers so many values; of more, the one that was used least lately is forgotten. */
export function createCache<Value>(most: number): Cache<Value> {
  const values = new Map<string, Value>();
  return function find(key, make) {
    const value = values.get(key) ?? make();
    values.delete(key);
    values.set(key, value);
    const [oldest] = values.keys();
    if (values.size > most && oldest !== undefined) values.delete(oldest);
    return value;
  };
}
