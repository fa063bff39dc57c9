import { once } from 'node:events';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../ops/log.ts';
import { readProxyHeader } from './proxy-header.ts';

/** Whose word on client addresses is taken, and for how long it is waited for. */
export interface ProxyProtocolOptions {
  /** Whether an address is that of a proxy. */
  readonly isTrusted: (address: string) => boolean;
  /** Seconds until the header must be complete. */
  readonly timeout: number;
  readonly log: Log;
}

/** What the proxies said, by the TLS session that followed. */
const clientAddresses = new WeakMap<Socket, string>();

/** The client's address as a trusted proxy gave it, or else that of the socket; undefined when the client has gone away. */
export function clientAddressOf(socket: Socket): string | undefined {
  return clientAddresses.get(socket) ?? socket.remoteAddress;
}

/**
 * Lets nobody speak TLS to the server before a header of the PROXY protocol from a trusted proxy; all other connections
 * are closed.
 */
export function requireProxyProtocol(server: Server, options: ProxyProtocolOptions): void {
  const startTls = server.listeners('connection');
  server.removeAllListeners('connection');
  const announced = new Map<string, { readonly address: string }>();

  async function begin(socket: Socket): Promise<void> {
    const connection = connectionOf(socket);
    const address = await readClientAddress(socket, options);
    if (socket.destroyed) return;
    if (address !== undefined) {
      const announcement = { address };
      announced.set(connection, announcement);
      socket.once('close', () => {
        // The proxy may have used its port again before this was heard.
        if (announced.get(connection) === announcement) announced.delete(connection);
      });
    }
    for (const listener of startTls) listener.call(server, socket);
  }

  server.on('connection', (socket: Socket) => {
    const { remoteAddress } = socket;
    socket.on('error', () => undefined);
    begin(socket).catch((error: unknown) => {
      socket.destroy();
      options.log.info('connection refused', { address: remoteAddress, reason: reasonOf(error) });
    });
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const announcement = announced.get(connectionOf(socket));
    if (announcement !== undefined) clientAddresses.set(socket, announcement.address);
  });
}

/** What no two open connections have in common: Node does not say which TCP socket is below a TLS socket. */
function connectionOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

/** Takes the header, and nothing that follows it, off the connection. */
async function readClientAddress(
  socket: Socket,
  { isTrusted, timeout }: ProxyProtocolOptions,
): Promise<string | undefined> {
  if (!isTrusted(socket.remoteAddress ?? '')) throw new Error('The address is not that of a trusted proxy.');
  const timer = setTimeout(() => {
    socket.destroy(new Error('The header of the PROXY protocol took too long to arrive.'));
  }, timeout * 1000);
  socket.once('close', () => {
    clearTimeout(timer);
  });
  let received = Buffer.alloc(0);
  for (;;) {
    await once(socket, 'readable');
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) throw new Error('The connection ended before the header of the PROXY protocol.');
    received = Buffer.concat([received, chunk]);
    const header = readProxyHeader(received);
    if (header !== undefined) {
      clearTimeout(timer);
      socket.unshift(received.subarray(header.length));
      return header.clientAddress;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
