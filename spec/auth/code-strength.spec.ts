import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leastStrength, strengthOf } from '../../src/auth/code-strength.ts';
import { generateCode } from '../../src/auth/made-code.ts';

const names = ['Sensor-17', 'factory'];

describe('strengthOf()', () => {
  it.each([
    ['', 0],
    ['a', 1],
    ['x7k2q', 5],
    ['aaaaaaaaaaaaaaaaaaaa', 1],
    ['123456789012', 3],
    ['98765432101234', 2],
    ['abcdefghijklmnop', 1],
    ['qwertzuiopasdfgh', 2],
    ['1qaz2wsx3edc4rfv', 1],
    ['1q2w3e4r5t6z', 2],
    ['passwordpassword', 2],
    ['P@$$w0rd-P@$$w0rd', 3],
    ['pässwörd2026!!!', 3],
    ['letmein-letmein-letmein', 4],
    ['Summer2026Winter2027', 4],
    ['sensor-17-factory-1999', 5],
    ['SENSOR-17sensor-17Sensor-17', 3],
    ['xkcdxkcdxkcdxkcdxkcd', 7],
    ['correct-horse-battery-staple', 7],
  ])('%j has %i', (code, strength) => {
    expect(strengthOf(code, names)).toBe(strength);
  });

  it.each(['k4Rz!p0Wq8#d', 'vogelnest im apfelbaum', 'none but mine own', '839 274 610 283'])(
    '%j is enough',
    (code) => {
      expect(strengthOf(code, names)).toBe(leastStrength);
    },
  );

  it('is enough in every code that is made', () => {
    for (let n = 0; n < 1000; n += 1) expect(strengthOf(generateCode(), names)).toBe(leastStrength);
  });

  it('is never more than there are characters, nor grows by saying the same again', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 20 }),
        fc.integer({ min: 2, max: 50 }),
        (code, times) => {
          const strength = strengthOf(code, names, 100);
          expect(strength).toBeLessThanOrEqual(code.normalize('NFKD').length);
          expect(strengthOf(code.repeat(times), [code], 1000)).toBeLessThanOrEqual(strength + 10);
        },
      ),
    );
  });

  it('is said at once of the longest code', () => {
    const began = performance.now();
    for (const text of ['a', 'ab', 'password', generateCode()])
      strengthOf(text.repeat(100_000 / text.length), names);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
