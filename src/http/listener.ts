import { createServer, type Server } from 'node:https';
import type { RequestListener, Server as HttpServer } from 'node:http';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { Log } from '../ops/log.ts';
import { cipherSuites } from './cipher-suites.ts';
import { followConnections, type Connection } from './connections.ts';
import { enforceDeadlines, keepAliveTimeout } from './deadlines.ts';
import { drain } from './drain.ts';
import { logExcess, logFailedConnections } from './failed-connections.ts';
import { TooManyConnections } from './shares.ts';
import { refuseUnreadable } from './unreadable.ts';

/** The TLS side of the EST listener, which may change while it listens. */
interface EstTlsOptions {
  /** PEM: the server's certificate, then its intermediates. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
  /** PEM: every trust anchor of every alias, with intermediates. */
  readonly trustAnchors: readonly string[];
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
  /** As `cipherSuites` takes it; left out: Node's default. */
  readonly ciphers?: string | undefined;
}

/** What holds for each connection of a listener. */
interface HttpLimits {
  /** Seconds until a TLS handshake must be complete. */
  readonly handshakeTimeout: number;
  /** Seconds until the header of a request, and the whole request, must be complete. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** Connections at once; more are closed at once. */
  readonly connections: number;
}

/**
 * What the handshakes of an EST listener are made with. There is one truststore, and ticket keys live as long as what is
 * made of these, so that no session carries over what another truststore decided.
 */
export function estSecureContext(options: EstTlsOptions): SecureContextOptions {
  return {
    cert: options.certificate,
    key: options.privateKey,
    ca: [...options.trustAnchors],
    minVersion: options.minimumVersion,
    ...(options.ciphers !== undefined && { ciphers: cipherSuites(options.ciphers) }),
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
    honorCipherOrder: true,
  };
}

/**
 * An HTTPS server that asks for a client certificate and lets a client without one in, since cacerts needs none
 * and a user has none (RFC 7030, sections 3.3.2 and 4.1.2). Whether a certificate is good is decided for each
 * request by `auth`.
 */
export function createEstListener(secureContext: SecureContextOptions, handler: RequestListener): Server {
  const server = createServer(
    {
      ...secureContext,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [...alpnProtocols],
      handshakeTimeout,
      ...serverOptions,
    },
    handler,
  );
  server.on('secureConnection', refuseRenegotiation);
  return server;
}

/** What clients may choose by ALPN (RFC 7301), the best first; who sends no ALPN is served as well. */
export const alpnProtocols: readonly string[] = ['http/1.1', 'http/1.0'];

/** Options of each server for HTTP. */
export const serverOptions = {
  /** How often Node looks for connections whose time is over, in milliseconds. */
  connectionsCheckingInterval: 1000,
  /** `checkFraming` refuses requests without Host, with a sentence and a line of the log. */
  requireHostHeader: false,
};

/** None by Node: that of `enforceDeadlines` holds, whatever the client sends meanwhile. An option of each TLS server. */
export const handshakeTimeout = 0;

/** What is particular to a listener. */
interface ListenerOptions {
  /** Its key in the configuration. */
  readonly name: string;
  /** What happens before TLS, or HTTP; rejects for a connection that is refused. */
  readonly enter?: (connection: Connection) => Promise<void> | void;
}

/** Limits, deadlines, and answers to what never reaches the handler, for any listener. Gives what ends it (`drain`). */
export function prepareHttp(
  server: HttpServer,
  { name, enter }: ListenerOptions,
  limits: HttpLimits,
  handler: RequestListener,
  log: Log,
): () => Promise<void> {
  server.headersTimeout = limits.headersTimeout * 1000;
  server.requestTimeout = limits.requestTimeout * 1000;
  server.keepAliveTimeout = keepAliveTimeout;
  // Beyond its limit Node drops fields without a word, and with them what a proxy has added; all are counted later.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.on('checkContinue', handler);
  server.on('checkExpectation', handler);
  refuseUnreadable(server, log);
  const refused = logExcess(server, log, name);
  const failed = logFailedConnections(log, name);
  const connections = followConnections(server, {
    enter,
    handshakeTimeout: limits.handshakeTimeout * 1000,
    failed(connection) {
      if (connection.failure instanceof TooManyConnections) refused(connection);
      else failed(connection);
    },
  });
  const stopDeadlines = enforceDeadlines(connections, limits);
  return async function end() {
    await drain(server, connections, limits);
    stopDeadlines();
  };
}

/** RFC 7030, section 3.5 wants renegotiation to be secure if it happens; here it does not happen. */
function refuseRenegotiation(socket: TLSSocket): void {
  socket.disableRenegotiation();
  socket.on('error', () => socket.destroy());
}
