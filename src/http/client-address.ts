import { isIP } from 'node:net';
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
  rawHeaders: readonly string[],
  { clientAddress: field, isTrusted }: ClientAddressOptions,
): string | undefined {
  const lines = linesOf(rawHeaders, field.toLowerCase());
  if (lines.length === 0) return undefined;
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

/** The values of all lines of a field, in their order. */
function linesOf(rawHeaders: readonly string[], wanted: string): readonly string[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() === wanted ? [rawHeaders[index + 1] ?? ''] : [],
  );
}

function addressOfForwarded(line: string): string | undefined {
  const [element, ...more] = readForwarded(line) ?? [];
  return element === undefined || more.length > 0 ? undefined : addressOf(element.get('for') ?? '');
}

/** With or without a port; an IPv6 address that has one is in brackets (RFC 7239, section 6). Undefined: it is no address. */
function addressOf(node: string): string | undefined {
  const port = String.raw`(?::(?:\d{1,5}|_[\w.-]+))?`;
  const written = node.trim();
  const [, bracketed, plain] =
    new RegExp(`^(?:\\[([0-9A-Fa-f:.]+)\\]${port}|([\\d.]+)${port})$`).exec(written) ?? [];
  const address = bracketed ?? plain ?? written;
  const version = bracketed === undefined ? isIP(address) : isIP(address) === 6 ? 6 : 0;
  return version === 0 || address.includes('%') ? undefined : address;
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
