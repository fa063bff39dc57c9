import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { networksOf } from '../../src/ops/networks.ts';
import { createTurns, type Party } from '../../src/ops/turns.ts';

/** As many as may wait for the check of a code. */
const queue = 64;

/** One place where jobs are done, at which five times as many arrive. */
function busyPlace() {
  const turns = createTurns<string>();
  const givenUp: string[] = [];
  let count = 0;

  function add(item: string, party: Party): void {
    turns.add(item, party);
    const furthest = turns.waiting > queue ? turns.last() : undefined;
    if (furthest !== undefined) givenUp.push(furthest);
  }

  /** Lets so many jobs be done while a flood from these addresses goes on; gives those of others that were done. */
  function flood(addressOf: (count: number) => string, jobs: number): readonly string[] {
    const done: string[] = [];
    for (let job = 0; job < jobs; job += 1) {
      for (let arrival = 0; arrival < 5; arrival += 1) {
        count += 1;
        add('flood', networksOf(addressOf(count)));
      }
      done.push(turns.next() ?? 'nothing');
    }
    return done.filter((item) => item !== 'flood');
  }

  return { add, flood, givenUp };
}

/** 10,000 addresses in turn, in 300 networks. */
const floods: Readonly<Record<string, (count: number) => string>> = {
  'one address': () => '203.0.113.7',
  '300 networks /16': (n) => `${20 + (n % 30)}.${Math.floor(n / 30) % 10}.0.${Math.floor(n / 300) % 34}`,
  '300 networks /24 of two /16': (n) => `198.${18 + (n % 2)}.${n % 150}.${Math.floor(n / 300) % 34}`,
  'four addresses of each network /24 of one /16': (n) => `198.18.${n % 256}.${Math.floor(n / 256) % 4}`,
  'one /48 of 65,536 networks /64': (n) => `2001:db8:1:${(n % 65_536).toString(16)}::1`,
  'one /56 of 256 networks /64': (n) => `2001:db8:1:2${(n % 256).toString(16).padStart(2, '0')}::1`,
  '300 networks /48': (n) => `2001:db8:${(n % 300).toString(16)}:${(n % 34).toString(16)}::1`,
};

describe('createTurns()', () => {
  it.each(
    Object.keys(floods).flatMap((flood) =>
      (flood.includes('/48') || flood.includes('/56')
        ? ['2001:db8:ffff::1', '192.0.2.1']
        : ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1']
      ).map((user) => [flood, user] as const),
    ),
  )('S-24 lets a user through a flood from %s, who comes from elsewhere (%s)', (name, user) => {
    const { add, flood, givenUp } = busyPlace();
    const addressOf = floods[name] ?? String;
    flood(addressOf, 150);
    add('user', networksOf(user));
    expect(flood(addressOf, 3)).toEqual(['user']);
    expect(givenUp).not.toContain('user');
  });

  it.each([
    ['300 networks /24 of two /16', 'another network of the same /16', '198.18.200.1'],
    [
      'four addresses of each network /24 of one /16',
      'an address that is new in the same /24',
      '198.18.7.200',
    ],
    ['300 networks /48', 'another network of the same /48', '2001:db8:1:ff00::1'],
    ['one /56 of 256 networks /64', 'another /56 of the same /48', '2001:db8:1:300::1'],
  ])('S-24 lets a user through a flood from %s, who comes from %s', (name, _where, user) => {
    const { add, flood, givenUp } = busyPlace();
    const addressOf = floods[name] ?? String;
    flood(addressOf, 500);
    add('user', networksOf(user));
    expect(flood(addressOf, 6)).toEqual(['user']);
    expect(givenUp).not.toContain('user');
  });

  it('S-24 lets an office through again and again while an endless number of new networks floods', () => {
    const { add, flood, givenUp } = busyPlace();
    const addressOf = (n: number): string =>
      `2001:db8:${(n >> 16).toString(16)}:${(n % 65_536).toString(16)}::1`;
    for (let time = 0; time < 50; time += 1) {
      add('office', networksOf('192.0.2.1'));
      expect(flood(addressOf, 20)).toEqual(['office']);
    }
    expect(givenUp).not.toContain('office');
  });

  it('S-24 serves whoever has a party of his own, at any level and however the others are spread', () => {
    const flooder = fc
      .tuple(fc.nat(9), fc.nat(9), fc.nat(9))
      .map(([a, b, c]) => [`${a}`, `${a}.${b}`, `${a}.${b}.${c}`]);
    const ofUser = fc.tuple(fc.constantFrom('new', '0', '1'), fc.constantFrom('new', '0'));
    fc.assert(
      fc.property(fc.array(flooder, { minLength: 1, maxLength: 300 }), ofUser, (flooders, [a, b]) => {
        const turns = createTurns<string>();
        const arrive = (): void => {
          for (const party of flooders) {
            turns.add('flood', party);
            while (turns.waiting > queue) expect(turns.last()).toBe('flood');
          }
        };
        arrive();
        arrive();
        turns.add('user', [a, `${a}.${b}`, `${a}.${b}.new`]);
        arrive();
        const served = [turns.next(), turns.next(), turns.next()];
        expect(served).toContain('user');
      }),
    );
  });

  it('serves all in their order where none of them has a party', () => {
    const turns = createTurns<number>();
    const items = Array.from({ length: 50 }, (_, index) => index);
    for (const item of items) turns.add(item, []);
    expect(items.map(() => turns.next())).toEqual(items);
  });

  it('serves everybody in the end, and once', () => {
    const parties = fc.array(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }), { maxLength: 50 });
    fc.assert(
      fc.property(parties, (all) => {
        const turns = createTurns<number>();
        for (const [index, party] of all.entries()) turns.add(index, party);
        const served = all.map(() => turns.next());
        expect(turns.next()).toBeUndefined();
        expect(served.toSorted((one, other) => (one ?? 0) - (other ?? 0))).toEqual(
          all.map((_, index) => index),
        );
      }),
    );
  });

  it('gives a party that keeps asking its turn, whatever others ask', () => {
    const { add, flood } = busyPlace();
    const addressOf = floods['300 networks /16'] ?? String;
    let served = 0;
    for (let time = 0; time < 200; time += 1) {
      add('factory', networksOf('192.0.2.1'));
      add('factory', networksOf('192.0.2.1'));
      served += flood(addressOf, 5).length;
    }
    // One of 301 parties may have 3 of 1,000 turns.
    expect(served).toBeGreaterThanOrEqual(2);
  });
});
