import { createRecent } from './recent.ts';

/** To whom a job belongs, from the largest party to the smallest: such as a network, a part of it, an address. */
export type Party = readonly string[];

/** Those who wait for their turn. */
export interface Turns<Item> {
  readonly waiting: number;
  add(item: Item, party: Party): void;
  /** Takes out the item whose turn it is. */
  next(): Item | undefined;
  /** Takes out the item that would wait longest. */
  last(): Item | undefined;
  /** Takes out an item that waits no more. */
  remove(item: Item): void;
}

/** What is known of a party; all 0: it never asked, or too long ago. */
interface History {
  /** When it last had a turn, as a number that grows. */
  readonly served: number;
  /** How often it asked since then. */
  readonly asked: number;
}

interface Place<Item> {
  readonly item: Item;
  readonly party: Party;
}

/** A place among all that wait, as the parties of one level take turns. */
interface Rank<Item> extends History {
  readonly place: Place<Item>;
  /** How many of its party came before. */
  readonly ahead: number;
}

const never: History = { served: 0, asked: 0 };

/** Parties that are remembered at least; those that asked longest ago are forgotten, and are new again. */
const leastParties = 10_000;

/**
 * Turns that are fair to parties of every size. The levels of parties take turns themselves: one item is taken by its
 * largest party, the next one by its second largest, and so on. At each level parties take turns, and who had none for
 * the longest time comes first; of those that never had one, who asked least. So whoever is alone in any one of its
 * parties waits for few others, although its other parties are shared with a flood; and a flood from many small parties
 * of a few large ones has no more turns at the level of the large ones than these.
 */
export function createTurns<Item>(): Turns<Item> {
  let places: readonly Place<Item>[] = [];
  const histories = createRecent<History>(leastParties);
  let turn = 0;

  const historyOf = (party: string): History => histories.get(party) ?? never;

  function note(party: Party, change: (before: History) => History): void {
    for (const name of party) histories.set(name, change(historyOf(name)));
  }

  /** Those who wait as they came, with their ranks at a level; who has fewer levels counts by its smallest party. */
  function ranksAt(level: number): readonly Rank<Item>[] {
    const counts = new Map<string, number>();
    return places.map((place) => {
      const name = place.party[level] ?? place.party.at(-1) ?? '';
      const ahead = counts.get(name) ?? 0;
      counts.set(name, ahead + 1);
      const { served, asked } = historyOf(name);
      return { place, ahead, served, asked };
    });
  }

  const levels = (): number => Math.max(1, ...places.map(({ party }) => party.length));

  function takeOut(place: Place<Item> | undefined): Item | undefined {
    places = places.filter((other) => other !== place);
    return place?.item;
  }

  return {
    get waiting() {
      return places.length;
    },

    add(item, party) {
      places = [...places, { item, party }];
      note(party, ({ served, asked }) => ({ served, asked: asked + 1 }));
    },

    next() {
      if (places.length === 0) return undefined;
      turn += 1;
      const { place } = ranksAt(turn % levels()).reduce((first, other) =>
        comparison(other, first) < 0 ? other : first,
      );
      note(place.party, () => ({ served: turn, asked: 0 }));
      return takeOut(place);
    },

    last() {
      const nearest = new Map<Place<Item>, number>(places.map((place) => [place, Infinity]));
      for (let level = 0; level < levels(); level += 1) {
        for (const [rank, { place }] of ranksAt(level).toSorted(comparison).entries()) {
          if (rank < (nearest.get(place) ?? 0)) nearest.set(place, rank);
        }
      }
      let furthest = places[0];
      for (const [place, rank] of nearest) {
        if (furthest === undefined || rank >= (nearest.get(furthest) ?? 0)) furthest = place;
      }
      return takeOut(furthest);
    },

    remove(item) {
      places = places.filter((place) => place.item !== item);
    },
  };
}

/** Negative: the first one comes first. */
function comparison(one: Rank<unknown>, other: Rank<unknown>): number {
  return one.ahead - other.ahead || one.served - other.served || one.asked - other.asked;
}
