import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { openTls } from './client.ts';

/** Connects as a proxy does that passes TCP on, and writes the header, piece after piece. */
export async function connectAsProxy(
  port: number,
  pieces: readonly (string | Buffer)[],
  host = '127.0.0.1',
): Promise<Socket> {
  const socket = connectTcp({ port, host, noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
  return socket;
}

/** A TLS connection behind such a header. */
export async function openTlsAsProxy(
  port: number,
  pieces: readonly (string | Buffer)[],
  options: ConnectionOptions,
): Promise<TLSSocket> {
  return await openTls({ socket: await connectAsProxy(port, pieces), ...options });
}

/** A header of version 2 (HAProxy, "The PROXY protocol", section 2.2). */
export function version2(command: number, family: number, rest: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  return Buffer.concat([signature, Buffer.of(0x20 | command, family), length, rest]);
}
