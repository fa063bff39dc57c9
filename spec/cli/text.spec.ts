import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { parsePort, parseSerialNumber } from '../../src/cli/options.ts';
import { sentenceOf } from '../../src/ops/sentence.ts';
import { wordOf } from '../../src/cli/shell.ts';
import { table } from '../../src/cli/table.ts';

describe('parseSerialNumber()', () => {
  it.each([
    ['4F:0A', '4f0a'],
    ['00:00:4F', '4f'],
    ['serial=4F0A', '4f0a'],
    ['0xabc', '0abc'],
    ['F', '0f'],
    ['0', '00'],
  ])('reads %s', (text, expected) => {
    expect(parseSerialNumber(text)).toBe(expected);
  });

  it.each(['', ':', 'xyz', '12-34'])('refuses "%s"', (text) => {
    expect(() => parseSerialNumber(text)).toThrow('Expected hexadecimal digits');
  });
});

describe('parsePort()', () => {
  it.each([
    ['1', 1],
    ['65534', 65534],
  ])('reads %s', (text, port) => {
    expect(parsePort(text)).toBe(port);
  });

  it.each(['0', '65535', '-1', '1e3', '', ' 80', '123456'])('refuses "%s"', (text) => {
    expect(() => parsePort(text)).toThrow('Expected a number from 1 to 65534.');
  });
});

describe('wordOf()', () => {
  it('is one word to a shell, whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = text.replaceAll('\0', '');
        expect(execFileSync('sh', ['-c', `printf %s ${wordOf(shown)}`]).toString()).toBe(shown);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves a plain path as it is', () => {
    expect(wordOf('./data/a-b_c.pem')).toBe('./data/a-b_c.pem');
  });
});

describe('table()', () => {
  it('aligns columns, and lets nothing steer the terminal', () => {
    expect(
      table(
        ['A', 'LONGER'],
        [
          ['\u001b[2J', 'x'],
          ['b', ''],
        ],
      ),
    ).toBe('A          LONGER\n\\u001b[2J  x\nb\n');
  });
});

describe('sentenceOf()', () => {
  const system = Object.assign(new Error('open EACCES'), { code: 'EACCES', syscall: 'open', path: '/x' });

  it('puts errors of the operating system into words, and keeps what they are about', () => {
    const outer = new Error('backends.local: open EACCES', { cause: system });
    expect(sentenceOf(outer)).toBe(
      'backends.local: /x: this user may not do that; check the owner and the mode.',
    );
  });

  it.each([
    [new Error('A plain sentence.'), 'A plain sentence.'],
    [new Error('Outer.', { cause: system }), 'Outer.'],
    ['thrown text', 'thrown text'],
    [
      Object.assign(new Error('connect EACCES 192.0.2.1:389'), {
        code: 'EACCES',
        syscall: 'connect',
        address: '192.0.2.1',
        port: 389,
      }),
      'connect EACCES 192.0.2.1:389',
    ],
    [
      Object.assign(new Error('EXDEV: it says'), { code: 'EXDEV', syscall: 'rename', path: '/x' }),
      'EXDEV: it says',
    ],
  ])('leaves other messages as they are', (error, expected) => {
    expect(sentenceOf(error)).toBe(expected);
  });
});
