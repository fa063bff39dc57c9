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

  const block = `-----BEGIN CERTIFICATE REQUEST-----\n${base64}\n-----END CERTIFICATE REQUEST-----\n`;

  it.each([
    ['text before it, as "openssl req -text" writes it', `Certificate Request:\n    Data:\n${block}`],
    ['text after it', `${block}Made by a tool - today.\r\n`],
    ['attributes of a bag before it', `Bag Attributes\n    friendlyName: device\n${block}`],
    ['a byte order mark before it', `\ufeff${block}`],
    ['a byte order mark and text before it', `\ufeffubject: CN=gerät\n${block}`],
    ['a NUL after it', `${block}\0`],
    ['spaces around its boundaries', block.replaceAll(/^-{5}.*$/gm, '  $&\t')],
    ['all of it in one line', block.replaceAll('\n', ' ')],
  ])('B-09 accepts a PEM block with %s unless the alias is strict', (_what, text) => {
    expect(decodeBody(Buffer.from(text), false)).toEqual(der);
    expect(() => decodeBody(Buffer.from(text), true)).toThrow(/not base64/);
  });

  it('B-04 accepts base64 that ends as a string of C does unless the alias is strict', () => {
    expect(decodeBody(Buffer.from(`${base64}\n\0`), false)).toEqual(der);
    expect(() => decodeBody(Buffer.from(`${base64}\0`), true)).toThrow(/not base64/);
    for (const text of [`${base64}\0\0`, `\0${base64}`, `${base64}\0\n`])
      expect(() => decodeBody(Buffer.from(text), false)).toThrow(/not base64/);
  });

  it.each([
    ['a private key besides', `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n${block}`],
    ['a block inside it', block.replace('\n', '\n-----BEGIN CERTIFICATE REQUEST-----\n')],
    ['no end', block.slice(0, -10)],
    ['a header of RFC 1421', block.replace('\n', '\nProc-Type: 4,ENCRYPTED\n')],
  ])('B-09 refuses a PEM block with %s', (_what, text) => {
    expect(() => decodeBody(Buffer.from(text), false)).toThrow(/not exactly one|not base64/);
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
