/** What must have ended before that which it uses is closed. */
export interface Work {
  /** Something begins; the function that this gives is called when it has ended. */
  readonly begin: () => () => void;
  /** Resolves when nothing is under way. */
  readonly ended: () => Promise<void>;
}

/**
 * Work of which nothing is under way yet. It is a number, and no set of what is under way: V8 keeps the tables that a set has
 * outgrown for a while, and with them requests that have long been answered.
 */
export function createWork(): Work {
  let underWay = 0;
  let whenIdle: (() => void) | undefined;

  function end(): void {
    underWay -= 1;
    if (underWay === 0) whenIdle?.();
  }

  return {
    begin() {
      underWay += 1;
      return end;
    },
    async ended() {
      while (underWay > 0) {
        await new Promise<void>((resolve) => {
          whenIdle = resolve;
        });
      }
    },
  };
}
