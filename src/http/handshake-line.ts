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
  readonly items: Item[];
}

const newNetwork = <Item>(): Network<Item> => ({ inside: new Map(), items: [] });

/**
 * A line of any length, in which networks of the same size take turns, and so do the networks inside of each. Of one
 * address the newest comes first: when not all can be served in time, it is the one whose client still waits.
 */
export function createLine<Item>(): Line<Item> {
  const all = newNetwork<Item>();
  let length = 0;

  function take(network: Network<Item>): Item | undefined {
    for (const [name, inner] of network.inside) {
      const item = take(inner);
      network.inside.delete(name);
      if (inner.items.length > 0 || inner.inside.size > 0) network.inside.set(name, inner);
      if (item !== undefined) return item;
    }
    return network.items.pop();
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
      place.items.push(item);
      length += 1;
    },
    next() {
      const item = take(all);
      if (item !== undefined) length -= 1;
      return item;
    },
    remove(item, networks) {
      const items = networks.reduce<Network<Item> | undefined>(
        (place, name) => place?.inside.get(name),
        all,
      )?.items;
      const index = items?.indexOf(item) ?? -1;
      if (index < 0) return;
      items?.splice(index, 1);
      length -= 1;
    },
  };
}
