import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SocketAddress } from 'node:net';
import { ProxyHeaderError, readProxyHeader } from '../../src/http/proxy-header.ts';
import { version2 } from '../support/proxy-protocol-client.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const ports = hex('9c40 01bb');
const overIpv4 = Buffer.concat([hex('c0000207 c6336401'), ports]);
const overIpv6 = Buffer.concat([
  hex('20010db8000000000000000000000007 20010db8000000000000000000000001'),
  ports,
]);
const overUnix = Buffer.alloc(216, '/run/est.sock\0');
/** By another implementation of CRC32C, behind the vector PP2_TYPE_AUTHORITY. */
const withChecksum = hex(
  '0d0a0d0a000d0a515549540a 2111 0019 c0000207 c6336401 9c4001bb 020003657374 030004 ce900f02',
);
const [local, proxy] = [0, 1];
const vector = (type: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.of(type, value.length >> 8, value.length & 0xff), value]);

const accepted: readonly (readonly [what: string, header: string | Buffer, address: string | undefined])[] = [
  ['TCP4', 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n', '192.0.2.7'],
  [
    'TCP4 of the most octets',
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    '255.255.255.255',
  ],
  ['TCP6', 'PROXY TCP6 2001:db8::7 2001:db8::1 0 443\r\n', '2001:db8::7'],
  ['TCP6, not in its shortest form', 'PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::1 40000 443\r\n', '2001:db8::7'],
  ['UNKNOWN', 'PROXY UNKNOWN\r\n', undefined],
  [
    'UNKNOWN of the most octets',
    `PROXY UNKNOWN ${`${'ffff:'.repeat(7)}ffff `.repeat(2)}65535 65535\r\n`,
    undefined,
  ],
  ['IPv4', version2(proxy, 0x11, overIpv4), '192.0.2.7'],
  ['IPv6', version2(proxy, 0x21, overIpv6), '2001:db8::7'],
  ['a Unix socket', version2(proxy, 0x31, overUnix), undefined],
  ['a family that is not given', version2(proxy, 0x00, Buffer.from('whatever')), undefined],
  ['LOCAL', version2(local, 0x00, Buffer.alloc(0)), undefined],
  ['LOCAL with addresses, which do not count', version2(local, 0x11, overIpv4), undefined],
  ['LOCAL of an unknown family', version2(local, 0x7f, overIpv4), undefined],
  ['vectors', version2(proxy, 0x11, Buffer.concat([overIpv4, vector(0x04, Buffer.alloc(300))])), '192.0.2.7'],
  ['a checksum', withChecksum, '192.0.2.7'],
];

const changed = (header: Buffer, at: number): Buffer => {
  const copy = Buffer.from(header);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
};

const refused: readonly (readonly [what: string, header: string | Buffer])[] = [
  ['a ClientHello', hex('16030100c8010000c4')],
  ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
  ['small letters', 'proxy TCP4 192.0.2.7 198.51.100.1 40000 443\r\n'],
  ['another protocol', 'PROXY UDP4 192.0.2.7 198.51.100.1 40000 443\r\n'],
  ['no ports', 'PROXY TCP4 192.0.2.7 198.51.100.1\r\n'],
  ['two spaces', 'PROXY TCP4  192.0.2.7 198.51.100.1 40000 443\r\n'],
  ['a space at the end', 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n'],
  ['a tab', 'PROXY TCP4 192.0.2.7\t198.51.100.1 40000 443\r\n'],
  ['IPv6 in TCP4', 'PROXY TCP4 2001:db8::7 198.51.100.1 40000 443\r\n'],
  ['IPv4 in TCP6', 'PROXY TCP6 192.0.2.7 2001:db8::1 40000 443\r\n'],
  ['a destination that is none', 'PROXY TCP4 192.0.2.7 localhost 40000 443\r\n'],
  ['leading zeros in an address', 'PROXY TCP4 192.000.002.007 198.51.100.1 40000 443\r\n'],
  ['leading zeros in a port', 'PROXY TCP4 192.0.2.7 198.51.100.1 040000 443\r\n'],
  ['a port that is too large', 'PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n'],
  ['a signed port', 'PROXY TCP4 192.0.2.7 198.51.100.1 +4000 443\r\n'],
  ['an address with a zone', 'PROXY TCP6 fe80::1%eth0 2001:db8::1 40000 443\r\n'],
  ['a bare LF', 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\n\r\n'],
  ['a second line in UNKNOWN', 'PROXY UNKNOWN \nPROXY TCP4\r\n'],
  ['UNKNOWN with more letters', 'PROXY UNKNOWNS\r\n'],
  ['108 octets', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
  ['107 octets without an end', `PROXY UNKNOWN ${'x'.repeat(93)}`],
  ['version 1 in binary', version2(proxy, 0x11, overIpv4).fill(0x11, 12, 13)],
  ['an unknown command', version2(2, 0x11, overIpv4)],
  ['an unknown family', version2(proxy, 0x41, overIpv4)],
  ['datagrams', version2(proxy, 0x12, overIpv4)],
  ['a family without a transport', version2(proxy, 0x10, overIpv4)],
  ['addresses that are cut off', version2(proxy, 0x11, overIpv4.subarray(1))],
  ['IPv6 in the space of IPv4', version2(proxy, 0x21, overIpv4)],
  ['4097 octets', version2(proxy, 0x11, Buffer.alloc(4097))],
  ['a vector that reaches beyond', version2(proxy, 0x11, Buffer.concat([overIpv4, hex('040002 00')]))],
  ['half a vector', version2(proxy, 0x11, Buffer.concat([overIpv4, hex('0400')]))],
  ['a wrong checksum', changed(withChecksum, withChecksum.length - 1)],
  ['an address that the checksum does not fit', changed(withChecksum, 19)],
  ['a checksum of two octets', version2(proxy, 0x11, Buffer.concat([overIpv4, vector(3, hex('0000'))]))],
];

/** Octets of the header; 0 where it is refused or there is more to come. */
function lengthRead(octets: Buffer): number {
  try {
    return readProxyHeader(octets)?.length ?? 0;
  } catch (error) {
    if (error instanceof ProxyHeaderError) return 0;
    throw error;
  }
}

describe('the header of the PROXY protocol', () => {
  it.each(accepted)('reads %s, and leaves what follows', (_what, header, clientAddress) => {
    const octets = Buffer.from(header);
    const followed = Buffer.concat([octets, hex('16030100c8')]);
    expect(readProxyHeader(followed)).toEqual({ length: octets.length, clientAddress });
  });

  it.each(accepted)('waits for the whole of %s', (_what, header) => {
    const octets = Buffer.from(header);
    for (let length = 0; length < octets.length; length += 1) {
      expect(readProxyHeader(octets.subarray(0, length))).toBeUndefined();
    }
  });

  it.each(refused)('refuses %s', (_what, header) => {
    expect(() => readProxyHeader(Buffer.from(header))).toThrow(ProxyHeaderError);
  });

  it('reads every address in both versions, and in one form', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.integer({ min: 0, max: 65_535 }),
        fc.uint8Array({ maxLength: 64 }),
        (address, port, more) => {
          const family = address.includes(':') ? 'ipv6' : 'ipv4';
          const text = new SocketAddress({ address, family }).address;
          const line = `PROXY TCP${family === 'ipv6' ? 6 : 4} ${text} ${text} ${port} ${port}\r\n`;
          expect(readProxyHeader(Buffer.concat([Buffer.from(line), more]))).toEqual({
            length: line.length,
            clientAddress: text,
          });
        },
      ),
    );
  });

  it('reads every IPv6 address of version 2 as version 1 has it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (octets) => {
        const groups = Array.from({ length: 8 }, (_, n) =>
          (((octets[2 * n] ?? 0) << 8) | (octets[2 * n + 1] ?? 0)).toString(16),
        );
        const block = Buffer.concat([octets, octets, ports]);
        const line = `PROXY TCP6 ${groups.join(':')} ::1 1 1\r\n`;
        expect(readProxyHeader(version2(proxy, 0x21, block))?.clientAddress).toBe(
          readProxyHeader(Buffer.from(line))?.clientAddress,
        );
      }),
    );
  });

  it('gives a header, waits or refuses, whatever comes', () => {
    const begun = fc
      .tuple(
        fc.constantFrom(
          '',
          'PROXY ',
          'PROXY TCP4 ',
          '\r\n\r\n\0\r\nQUIT\n',
          '\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c',
        ),
        fc.uint8Array({ maxLength: 300 }),
      )
      .map(([start, rest]) => Buffer.concat([Buffer.from(start, 'latin1'), rest]));
    fc.assert(
      fc.property(begun, (octets) => {
        expect(lengthRead(octets)).toBeLessThanOrEqual(octets.length);
      }),
    );
  });
});
