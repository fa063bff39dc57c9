import { createRecent } from './recent.ts';

/**
 * What addresses have cost beyond what everybody may, and pay back by the time that passes. An address is given as the
 * networks that it is in (`networksOf`), from the largest to itself.
 */
export interface Debts {
  /** Milliseconds of CPU that somebody there has taken. */
  charge(networks: readonly string[], milliseconds: number): void;
  /** Whether the address, or a network that it is in, must pay back before it is served again. */
  owes(networks: readonly string[]): boolean;
}

/** Milliseconds of CPU that are forgiven in a second: to the networks of an address, from the largest to itself. */
const forgiven = [200, 100, 50] as const;

/** Seconds of that which may be owed. */
const credit = 5;

interface Debt {
  /** Milliseconds of CPU, at that time. */
  readonly owed: number;
  readonly at: number;
}

/** Nobody owes anything yet. Who was charged longest ago is forgotten when there are too many. */
export function createDebts(clock: () => number = () => performance.now()): Debts {
  const debts = createRecent<Debt>(10_000);

  function owedBy(network: string, rate: number, now: number): number {
    const { owed, at } = debts.get(network) ?? { owed: 0, at: now };
    return Math.max(0, owed - (rate * (now - at)) / 1000);
  }

  return {
    charge(networks, milliseconds) {
      const now = clock();
      for (const [level, network] of networks.entries()) {
        const rate = forgiven[level] ?? 0;
        debts.set(network, { owed: owedBy(network, rate, now) + milliseconds, at: now });
      }
    },
    owes(networks) {
      const now = clock();
      return networks.some((network, level) => {
        const rate = forgiven[level] ?? 0;
        return owedBy(network, rate, now) > credit * rate;
      });
    },
  };
}
