/** Those who wait, in the networks that they come from. */
export interface Line<Item> {
  readonly length: number;
  /** The networks of the item, from the largest to the smallest. */
  add(item: Item, networks: readonly string[]): void;
  /** Takes out the item whose turn it is. */
  next(): Item | undefined;
  /** Takes out an item that waits no more. */
  remove(item: Item, networks: readonly string[]): void;
}

/** A network; those in it take turns, and who is next stands first. */
interface Network<Item> {
  readonly inside: Map<string, Network<Item>>;
  readonly items: Set<Item>;
}

const newNetwork = <Item>(): Network<Item> => ({ inside: new Map(), items: new Set() });

/**
 * A line of any length, in which networks of the same size take turns, and so do the networks inside of each. Of one
 * address the one that waits longest comes first.
 */
export function createLine<Item>(): Line<Item> {
  const all = newNetwork<Item>();
  let length = 0;

  function take(network: Network<Item>): Item | undefined {
    for (const [name, inner] of network.inside) {
      const item = take(inner);
      network.inside.delete(name);
      if (inner.items.size > 0 || inner.inside.size > 0) network.inside.set(name, inner);
      if (item !== undefined) return item;
    }
    const [first] = network.items;
    if (first !== undefined) network.items.delete(first);
    return first;
  }

  return {
    get length() {
      return length;
    },
    add(item, networks) {
      let place = all;
      for (const name of networks) {
        const inner = place.inside.get(name) ?? newNetwork<Item>();
        place.inside.set(name, inner);
        place = inner;
      }
      place.items.add(item);
      length += 1;
    },
    next() {
      const item = take(all);
      if (item !== undefined) length -= 1;
      return item;
    },
    remove(item, networks) {
      const place = networks.reduce<Network<Item> | undefined>((outer, name) => outer?.inside.get(name), all);
      if (place?.items.delete(item) === true) length -= 1;
    },
  };
}
