import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { networksOf } from '../../src/ops/networks.ts';

const documentation = ['192.0.0.0/16', '192.0.2.0/24', '192.0.2.1'];

describe('networksOf()', () => {
  it.each<[string | undefined, readonly string[]]>([
    [undefined, []],
    ['192.0.2.1', documentation],
    ['::ffff:192.0.2.1', documentation],
    ['::FFFF:c000:201', documentation],
    ['0:0:0:0:0:ffff:192.0.2.1', documentation],
    ['64:ff9b::192.0.2.1', documentation],
    ['64:ff9b::c000:201', documentation],
    ['2001:db8:1:203::1', ['2001:db8:1::/48', '2001:db8:1:200::/56', '2001:db8:1:203::/64']],
    ['2001:0DB8:0001:0203:a:b:c:d', ['2001:db8:1::/48', '2001:db8:1:200::/56', '2001:db8:1:203::/64']],
    ['1:2::3:4:5:192.0.2.1', ['1:2:0::/48', '1:2:0:0::/56', '1:2:0:3::/64']],
    ['::1', ['0:0:0::/48', '0:0:0:0::/56', '0:0:0:0::/64']],
    ['fe80::1%eth0', ['fe80:0:0::/48', 'fe80:0:0:0::/56', 'fe80:0:0:0::/64']],
  ])('%s', (address, expected) => {
    expect(networksOf(address)).toEqual(expected);
  });

  it('gives addresses the same network exactly if they share its bits, however they are written', () => {
    const groups = fc.array(fc.constantFrom(0, 1, 0x100, 0x1ff, 0xffff), { minLength: 8, maxLength: 8 });
    const text = (all: readonly number[]): string => all.map((group) => group.toString(16)).join(':');
    fc.assert(
      fc.property(groups, groups, (one, other) => {
        fc.pre(text(one.slice(0, 6)) !== '0:0:0:0:0:ffff' && text(other.slice(0, 6)) !== '0:0:0:0:0:ffff');
        const shortened = new URL(`http://[${text(other)}]`).hostname.slice(1, -1);
        const bits = (all: readonly number[]): string =>
          all.map((group) => group.toString(2).padStart(16, '0')).join('');
        const expected = [48, 56, 64].map(
          (length) => bits(one).slice(0, length) === bits(other).slice(0, length),
        );
        const networks = networksOf(shortened);
        expect(networksOf(text(one)).map((network, level) => network === networks[level])).toEqual(expected);
      }),
    );
  });
});
