import { isIPv6 } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DerError } from '../../src/pkix/der.ts';
import {
  dNSName,
  encodeGeneralNames,
  generalNamesEqual,
  generalNameText,
  iPAddress,
  readGeneralNames,
  uniformResourceIdentifier,
  type GeneralName,
} from '../../src/pkix/general-names.ts';
import {
  generalName,
  id,
  name,
  objectIdentifier,
  opensslCsr,
  printableString,
  sequence,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';

const read = (...names: readonly Buffer[]): readonly GeneralName[] => readGeneralNames(sequence(...names));
const directory = (value: Buffer): Buffer => tlv(0xa4, name([id.commonName, value]));
const otherName = tlv(0xa0, objectIdentifier('1.3.6.1.5.5.7.8.4'), tlv(0xa0, sequence()));

describe('readGeneralNames', () => {
  it('reads every kind', () => {
    const names = read(
      otherName,
      generalName(1, 'a@example.org'),
      generalName(2, 'a.example.org'),
      tlv(0xa3, sequence()),
      directory(utf8String('x')),
      tlv(0xa5, tlv(0xa1, utf8String('party'))),
      generalName(6, 'urn:x'),
      generalName(7, Buffer.from('20010db8000000000000000000000001', 'hex')),
      generalName(8, objectIdentifier('1.2.3.4').subarray(2)),
    );
    expect(names.map(({ der: _, ...rest }) => rest)).toMatchObject([
      { type: 'otherName', typeId: '1.3.6.1.5.5.7.8.4' },
      { type: 'rfc822Name', value: 'a@example.org' },
      { type: 'dNSName', value: 'a.example.org' },
      { type: 'x400Address' },
      { type: 'directoryName', name: { rdns: [[{ value: 'x' }]] } },
      { type: 'ediPartyName' },
      { type: 'uniformResourceIdentifier', value: 'urn:x' },
      { type: 'iPAddress', value: '2001:db8::1' },
      { type: 'registeredID', value: '1.2.3.4' },
    ]);
  });

  it.each([
    ['no names', sequence()],
    ['no SEQUENCE', generalName(2, 'a')],
    ['characters beyond ASCII', sequence(generalName(2, 'ü'))],
    ['an address of 3 octets', sequence(generalName(7, Buffer.alloc(3)))],
    ['a directoryName of two', sequence(tlv(0xa4, sequence(), sequence()))],
  ])('refuses %s', (_, der) => {
    expect(() => readGeneralNames(der)).toThrow(DerError);
  });
});

describe('generalNamesEqual (row R-03)', () => {
  const [a, b] = [generalName(2, 'a.example.org'), generalName(2, 'b.example.org')];

  it('R-03 does not mind the order, the case of a dNSName or the encoding of a directoryName', () => {
    expect(generalNamesEqual(read(a, b), read(b, a))).toBe(true);
    expect(generalNamesEqual(read(a), read(generalName(2, 'A.Example.ORG')))).toBe(true);
    expect(generalNamesEqual(read(directory(utf8String('x'))), read(directory(printableString('X'))))).toBe(
      true,
    );
    expect(generalNamesEqual([], [])).toBe(true);
  });

  it.each([
    ['one name more', read(a), read(a, b)],
    ['another name', read(a), read(b)],
    ['none', read(a), []],
    ['another kind', read(generalName(2, 'urn:x')), read(generalName(6, 'urn:x'))],
    ['the case of a mailbox', read(generalName(1, 'a@example.org')), read(generalName(1, 'A@example.org'))],
  ])('R-03 minds %s', (_, left, right) => {
    expect(generalNamesEqual(left, right)).toBe(false);
    expect(generalNamesEqual(right, left)).toBe(false);
  });
});

describe('the constructors', () => {
  it('write what openssl reads', async () => {
    const names = [
      dNSName('a.example.org'),
      iPAddress('192.0.2.1'),
      iPAddress('2001:DB8::1'),
      uniformResourceIdentifier('urn:x'),
    ];
    const csr = await opensslCsr(
      ...['-newkey', 'ed25519', '-addext', `subjectAltName=DER:${encodeGeneralNames(names).toString('hex')}`],
    );
    expect(await openssl('req -inform DER -in csr.der -noout -text', { 'csr.der': csr })).toContain(
      'DNS:a.example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:urn:x',
    );
  });

  it('write IPv4 and IPv6 addresses that are read back', () => {
    const textOf = (address: GeneralName): string => ('value' in address ? address.value : '');
    expect(iPAddress('2001:DB8:0::0.0.0.1')).toMatchObject({ value: '2001:db8::1' });
    expect(iPAddress('192.0.2.255')).toMatchObject({ value: '192.0.2.255' });
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const written = iPAddress(address);
        expect(isIPv6(textOf(written))).toBe(true);
        expect(iPAddress(textOf(written))).toEqual(written);
        expect(readGeneralNames(sequence(written.der))).toEqual([written]);
      }),
    );
  });

  it('writes IPv6 addresses as RFC 5952 says, which the parser of URLs does, too', () => {
    const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const octets = Buffer.alloc(16);
        groups.forEach((value, at) => octets.writeUInt16BE(value, 2 * at));
        const { hostname } = new URL(`http://[${groups.map((value) => value.toString(16)).join(':')}]`);
        const value =
          groups.slice(0, 5).every((one) => one === 0) && groups[5] === 0xffff
            ? octets.subarray(12).join('.')
            : hostname.slice(1, -1);
        expect(readGeneralNames(sequence(generalName(7, octets)))).toMatchObject([{ value }]);
      }),
    );
  });
});

describe('generalNameText', () => {
  it('S-34 shows people the type and the value, or the octets of what is no text', () => {
    const names = read(
      otherName,
      generalName(2, 'a.example.org'),
      directory(utf8String('x')),
      generalName(7, Buffer.of(192, 0, 2, 1)),
      generalName(8, objectIdentifier('1.2.3.4').subarray(2)),
    );
    expect(names.map(generalNameText)).toEqual([
      `otherName=${otherName.toString('hex')}`,
      'dNSName=a.example.org',
      'directoryName=CN=x',
      'iPAddress=192.0.2.1',
      'registeredID=1.2.3.4',
    ]);
  });
});
