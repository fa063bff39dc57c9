import { once } from 'node:events';
import type { Connection } from './connections.ts';
import { readProxyHeader, type ProxyHeader } from './proxy-header.ts';

/** Whose word on client addresses is taken, and for how long it is waited for. */
interface ProxyProtocolOptions {
  /** Whether an address is that of a proxy. */
  readonly isTrusted: (address: string) => boolean;
  /** Seconds until the header must be complete. */
  readonly timeout: number;
}

/**
 * Takes a header of the PROXY protocol from a trusted proxy off the connection, and nothing that follows it. Gives the
 * client's address, which is then that of the connection; undefined: the proxy speaks for itself, or does not say. Throws an Error with a plain sentence for any other connection.
 */
export async function takeProxyHeader(
  connection: Connection,
  { isTrusted, timeout }: ProxyProtocolOptions,
): Promise<string | undefined> {
  connection.due = {
    at: performance.now() + timeout * 1000,
    otherwise: 'The header of the PROXY protocol took too long to arrive.',
  };
  const { length, clientAddress } = await readHeader(connection, isTrusted);
  connection.due = undefined;
  connection.announced = length;
  connection.address = clientAddress ?? connection.address;
  return clientAddress;
}

/** Who is trusted is asked when something has come: what checks that the port is open says nothing. */
async function readHeader(
  { socket }: Connection,
  isTrusted: ProxyProtocolOptions['isTrusted'],
): Promise<ProxyHeader> {
  let received = Buffer.alloc(0);
  for (;;) {
    await once(socket, 'readable');
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) throw new Error('The connection ended before the header of the PROXY protocol.');
    if (!isTrusted(socket.remoteAddress ?? ''))
      throw new Error('The address is not that of a trusted proxy.');
    received = Buffer.concat([received, chunk]);
    const header = readProxyHeader(received);
    if (header !== undefined) {
      socket.unshift(received.subarray(header.length));
      return header;
    }
  }
}
