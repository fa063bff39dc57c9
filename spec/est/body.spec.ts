import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { encodeBase64 } from '../../src/http/base64.ts';
import { decodeBody } from '../../src/est/body.ts';

const der = Buffer.concat([Buffer.from([0x30, 0x82, 0x01, 0x00]), randomBytes(256)]);
const base64 = der.toString('base64');

describe('the body of an enrolment request (RFC 8951, section 3)', () => {
  it.each([
    ['one line', base64],
    ['64-column lines', base64.replace(/.{64}/g, '$&\n')],
    ['76-column lines with CR LF', base64.replace(/.{76}/g, '$&\r\n')],
    ['spaces and tabs inside', base64.replace(/.{10}/g, '$& \t')],
    ['leading and trailing white space', `\r\n \t${base64}\r\n\r\n`],
  ])('B-03 accepts %s', (_form, text) => {
    expect(decodeBody(Buffer.from(text), true)).toEqual(der);
  });

  it.each(['!', '-', '_', '\0', '\uFEFF', '*', '\v', '\u00a0'])(
    'B-04 refuses the character %j',
    (character) => {
      const text = base64.slice(0, 40) + character + base64.slice(41);
      expect(() => decodeBody(Buffer.from(text), true)).toThrow(/not base64/);
    },
  );

  it.each([
    ['missing padding', 'QUI'],
    ['padding in the middle', 'QQ==QUJD'],
    ['non-zero spare bits', 'QR=='],
    ['too much padding', 'QUJD='],
    ['one character alone', 'Q'],
  ])('B-05 refuses %s', (_fault, text) => {
    expect(() => decodeBody(Buffer.from(text), true)).toThrow(/base64/);
  });

  it('B-05 reads only text that encodes back to itself, whatever comes', () => {
    const readsSafely = fc.property(fc.string({ maxLength: 40 }), (text) => {
      let decoded: Buffer;
      try {
        decoded = decodeBody(Buffer.from(text), true);
      } catch (error) {
        return error instanceof Error && error.name === 'EstError';
      }
      return decoded.toString('base64') === text.replace(/[ \t\r\n]/g, '');
    });
    expect(fc.check(readsSafely, { numRuns: 2000 })).toMatchObject({ failed: false });
  });

  it.each([
    ['CERTIFICATE REQUEST', '\n'],
    ['NEW CERTIFICATE REQUEST', '\r\n'],
  ])('B-09 accepts one PEM block %s unless the alias is strict', (label, newline) => {
    const pem = ['', `-----BEGIN ${label}-----`, base64, `-----END ${label}-----`, ''].join(newline);
    expect(decodeBody(Buffer.from(pem), false)).toEqual(der);
    expect(() => decodeBody(Buffer.from(pem), true)).toThrow(/not base64/);
  });

  it.each([
    ['two blocks', 'CERTIFICATE REQUEST', 2],
    ['another label', 'CERTIFICATE', 1],
    ['a private key', 'PRIVATE KEY', 1],
  ])('B-09 refuses PEM with %s', (_fault, label, times) => {
    const pem = `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`.repeat(times);
    expect(() => decodeBody(Buffer.from(pem), false)).toThrow(/not exactly one CERTIFICATE REQUEST/);
  });

  it('B-08 accepts raw DER unless the alias is strict', () => {
    expect(decodeBody(der, false)).toEqual(der);
    expect(() => decodeBody(der, true)).toThrow(/not base64/);
  });

  it.each(['', '\r\n \t'])('V-01 V-02 refuses %j as empty', (text) => {
    expect(() => decodeBody(Buffer.from(text), true)).toThrow(/empty/);
    expect(() => decodeBody(Buffer.from(text), false)).toThrow(/empty/);
  });
});

describe('the body of a reply', () => {
  it('B-06 wraps at 64 columns with a final line break, or not at all', () => {
    const lines = encodeBase64(randomBytes(1000), '64').split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.slice(0, -1).every((line) => line.length === 64)).toBe(true);
    expect(encodeBase64(randomBytes(1000), 'none')).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
  });
});
