import type { IncomingMessage } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import { EstError } from '../errors.ts';
import { readForwarded } from './forwarded.ts';

/** Where a proxy says from which address its client came. */
export interface ClientAddressOptions {
  /** The field that the proxy sets, or to which it adds. */
  readonly clientAddress: 'X-Forwarded-For' | 'Forwarded';
  /** Whether an address is that of a proxy in front of the one that comes here. */
  readonly isTrusted: (address: string) => boolean;
}

/**
 * The address in the last entry of the field, which is the proxy's own, whatever the client wrote before it; where that is of
 * another trusted proxy, in the entry that this one has made, and so on. An entry of Forwarded is believed only where it stands
 * alone in its field line: what a proxy copies into its own entry, such as the Host of the client, could be a whole entry.
 * Undefined: there is no such field. Throws `malformed_request` for an entry that names no address, since nobody knows
 * then who came.
 */
export function forwardedAddress(
  headers: IncomingMessage['headersDistinct'],
  { clientAddress: field, isTrusted }: ClientAddressOptions,
): string | undefined {
  const lines = headers[field.toLowerCase()];
  if (lines === undefined) return undefined;
  const entries = field === 'Forwarded' ? lines : lines.join(',').split(',');
  const read = field === 'Forwarded' ? addressOfForwarded : addressOf;
  let nearest: string | undefined;
  for (const entry of entries.toReversed()) {
    const address = read(entry);
    if (address === undefined) throw unreadable(field);
    nearest = address;
    if (!isTrusted(address)) break;
  }
  return nearest;
}

function addressOfForwarded(line: string): string | undefined {
  const [element, ...more] = readForwarded(line) ?? [];
  return element === undefined || more.length > 0 ? undefined : addressOf(element.get('for') ?? '');
}

const port = String.raw`(?::(?:\d{1,5}|_[\w.-]+))?`;

/** RFC 7239, section 6: with or without a port; an IPv6 address that has one is in brackets. */
const withPort = new RegExp(`^(?:\\[([0-9A-Fa-f:.]+)\\]${port}|([\\d.]+)${port})$`);

/** Undefined: it is no address. */
function addressOf(node: string): string | undefined {
  const written = node.trim();
  const [, bracketed, plain] = withPort.exec(written) ?? [];
  const address = bracketed ?? plain ?? written;
  const isAddress = bracketed === undefined ? isIP(address) !== 0 : isIPv6(address);
  return isAddress && !address.includes('%') ? address : undefined;
}

/** The operator reads the field's name; its value may be the client's. */
function unreadable(field: string): EstError {
  return new EstError(
    'malformed_request',
    'The proxy does not say from which one address the request came.',
    {
      refusedBy: { rule: 'listeners.proxy.clientAddress', offending: field },
    },
  );
}
