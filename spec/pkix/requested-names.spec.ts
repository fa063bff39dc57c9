import { describe, expect, it } from '@jest/globals';
import { nameToString } from '../../src/pkix/names.ts';
import {
  extension,
  generalName,
  id,
  integer,
  name,
  null_,
  objectIdentifier,
  printableString,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import { accepted, refused } from '../support/refused-csr.ts';

const dns = (text: string): Buffer => generalName(2, text);

describe('names that are requested (vectors V-19, V-29, V-30)', () => {
  it('S-09 refuses a name of more attributes than any device has, in one level or in many', async () => {
    const attributes = (count: number): readonly Buffer[] =>
      Array.from({ length: count }, (_, index) =>
        sequence(objectIdentifier(id.organizationName), utf8String(`Unit ${index}`)),
      );
    const levels = (count: number): Buffer => sequence(...attributes(count).map((one) => set(one)));
    expect((await accepted({ subject: levels(100) })).subject.rdns).toHaveLength(100);
    for (const subject of [
      levels(101),
      sequence(set(...attributes(101))),
      sequence(set(...attributes(3000))),
    ])
      await expect(refused({ subject })).resolves.toContain('more than 100 attributes');
    const inside = subjectAltName(tlv(0xa4, levels(101)));
    await expect(refused({ extensions: [inside] })).resolves.toContain('more than 100 attributes');
  });

  it('S-09 refuses more registeredIDs and purposes than any device has', async () => {
    const oids = (count: number): readonly string[] =>
      Array.from({ length: count }, (_, at) => `1.2.3.${at}`);
    const registered = (count: number): CertificationRequestParts => ({
      extensions: [
        subjectAltName(...oids(count).map((oid) => generalName(8, objectIdentifier(oid).subarray(2)))),
      ],
    });
    const purposes = (count: number): CertificationRequestParts => ({
      extensions: [extension(id.extendedKeyUsage, sequence(...oids(count).map(objectIdentifier)))],
    });
    expect((await accepted(registered(100))).subjectAltName).toHaveLength(100);
    expect((await accepted(purposes(100))).extendedKeyUsage).toHaveLength(100);
    await expect(refused(registered(101))).resolves.toContain('more than 100 registeredIDs');
    await expect(refused(purposes(101))).resolves.toContain('more than 100 purposes');
  });

  const commonName = (value: Buffer): CertificationRequestParts => ({
    subject: name([id.commonName, value]),
  });

  it.each([
    ['CR LF', utf8String('a\r\nINFO forged')],
    ['NUL', utf8String('good\0.evil')],
    ['ESC', utf8String('\u001b[31m')],
    ['markup', utf8String('<script>')],
    ['an override of the writing direction', utf8String('\u202efdp.exe')],
    ['65 characters', utf8String('x'.repeat(65))],
    ['65 characters beyond the BMP', utf8String('\u{1f4df}'.repeat(65))],
    ['10 KB', utf8String('x'.repeat(10_240))],
    ['nothing', utf8String('')],
    ['octets that are not UTF-8', tlv(0x0c, Buffer.of(0xc3, 0x28))],
    ['octets beyond ASCII in a PrintableString', tlv(0x13, Buffer.of(0xe4))],
    ['half a character in a BMPString', tlv(0x1e, Buffer.of(0, 65, 0))],
    ['a surrogate in a BMPString', tlv(0x1e, Buffer.of(0xd8, 0))],
    ['a NUL in a BMPString', tlv(0x1e, Buffer.of(0, 65, 0, 0))],
    ['a character out of range in a UniversalString', tlv(0x1c, Buffer.of(0, 0x11, 0, 0))],
    ['no text at all', integer(5n)],
  ])('V-30 refuses a commonName of %s', async (_, value) => {
    expect(await refused(commonName(value))).toContain('not a valid PKCS#10 CSR');
  });

  it.each([
    ['64 characters', utf8String('ü'.repeat(64)), 'ü'.repeat(64)],
    ['64 characters beyond the BMP', utf8String('\u{1f4df}'.repeat(64)), '\u{1f4df}'.repeat(64)],
    ['a BMPString', tlv(0x1e, Buffer.from('00480069', 'hex')), 'Hi'],
    ['a TeletexString', tlv(0x14, Buffer.from([0x5a, 0xfc])), 'Zü'],
  ])('V-30 reads a commonName of %s', async (_, value, text) => {
    expect((await accepted(commonName(value))).subject.rdns).toEqual([
      [{ type: id.commonName, value: text, isText: true }],
    ]);
  });

  it('takes a countryName of two letters only', async () => {
    const country = (text: string): CertificationRequestParts => ({
      subject: name(['2.5.4.6', printableString(text)]),
    });
    expect(nameToString((await accepted(country('DE'))).subject)).toBe('C=DE');
    expect(await refused(country('DEU'))).toContain('countryName');
    expect(await refused(country('D'))).toContain('countryName');
    expect(await refused(country('49'))).toContain('countryName');
  });

  it('V-29 reads an empty subject, for the policy to judge', async () => {
    expect((await accepted({ subject: sequence() })).subject.rdns).toEqual([]);
  });

  it('reads an attribute set of two', async () => {
    const type = (oid: string, text: string): Buffer => sequence(objectIdentifier(oid), utf8String(text));
    const subject = sequence(set(type(id.commonName, 'a'), type('2.5.4.5', '7')));
    expect(nameToString((await accepted({ subject })).subject)).toBe('CN=a+serialNumber=7');
  });

  it.each([
    ['an empty attribute set', sequence(set())],
    ['an attribute without a value', sequence(set(sequence(objectIdentifier(id.commonName))))],
    [
      'an attribute of three parts',
      sequence(set(sequence(objectIdentifier(id.commonName), utf8String('a'), null_))),
    ],
    ['attributes outside of a set', sequence(sequence(objectIdentifier(id.commonName), utf8String('a')))],
  ])('refuses a subject with %s', async (_, subject) => {
    expect(await refused({ subject })).toContain('not a valid PKCS#10 CSR');
  });

  it.each([
    'a.example.org',
    'localhost',
    '*.example.org',
    'under_score.example.org',
    'xn--bcher-kva.example',
    '192.0.2.1',
    `${'a'.repeat(63)}.org`,
  ])('accepts the dNSName %s', async (text) => {
    expect((await accepted({ extensions: [subjectAltName(dns(text))] })).subjectAltName).toMatchObject([
      { value: text },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['a space', ' '],
    ['a space inside', 'a b.example.org'],
    ['a NUL', 'good.example.org\0.evil.example'],
    ['a line feed', 'a.example.org\n'],
    ['a trailing dot', 'example.org.'],
    ['a leading dot', '.example.org'],
    ['an empty label', 'a..example.org'],
    ['a leading hyphen', '-a.example.org'],
    ['a trailing hyphen', 'a-.example.org'],
    ['a wildcard alone', '*'],
    ['a wildcard in the middle', 'a.*.example.org'],
    ['a partial wildcard', 'a*.example.org'],
    ['a label of 64 characters', `${'a'.repeat(64)}.org`],
    ['254 characters', `${'a.'.repeat(125)}abcd`],
    ['a port', 'example.org:443'],
    ['characters beyond ASCII', 'bücher.example'],
  ])('V-19 refuses a dNSName with %s', async (_, text) => {
    expect(await refused({ extensions: [subjectAltName(dns(text))] })).toContain('not a valid PKCS#10 CSR');
  });

  it.each([
    ['an iPAddress of 5 octets', generalName(7, Buffer.alloc(5))],
    ['an iPAddress with a mask', generalName(7, Buffer.alloc(8))],
    ['an rfc822Name without @', generalName(1, 'example.org')],
    ['an rfc822Name with a line feed', generalName(1, 'a@example.org\n')],
    ['a URI without scheme', generalName(6, '//example.org/')],
    ['a URI with a space', generalName(6, 'http://example.org/a b')],
    ['a URI with markup', generalName(6, 'javascript:<b>')],
    ['a directoryName with a control character', tlv(0xa4, name([id.commonName, utf8String('a\u0007')]))],
    ['a directoryName that is empty', tlv(0xa4)],
    ['an otherName without value', tlv(0xa0, objectIdentifier('1.2.3.4'))],
    ['an unknown kind of name', tlv(0x89, Buffer.from('a'))],
    ['a constructed dNSName', tlv(0xa2, tlv(0x16, Buffer.from('a')))],
  ])('V-19 refuses %s', async (_, general) => {
    expect(await refused({ extensions: [subjectAltName(general)] })).toContain('not a valid PKCS#10 CSR');
  });
});
