import { isIP, SocketAddress } from 'node:net';

/** A complete header of the PROXY protocol, at the beginning of a connection. */
export interface ProxyHeader {
  /** Octets. */
  readonly length: number;
  /** The client's; undefined: the proxy speaks for itself, or does not say who its client is. */
  readonly clientAddress: string | undefined;
}

/** The octets are no header of the PROXY protocol. */
export class ProxyHeaderError extends Error {
  override readonly name = 'ProxyHeaderError';
}

const signatureOfVersion1 = Buffer.from('PROXY ');
const signatureOfVersion2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n');

/**
 * Reads the header of a TCP connection from the octets that came so far, version 1 or 2 (HAProxy, "The PROXY protocol",
 * sections 2.1 and 2.2); undefined: there is more to come. Throws ProxyHeaderError.
 */
export function readProxyHeader(octets: Buffer): ProxyHeader | undefined {
  if (beginsWith(octets, signatureOfVersion1)) return readVersion1(octets);
  if (beginsWith(octets, signatureOfVersion2)) return readVersion2(octets);
  throw new ProxyHeaderError('The connection does not begin with a header of the PROXY protocol.');
}

/** Or may yet, when the rest has come. */
function beginsWith(octets: Buffer, signature: Buffer): boolean {
  const length = Math.min(octets.length, signature.length);
  return octets.subarray(0, length).equals(signature.subarray(0, length));
}

/** Octets of a line with its CR LF. */
const longestLine = 107;

function readVersion1(octets: Buffer): ProxyHeader | undefined {
  const line = octets.toString('latin1', 0, longestLine);
  const end = line.indexOf('\r\n');
  if (end >= 0) return { length: end + 2, clientAddress: addressOfLine(line.slice(0, end)) };
  if (octets.length < longestLine) return undefined;
  throw new ProxyHeaderError('The line of the PROXY protocol is longer than 107 octets.');
}

const port = '(?:0|[1-9][0-9]{0,4})';
const lineForm = new RegExp(`^PROXY TCP([46]) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (${port}) (${port})$`);

function addressOfLine(line: string): string | undefined {
  if (/^PROXY UNKNOWN( .*)?$/.test(line)) return undefined;
  const [, version, source = '', destination = '', ...ports] = lineForm.exec(line) ?? [];
  const isValid =
    [source, destination].every((address) => isIP(address) === Number(version)) &&
    ports.every((text) => Number(text) <= 65_535);
  if (!isValid) throw new ProxyHeaderError('The line of the PROXY protocol is malformed.');
  return canonical(source, version === '4' ? 'ipv4' : 'ipv6');
}

/** One address has one form, as those of sockets. */
function canonical(address: string, family: 'ipv4' | 'ipv6'): string {
  return new SocketAddress({ address, family }).address;
}

/** Signature, version and command, family and transport, length of the rest. */
const fixedPart = 16;
/** Octets of the rest; addresses take 216 at most. */
const longestRest = 4096;

function readVersion2(octets: Buffer): ProxyHeader | undefined {
  if (octets.length < fixedPart) return undefined;
  const rest = octets.readUInt16BE(14);
  if (rest > longestRest) throw new ProxyHeaderError('The header of the PROXY protocol is too large.');
  const length = fixedPart + rest;
  if (octets.length < length) return undefined;
  return { length, clientAddress: addressOfBlock(octets.subarray(0, length)) };
}

const commands = { local: 0x20, proxy: 0x21 } as const;

/** What a stream comes from, and how many octets both addresses and ports take. */
const families: ReadonlyMap<number, { readonly kind: 'ipv4' | 'ipv6' | 'unix'; readonly octets: number }> =
  new Map([
    [0x11, { kind: 'ipv4', octets: 12 }],
    [0x21, { kind: 'ipv6', octets: 36 }],
    [0x31, { kind: 'unix', octets: 216 }],
  ]);
const unspecified = 0x00;

function addressOfBlock(header: Buffer): string | undefined {
  const [command, familyAndTransport] = [header.readUInt8(12), header.readUInt8(13)];
  // A health check of the proxy: what follows counts for nothing, the family included.
  if (command === commands.local) return undefined;
  if (command !== commands.proxy) throw new ProxyHeaderError('The version or command is unknown.');
  if (familyAndTransport === unspecified) return undefined;
  const family = families.get(familyAndTransport);
  if (family === undefined) throw new ProxyHeaderError('The client comes by no stream that is known here.');
  const addresses = header.subarray(fixedPart, fixedPart + family.octets);
  if (addresses.length < family.octets) throw new ProxyHeaderError('The addresses are not complete.');
  requireChecksum(header, fixedPart + family.octets);
  if (family.kind === 'unix') return undefined;
  return family.kind === 'ipv4'
    ? addresses.subarray(0, 4).join('.')
    : canonical(colonHex(addresses.subarray(0, 16)), 'ipv6');
}

function colonHex(octets: Buffer): string {
  return octets.toString('hex').replace(/.{4}(?=.)/g, '$&:');
}

const checksumType = 0x03;

/** Walks over the vectors of type, length and value behind the addresses, and verifies CRC32C where it is among them. */
function requireChecksum(header: Buffer, begin: number): void {
  for (let at = begin; at < header.length;) {
    const value = at + 3;
    const end = value <= header.length ? value + header.readUInt16BE(at + 1) : Infinity;
    if (end > header.length) throw new ProxyHeaderError('A vector reaches beyond the header.');
    if (header.readUInt8(at) === checksumType && !hasChecksum(header, value, end)) {
      throw new ProxyHeaderError('The checksum is wrong.');
    }
    at = end;
  }
}

function hasChecksum(header: Buffer, begin: number, end: number): boolean {
  if (end - begin !== 4) return false;
  const blanked = Buffer.from(header).fill(0, begin, end);
  return crc32c(blanked) === header.readUInt32BE(begin);
}

/** RFC 9260, appendix A; the CRC of zlib has another polynomial. */
function crc32c(octets: Buffer): number {
  let crc = 0xffffffff;
  for (const octet of octets) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}
