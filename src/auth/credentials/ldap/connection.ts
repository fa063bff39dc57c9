import { Client, ResultCodeError } from 'ldapts';
import { once } from 'node:events';
import { connect as connectTcp, isIP, isIPv4, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type ConnectionOptions } from 'node:tls';
import { EstError } from '../../../errors.ts';
import { createGate } from '../../../ops/gate.ts';
import type { Party } from '../../../ops/turns.ts';
import { readTrustAnchor } from '../../../ops/certificate-files.ts';
import type { LdapOptions } from './options.ts';

/** The servers of a directory. */
export interface Directory {
  /**
   * Runs a job over a connection of its own to the first server that can be reached, so that nobody's bind is ever used
   * for somebody else. It is closed in any case. Rejects when no server can be reached, and with the reason of the signal
   * or a timeout; parties take turns, and `overloaded` and `ca_timeout` are thrown, as at a gate.
   */
  use<Value>(signal: AbortSignal, job: (client: Client) => Promise<Value>, party?: Party): Promise<Value>;
}

/** One server, and what protects the way there. */
interface Server {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly protection: 'tls' | 'startTls' | 'none';
}

/** Connects to nothing yet. Rejects with a plain sentence when a code would travel without TLS. */
export async function openDirectory(options: LdapOptions): Promise<Directory> {
  const { urls, startTls, trustAnchor, timeouts, limits } = options;
  const servers = urls.map((url) => readServer(url, startTls));
  if (trustAnchor === undefined && servers.some(({ protection }) => protection !== 'none')) {
    throw new Error(
      'trustAnchor is missing: expected a PEM file of the CAs that the servers have their certificates from.',
    );
  }
  if (trustAnchor !== undefined && servers.every(({ protection }) => protection === 'none')) {
    throw new Error('trustAnchor: no server is asked over TLS; leave it out, or use ldaps:// or startTls.');
  }
  if (startTls && servers.every(({ protection }) => protection === 'tls')) {
    throw new Error(
      'startTls: the servers are asked by ldaps://, which is TLS from the start; leave it out.',
    );
  }
  const tls: ConnectionOptions =
    trustAnchor === undefined
      ? {}
      : { secureContext: createSecureContext({ ca: await readTrustAnchor(trustAnchor) }) };
  const gate = createGate(limits);

  async function connectToAny(signal: AbortSignal): Promise<Socket> {
    const failures: string[] = [];
    for (const server of servers) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeouts.connect * 1000)]);
      try {
        return await connect(server, tls, limit);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${server.url}: ${reasonOf(error)}`);
      }
    }
    throw new Error(failures.join('; '));
  }

  async function overConnection<Value>(
    limit: AbortSignal,
    job: (client: Client) => Promise<Value>,
  ): Promise<Value> {
    const socket = await connectToAny(limit);
    // The client would wait for another connection.
    const ended = new AbortController();
    socket.once('close', () => {
      ended.abort(new Error('the server has ended the connection'));
    });
    const client = clientOver(socket);
    try {
      const value = await unlessAborted(AbortSignal.any([limit, ended.signal]), job(client));
      await unlessAborted(limit, client.unbind());
      return value;
    } finally {
      socket.destroy();
    }
  }

  return {
    async use(signal, job, party) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeouts.answer * 1000)]);
      return await gate.run(limit, async () => await overConnection(limit, job), party);
    },
  };
}

/** Why a directory could not be asked, for the log and for `check`. It never holds what was sent there. */
export function reasonOf(error: unknown): string {
  if (error instanceof EstError) {
    return error.code === 'overloaded'
      ? 'more checks wait than limits.queue says'
      : 'the check waited too long';
  }
  if (error instanceof ResultCodeError) return `${error.name}: ${error.message.trim()}`;
  return (error as Error | undefined)?.message ?? 'something unforeseen';
}

function readServer(url: string, startTls: boolean): Server {
  if (!URL.canParse(url)) throw new Error(`urls: expected ldaps://HOST or ldap://HOST, found ${url}.`);
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  if (protocol === 'ldaps:') return { url, host, port: Number(port || 636), protection: 'tls' };
  if (!startTls && !isThisMachine(host)) {
    throw new Error(`urls: ${url} would show enrolment codes to the network; use ldaps://, or startTls.`);
  }
  return { url, host, port: Number(port || 389), protection: startTls ? 'startTls' : 'none' };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** A connection that is there, and protected. */
async function connect(
  { host, port, protection }: Server,
  context: ConnectionOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const tls: ConnectionOptions = { ...context, host, port, servername: isIP(host) === 0 ? host : '' };
  if (protection === 'tls') return await established(connectTls(tls), 'secureConnect', signal);
  const socket = await established(connectTcp(port, host), 'connect', signal);
  return protection === 'none' ? socket : await startTls(socket, tls, signal);
}

async function established(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<Socket> {
  // The client listens from its first message on; until then an error would end the process.
  socket.on('error', () => undefined);
  try {
    await unlessAborted(signal, once(socket, event));
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * StartTLS (RFC 4511, section 4.14) with a client for this alone: what somebody has slipped in behind the answer is left
 * with it, where the client's own `startTLS` would read it as the beginning of what comes by TLS.
 */
async function startTls(socket: Socket, tls: ConnectionOptions, signal: AbortSignal): Promise<Socket> {
  try {
    await unlessAborted(signal, clientOver(socket).exop('1.3.6.1.4.1.1466.20037'));
    socket.removeAllListeners('data');
    return await established(connectTls({ ...tls, socket }), 'secureConnect', signal);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** The client takes the socket as it is, whatever the URL says, so that we can close it while the client waits. */
function clientOver(socket: Socket): Client {
  return new Client({ url: 'ldap://localhost', createConnection: () => socket });
}

/** Rejects with the reason of the signal as soon as it aborts. */
async function unlessAborted<Value>(signal: AbortSignal, promise: Promise<Value>): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
