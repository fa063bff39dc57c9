/** What can go wrong between the gateway and EJBCA, on purpose. EJBCA goes on with a call whose client has gone. */
import type { Step } from './model/transaction.ts';

/** A fault. `before` happens before EJBCA sees the request, `after` when it has done its work. */
export type Fault = {
  /** Calls that it hits, by a part of their path; default: all. */
  readonly path?: string;
  /** How many calls it hits, counted from now; default: all until `clearFaults`. */
  readonly times?: number;
} & (
  | { readonly kind: 'latency'; readonly milliseconds: number }
  /** The connection ends with a reset. */
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' }
  /** Never answers. */
  | { readonly kind: 'silence'; readonly when: 'before' | 'after' }
  /** Any answer instead of the right one, such as a proxy's 502 page. */
  | {
      readonly kind: 'answer';
      readonly when: 'before' | 'after';
      readonly status: number;
      readonly contentType?: string;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The right answer, but the connection ends in the middle of the body. */
  | { readonly kind: 'truncation' }
  /** The right answer, one octet at a time, with pauses. */
  | { readonly kind: 'trickle'; readonly milliseconds: number }
  /** The right answer with other members. */
  | { readonly kind: 'change'; readonly members: Readonly<Record<string, unknown>> }
);

/** Which calls a hold stops. */
export interface HeldCalls {
  /** A part of their path; default: all. */
  readonly path?: string;
  /** How many; default: one. */
  readonly times?: number;
}

/** Calls that are stopped at a step of their transaction, until they are released. */
export interface Hold {
  /** When as many as were asked for stand there. */
  readonly reached: Promise<void>;
  /** Lets them go on, and stops no further ones. */
  release(): void;
}

/** The faults that are set. */
export interface Faults {
  set(fault: Fault): void;
  /** Stops calls at a step. */
  hold(step: Step, calls?: HeldCalls): Hold;
  /** Releases what is held, too. */
  clear(): void;
  /** The faults that hit this call, and uses them up by one. */
  take(path: string): readonly Fault[];
  /** Waits where a call is held at this step. */
  pass(path: string, step: Step): Promise<void>;
}

interface ActiveHold {
  readonly step: Step;
  readonly path: string;
  left: number;
  readonly released: Promise<void>;
  readonly stopped: () => void;
  readonly release: () => void;
}

/** No fault yet. */
export function createFaults(): Faults {
  const active = new Map<Fault, number>();
  const holds = new Set<ActiveHold>();
  return {
    set(fault) {
      active.set(fault, fault.times ?? Infinity);
    },
    hold(step, { path = '', times = 1 } = {}) {
      const reached = Promise.withResolvers<undefined>();
      const released = Promise.withResolvers<undefined>();
      const hold: ActiveHold = {
        step,
        path,
        left: times,
        released: released.promise,
        stopped: () => {
          if (hold.left === 0) reached.resolve(undefined);
        },
        release: () => {
          holds.delete(hold);
          released.resolve(undefined);
        },
      };
      holds.add(hold);
      return { reached: reached.promise, release: hold.release };
    },
    clear() {
      active.clear();
      for (const { release } of holds) release();
    },
    take(path) {
      const hits = [...active].filter(([fault]) => path.includes(fault.path ?? ''));
      for (const [fault, left] of hits) {
        if (left > 1) active.set(fault, left - 1);
        else active.delete(fault);
      }
      return hits.map(([fault]) => fault);
    },
    async pass(path, step) {
      const hold = [...holds].find((one) => one.left > 0 && one.step === step && path.includes(one.path));
      if (hold === undefined) return;
      hold.left -= 1;
      hold.stopped();
      await hold.released;
    },
  };
}
