import { describe, expect, it } from '@jest/globals';
import { findSharedFactors } from '../../src/pkix/shared-factors.ts';

describe('findSharedFactors (row S-13)', () => {
  it.each([
    [[], []],
    [[15n], []],
    [[15n, 77n], []],
    [
      [15n, 21n],
      [15n, 21n],
    ],
    [
      [13n * 17n, 15n, 19n * 23n, 77n, 21n],
      [15n, 77n, 21n],
    ],
    [
      [11n * 13n, 17n * 19n, 23n * 29n, 31n * 37n, 41n * 43n, 47n * 53n, 59n * 11n],
      [11n * 13n, 59n * 11n],
    ],
  ])('S-13 finds among %p the moduli %p', (moduli, found) => {
    expect(findSharedFactors(moduli)).toEqual(found);
  });
});
