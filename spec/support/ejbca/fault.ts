/** What can go wrong between the gateway and EJBCA, on purpose. */

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

/** The faults that are set. */
export interface Faults {
  set(fault: Fault): void;
  clear(): void;
  /** The faults that hit this call, and uses them up by one. */
  take(path: string): readonly Fault[];
}

/** No fault yet. */
export function createFaults(): Faults {
  const active = new Map<Fault, number>();
  return {
    set(fault) {
      active.set(fault, fault.times ?? Infinity);
    },
    clear() {
      active.clear();
    },
    take(path) {
      const hits = [...active].filter(([fault]) => path.includes(fault.path ?? ''));
      for (const [fault, left] of hits) {
        if (left > 1) active.set(fault, left - 1);
        else active.delete(fault);
      }
      return hits.map(([fault]) => fault);
    },
  };
}
