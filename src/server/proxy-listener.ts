import { once } from 'node:events';
import { access, chmod, constants, lstat, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, isIP } from 'node:net';
import { dirname } from 'node:path';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { ProxyListenerConfiguration } from '../config/configuration.ts';
import { alpnProtocols, handshakeTimeout, serverOptions } from '../http/listener.ts';
import { boundLines } from '../ops/bounded-lines.ts';
import type { Log } from '../ops/log.ts';
import { readTrustAnchor } from '../ops/certificate-files.ts';
import { isAmong } from '../ops/networks.ts';
import type { Served } from './served.ts';
import { readTlsFiles } from './tls-files.ts';

/**
 * Tries what listening for a proxy needs but the address itself, and gives what TLS with the proxy is made with; undefined:
 * there is none. Throws an Error with a plain sentence, also for a place that others than the proxy could reach.
 */
export async function prepareProxyListener(
  options: ProxyListenerConfiguration,
  log: Log,
): Promise<SecureContextOptions | undefined> {
  requireSafePlace(options);
  if (options.socket !== undefined) await requirePlaceForSocket(options.socket);
  if (options.tls === undefined) return undefined;
  const { certificate, privateKey } = await readTlsFiles(options.tls, log);
  const ca = await Promise.all(options.tls.trustAnchors.map(readTrustAnchor));
  return { cert: certificate, key: privateKey, ca, minVersion: 'TLSv1.2' };
}

function requireSafePlace({ socket, address, port, tls }: ProxyListenerConfiguration): void {
  const isTcp = address !== undefined && port !== undefined;
  if ((socket === undefined) !== isTcp || (socket !== undefined && (address ?? port ?? tls) !== undefined)) {
    throw new Error('give either socket, or address and port.');
  }
  if (address === undefined || tls !== undefined || isLoopback(address)) return;
  throw new Error(
    `${address} can be reached by others than the proxy, who could pass for any device; ` +
      'listen on a Unix socket or a loopback address, or add tls.',
  );
}

/** Octets of the path of a Unix socket that every system takes (unix(7); BSDs have four less than Linux). */
const longestSocketPath = 103;

/** Of a socket in a folder that is not there, Node says no more than that one may not listen. */
async function requirePlaceForSocket(socket: string): Promise<void> {
  if (Buffer.byteLength(socket) > longestSocketPath) {
    throw new Error(
      `${socket}: the path of a socket has at most ${longestSocketPath} octets; choose a shorter one.`,
    );
  }
  await refuseOtherFile(socket);
  await access(dirname(socket), constants.W_OK).catch((cause: unknown) => {
    throw new Error(
      `${socket}: the folder of this socket must exist, and this user must be allowed to write to it.`,
      { cause },
    );
  });
}

const isOfLoopback = isAmong(['127.0.0.0/8', '::1']);

/** Names are none: what they mean may change. */
function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && isOfLoopback(address);
}

/** Lines of the log for others than proxies in a second. */
const linesPerSecond = 10;

/** A server for a proxy that ends the TLS of clients; it does not listen yet. */
export function createProxyServer(
  { tls, headerBytes: maxHeaderSize }: ProxyListenerConfiguration,
  { secureContext, handler }: Served,
  log: Log,
): Server {
  const http = { maxHeaderSize, ...serverOptions };
  if (tls === undefined) return createServer(http, handler);
  // Node would end a connection that it does not authorize without a word of why.
  const asking = {
    ...http,
    ...secureContext,
    ALPNProtocols: [...alpnProtocols],
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout,
  };
  const server = createTlsServer(asking, handler);
  const write = boundLines(log.warn, linesPerSecond);
  // Before the server reads requests from the connection.
  server.prependListener('secureConnection', (connection) => {
    const reason = objectionTo(connection, tls.names);
    if (reason === undefined) return;
    write('connection refused', { listener: 'proxy', address: connection.remoteAddress, reason });
    connection.destroy();
  });
  return server;
}

/** A sentence; undefined: it is a proxy's. */
function objectionTo(connection: TLSSocket, names: readonly string[]): string | undefined {
  if (connection.getPeerX509Certificate() === undefined) return 'The client shows no certificate.';
  if (!connection.authorized) {
    return `The certificate of the client is not valid under listeners.proxy.tls.trustAnchors (${String(connection.authorizationError)}).`;
  }
  if (isNamed(connection, names)) return undefined;
  return 'The certificate has none of the names of listeners.proxy.tls.names.';
}

/** RFC 6125, section 6.4: a dNSName or, where there is none, the commonName. A wildcard is no name of a proxy. */
function isNamed(connection: TLSSocket, names: readonly string[]): boolean {
  const certificate = connection.getPeerX509Certificate();
  return names.some((name) => certificate?.checkHost(name, { wildcards: false }) !== undefined);
}

/** For owner and group, of which the proxy must be one. */
const socketMode = 0o660;

/** Listens on a Unix socket. Throws an Error with a plain sentence when its path is taken. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeLeftover(path);
  server.listen({ path });
  await once(server, 'listening');
  await chmod(path, socketMode);
}

/** Whether there is a socket; throws an Error with a plain sentence when there is something else. */
async function refuseOtherFile(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() === false) throw new Error(`${path} exists and is no socket; choose another path.`);
  return found !== undefined;
}

/** A socket that a process left behind when it was killed; one that somebody listens on stays. */
async function removeLeftover(path: string): Promise<void> {
  if (!(await refuseOtherFile(path))) return;
  const client = connect({ path });
  const isUsed = await once(client, 'connect').then(
    () => true,
    () => false,
  );
  client.destroy();
  if (isUsed) throw new Error(`Another process listens on ${path}; stop it, or choose another path.`);
  await unlink(path);
}
