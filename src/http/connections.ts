import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as TlsServer, type TLSSocket } from 'node:tls';

/** A connection of a listener, from when it was accepted to its end. Times are milliseconds of `performance.now()`. */
export interface Connection {
  /** As it was accepted; below the TLS session, where there is one. */
  readonly socket: Socket;
  /** The client's, as the socket or a trusted proxy gives it; undefined: nobody knows. */
  address: string | undefined;
  /** Octets that came before TLS: the header of the PROXY protocol. */
  announced: number;
  /** How far it has come. */
  phase: 'before TLS' | 'TLS' | 'HTTP';
  /** By when the next phase must begin, and what is said otherwise; undefined: at any time. */
  due: { readonly at: number; readonly otherwise: string } | undefined;
  /** Why it ends before HTTP has begun. */
  failure: Error | undefined;
  /** Over which HTTP goes when it has begun: the TLS session, where there is one. */
  stream: Socket;
  /** Those that have not ended, in the order of their requests. */
  responses: readonly ServerResponse[];
  /** Since when HTTP is there and no request is under way. */
  idleSince: number;
  /** Octets that had come until then. */
  receivedBefore: number;
}

/** The connections of a listener. */
export interface Connections {
  readonly open: ReadonlySet<Connection>;
}

/** How connections of a listener begin and end. */
interface ConnectionOptions {
  /** What happens before TLS, or before HTTP where there is none. The connection is closed when it rejects. */
  readonly enter?: ((connection: Connection) => Promise<void> | void) | undefined;
  /** Milliseconds until the TLS handshake must be complete. */
  readonly handshakeTimeout: number;
  /** Is told of those that end before HTTP has begun. */
  readonly failed?: (connection: Connection) => void;
}

const connectionOfStream = new WeakMap<Duplex, Connection>();

/** The connection below a stream over which HTTP goes. */
export function connectionOf(stream: Duplex): Connection | undefined {
  return connectionOfStream.get(stream);
}

/** The client's address, also when the client has gone away; undefined: nobody knows. */
export function clientAddressOf(stream: Duplex): string | undefined {
  return connectionOf(stream)?.address;
}

/** Follows the connections of a server, and the requests on each; the server must not listen yet. */
export function followConnections(
  server: Server,
  { enter, handshakeTimeout, failed }: ConnectionOptions,
): Connections {
  const open = new Set<Connection>();
  const underTls = new Map<string, Connection>();
  const serve = server.listeners('connection');
  server.removeAllListeners('connection');

  function accept(socket: Socket): Connection {
    const connection: Connection = {
      socket,
      address: socket.remoteAddress,
      announced: 0,
      phase: 'before TLS',
      due: undefined,
      failure: undefined,
      stream: socket,
      responses: [],
      idleSince: 0,
      receivedBefore: 0,
    };
    open.add(connection);
    socket.on('error', (error) => (connection.failure ??= error));
    socket.once('close', () => {
      open.delete(connection);
      if (connection.phase !== 'HTTP') failed?.(connection);
    });
    return connection;
  }

  async function begin(connection: Connection): Promise<void> {
    const { socket } = connection;
    await enter?.(connection);
    if (socket.destroyed) return;
    if (server instanceof TlsServer) expectTls(connection);
    else beginHttp(connection, socket);
    for (const listener of serve) listener.call(server, socket);
  }

  /** Node does not say which TCP socket is below a TLS socket. */
  function expectTls(connection: Connection): void {
    const otherwise = 'The TLS handshake took too long.';
    connection.phase = 'TLS';
    connection.due = { at: performance.now() + handshakeTimeout, otherwise };
    const ends = endsOf(connection.socket);
    underTls.set(ends, connection);
    connection.socket.once('close', () => {
      // The peer may have used its port again before this was heard.
      if (underTls.get(ends) === connection) underTls.delete(ends);
    });
  }

  server.on('connection', (socket: Socket) => {
    const connection = accept(socket);
    begin(connection).catch((error: unknown) => {
      connection.failure ??= error instanceof Error ? error : new Error(String(error));
      socket.destroy();
    });
  });
  // Before the server reads requests from the connection.
  server.prependListener('secureConnection', (stream: TLSSocket) => {
    const connection = underTls.get(endsOf(stream));
    if (connection !== undefined) beginHttp(connection, stream);
  });
  server.on('tlsClientError', (error: Error, stream: TLSSocket) => {
    const connection = underTls.get(endsOf(stream));
    if (connection !== undefined) connection.failure ??= error;
  });
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    // Node answers the last two by itself unless somebody listens.
    if (server.listenerCount(event) > 0) server.prependListener(event, follow);
  }

  return { open };
}

/** What no two open connections have in common. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return [remoteAddress, remotePort, localAddress, localPort].join(' ');
}

function beginHttp(connection: Connection, stream: Socket): void {
  connectionOfStream.set(stream, connection);
  connection.phase = 'HTTP';
  connection.stream = stream;
  connection.due = undefined;
  rest(connection);
}

function follow({ socket }: IncomingMessage, response: ServerResponse): void {
  const connection = connectionOf(socket);
  if (connection === undefined) return;
  connection.responses = [...connection.responses, response];
  response.once('close', () => {
    connection.responses = connection.responses.filter((other) => other !== response);
    if (connection.responses.length === 0) rest(connection);
  });
}

function rest(connection: Connection): void {
  connection.idleSince = performance.now();
  connection.receivedBefore = connection.socket.bytesRead;
}
