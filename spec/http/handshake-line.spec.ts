import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createLine } from '../../src/http/handshake-line.ts';
import { networksOf } from '../../src/ops/networks.ts';
import { createDebts } from '../../src/ops/debts.ts';

describe('createLine()', () => {
  it('lets networks of each size take turns, and of an address who waits longest', () => {
    const line = createLine<string>();
    const add = (item: string, address: string): void => {
      line.add(item, networksOf(address));
    };
    for (let n = 1; n <= 3; n += 1) add(`flood ${n}`, '203.0.113.1');
    add('neighbour', '203.0.113.2');
    add('near', '203.0.7.1');
    add('elsewhere', '192.0.2.1');
    expect(Array.from({ length: 7 }, () => line.next())).toEqual([
      'flood 1',
      'elsewhere',
      'near',
      'neighbour',
      'flood 2',
      'flood 3',
      undefined,
    ]);
  });

  it('gives each item once, and none that was taken out', () => {
    const octet = fc.integer({ min: 0, max: 2 });
    const entries = fc.array(fc.record({ address: fc.tuple(octet, octet, octet), isRemoved: fc.boolean() }));
    fc.assert(
      fc.property(entries, (all) => {
        const line = createLine<number>();
        const networks = all.map(({ address }) => networksOf(`10.${address.join('.')}`));
        for (const [item, place] of networks.entries()) line.add(item, place);
        for (const [item, place] of networks.entries())
          if (all[item]?.isRemoved === true) line.remove(item, place);
        const left = all.flatMap(({ isRemoved }, item) => (isRemoved ? [] : [item]));
        expect(line).toHaveLength(left.length);
        const taken = left.map(() => line.next());
        expect(taken.toSorted((a, b) => Number(a) - Number(b))).toEqual(left);
        expect([line.next(), line.length]).toEqual([undefined, 0]);
      }),
    );
  });
});

describe('createDebts()', () => {
  it('lets an address pay back by time, and its network with it when several owe', () => {
    let now = 0;
    const debts = createDebts(() => now);
    const [one, two, elsewhere] = ['203.0.113.1', '203.0.113.2', '192.0.2.1'].map(networksOf);
    debts.charge(one ?? [], 300);
    expect([one, two, elsewhere].map((networks) => debts.owes(networks ?? []))).toEqual([true, false, false]);
    debts.charge(two ?? [], 240);
    expect([one, two, elsewhere].map((networks) => debts.owes(networks ?? []))).toEqual([true, true, false]);
    now = 1000;
    expect([one, two, elsewhere].map((networks) => debts.owes(networks ?? []))).toEqual([
      false,
      false,
      false,
    ]);
    expect(debts.owes([])).toBe(false);
  });
});
