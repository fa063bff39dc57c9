import { describe, expect, it } from '@jest/globals';
import { readDer } from '../../src/pkix/der.ts';
import {
  attributeValues,
  nameFromAttributes,
  namesEqual,
  nameToString,
  readName,
  type Name,
} from '../../src/pkix/names.ts';
import { nameOfOid, oids } from '../../src/pkix/oids.ts';
import {
  integer,
  name,
  objectIdentifier,
  printableString,
  sequence,
  set,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';

const read = (der: Buffer): Name => readName(readDer(der));
const commonName = (value: Buffer): Name => read(name([oids.commonName, value]));
const attribute = (type: string, text: string): Buffer => sequence(objectIdentifier(type), utf8String(text));

describe('nameToString (RFC 4514)', () => {
  it('puts the most specific part first and uses the short names of the RFC', () => {
    const subject = nameFromAttributes([
      { type: oids.domainComponent, value: 'example' },
      { type: oids.countryName, value: 'DE' },
      { type: oids.stateOrProvinceName, value: 'Zürich' },
      { type: oids.organizationName, value: 'Example' },
      { type: oids.commonName, value: 'device' },
      { type: oids.serialNumber, value: '7' },
    ]);
    expect(nameToString(subject)).toBe('serialNumber=7,CN=device,O=Example,ST=Zürich,C=DE,DC=example');
  });

  it.each([
    ['a,b+c"d\\e<f>g;h', String.raw`CN=a\,b\+c\"d\\e\<f\>g\;h`],
    [' #a ', String.raw`CN=\ #a\ `],
    ['#a', String.raw`CN=\#a`],
    [' ', String.raw`CN=\ `],
    ['a=b', 'CN=a=b'],
    ['a\r\nb', String.raw`CN=a\0d\0ab`],
    ['a\0b\u001b', String.raw`CN=a\00b\1b`],
    ['a\u202eb\u2028', String.raw`CN=a\e2\80\aeb\e2\80\a8`],
  ])('escapes %j', (text, expected) => {
    expect(nameToString(commonName(utf8String(text)))).toBe(expected);
  });

  it('shows an unknown type by its number, and what is no text by its DER', () => {
    expect(nameToString(read(name(['1.2.3.4', utf8String('x')], ['2.5.4.45', integer(5n)])))).toBe(
      'x500UniqueIdentifier=#020105,1.2.3.4=x',
    );
  });

  it('gives an empty text for an empty name', () => {
    expect(nameToString(read(sequence()))).toBe('');
  });
});

describe('namesEqual (RFC 5280, section 7.1)', () => {
  const plain = commonName(utf8String('My Device'));

  it.each([
    ['another string type', printableString('My Device')],
    ['a BMPString', tlv(0x1e, Buffer.from('My Device', 'utf16le').swap16())],
    ['another case', utf8String('my DEVICE')],
    ['more spaces inside', utf8String('My   Device')],
    ['spaces around', utf8String('  My Device ')],
    ['compatibility characters', utf8String('Ｍy Device')],
  ])('R-03 does not mind %s', (_, value) => {
    expect(namesEqual(plain, commonName(value))).toBe(true);
    expect(namesEqual(commonName(value), plain)).toBe(true);
  });

  it.each([
    ['another text', commonName(utf8String('My Device 2'))],
    ['no space', commonName(utf8String('MyDevice'))],
    ['another type', read(name([oids.serialNumber, utf8String('My Device')]))],
    [
      'a further level',
      read(name([oids.commonName, utf8String('My Device')], [oids.commonName, utf8String('x')])),
    ],
    ['an empty name', read(sequence())],
  ])('R-03 minds %s', (_, other) => {
    expect(namesEqual(plain, other)).toBe(false);
  });

  it('R-03 minds the order of the levels, not that within one', () => {
    const [o, cn] = [attribute(oids.organizationName, 'O'), attribute(oids.commonName, 'cn')];
    expect(namesEqual(read(sequence(set(o), set(cn))), read(sequence(set(cn), set(o))))).toBe(false);
    expect(namesEqual(read(sequence(set(o, cn))), read(sequence(set(cn, o))))).toBe(true);
    expect(namesEqual(read(sequence(set(o, cn))), read(sequence(set(o), set(cn))))).toBe(false);
  });

  it('is not misled by separators inside values', () => {
    const two = read(sequence(set(attribute(oids.commonName, 'a'), attribute(oids.commonName, 'b'))));
    expect(namesEqual(two, commonName(utf8String('a","2.5.4.3=b')))).toBe(false);
    expect(namesEqual(commonName(utf8String('#020105')), commonName(integer(5n)))).toBe(false);
  });
});

describe('nameFromAttributes', () => {
  it('uses the string types of RFC 5280, appendix A', async () => {
    const { der } = nameFromAttributes([
      { type: oids.countryName, value: 'DE' },
      { type: oids.commonName, value: 'Gerät' },
      { type: oids.serialNumber, value: '7' },
      { type: oids.emailAddress, value: 'a@example.org' },
    ]);
    const text = await openssl('asn1parse -inform DER -in name.der', { 'name.der': der });
    expect(text.match(/\w+STRING\s*:.*/g)?.map((line) => line.replace(/\s+/, ''))).toEqual([
      'PRINTABLESTRING:DE',
      'UTF8STRING:Gerät',
      'PRINTABLESTRING:7',
      'IA5STRING:a@example.org',
    ]);
  });

  it('gives its values by type', () => {
    const units = ['a', 'b'].map((value) => ({ type: oids.organizationalUnitName, value }));
    const subject = nameFromAttributes([...units, { type: oids.commonName, value: 'c' }]);
    expect(attributeValues(subject, oids.organizationalUnitName)).toEqual(['a', 'b']);
    expect(attributeValues(subject, oids.countryName)).toEqual([]);
  });
});

describe('nameOfOid', () => {
  it('knows the names of the RFCs and falls back to the number', () => {
    expect(nameOfOid('1.3.6.1.5.5.7.3.28')).toBe('cmcRA');
    expect(nameOfOid('1.2.3.4')).toBe('1.2.3.4');
  });

  it('has one name for each', () => {
    expect(new Set(Object.values(oids)).size).toBe(Object.values(oids).length);
  });
});
