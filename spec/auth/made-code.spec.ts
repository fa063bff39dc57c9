import { describe, expect, it } from '@jest/globals';
import { createHmac, randomBytes } from 'node:crypto';
import { generateCode, hashMadeCode, isMadeCode, isMadeCodeOf } from '../../src/auth/made-code.ts';

const key = randomBytes(32);

describe('enrolment codes that the gateway makes', () => {
  it('have 30 letters that nobody confuses', () => {
    const codes = Array.from({ length: 1000 }, generateCode);
    expect(new Set(codes).size).toBe(1000);
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/);
    expect(codes.every(isMadeCode)).toBe(true);
  });

  it.each([
    ['another alphabet', (code: string) => code.replace(/./, 'U')],
    ['small letters', (code: string) => code.replaceAll(/[0-9]/g, 'A').toLowerCase()],
    ['no groups', (code: string) => code.replaceAll('-', '')],
    ['more', (code: string) => `${code}-${code}`],
    ['a line end', (code: string) => `${code}\n`],
    ['few letters', () => 'ABCDE-ABCDE-ABCDE-ABCDE-ABCDE-ABCDE'],
  ])('are told from codes with %s', (_what, change) => {
    expect(isMadeCode(change(generateCode()))).toBe(false);
  });

  it('S-24 are stored as an HMAC under the key of the store, with a salt of their own', () => {
    const code = generateCode();
    const [first, second] = [hashMadeCode(code, key), hashMadeCode(code, key)];
    const [, , salt = '', tag] = first.split('$');
    expect(second.split('$')[2]).not.toBe(salt);
    const expected = createHmac('sha256', key)
      .update(Buffer.from(salt, 'base64'))
      .update(code)
      .digest('base64');
    expect(first).toBe(`$hmac-sha256$${salt}$${expected.replace(/=*$/, '')}`);
    expect(salt).toHaveLength(22);
    expect(tag).toHaveLength(43);
  });

  it('are proved by the same code and key alone', () => {
    const code = generateCode();
    const hash = hashMadeCode(code, key);
    expect(isMadeCodeOf(code, key, hash)).toBe(true);
    expect(isMadeCodeOf(generateCode(), key, hash)).toBe(false);
    expect(isMadeCodeOf('', key, hash)).toBe(false);
    expect(isMadeCodeOf(code, randomBytes(32), hash)).toBe(false);
  });

  it.each(['', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$dGFn', '$hmac-sha256$', '$hmac-sha256$$'])(
    'are never those of the hash %j',
    (hash) => {
      expect(isMadeCodeOf('', key, hash)).toBe(false);
      expect(isMadeCodeOf(generateCode(), key, hash)).toBe(false);
    },
  );
});
