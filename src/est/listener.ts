import { createServer, type Server, type ServerOptions } from 'node:https';
import type { IncomingMessage, RequestListener, Server as HttpServer, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { endWith, isDoubtful } from './request.ts';

/** The TLS side of the EST listener. */
export interface EstListenerOptions extends HttpLimits {
  /** PEM: the server's certificate, then its intermediates. */
  readonly certificate: string;
  /** PEM. */
  readonly privateKey: string;
  /** PEM: every trust anchor of every alias, with intermediates. */
  readonly trustAnchors: readonly string[];
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Seconds until a handshake must be complete. */
  readonly handshakeTimeout: number;
}

/** What holds for each connection of a listener. */
interface HttpLimits {
  /** Seconds until the header of a request, and the whole request, must be complete. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** Connections at once; more are closed at once. */
  readonly connections: number;
}

/**
 * An HTTPS server that asks for a client certificate and lets a client without one in, since cacerts needs none
 * and a user has none (RFC 7030, sections 3.3.2 and 4.1.2). Whether a certificate is good is decided for each
 * request by `auth`. There is one truststore, and ticket keys live as long as the process, so that no session
 * carries over what another truststore decided.
 */
export function createEstListener(options: EstListenerOptions, handler: RequestListener): Server {
  const tls: ServerOptions = {
    cert: options.certificate,
    key: options.privateKey,
    ca: [...options.trustAnchors],
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: options.minimumVersion,
    ecdhCurve: 'X25519MLKEM768:X25519:P-256:P-384',
    honorCipherOrder: true,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: options.handshakeTimeout * 1000,
  };
  const server = createServer({ ...tls, connectionsCheckingInterval: 1000 }, handler);
  server.on('secureConnection', refuseRenegotiation);
  prepareHttp(server, options, handler);
  return server;
}

/** Limits, and answers to what never reaches the handler, for any listener that serves EST. */
export function prepareHttp(server: HttpServer, limits: HttpLimits, handler: RequestListener): void {
  server.headersTimeout = limits.headersTimeout * 1000;
  server.requestTimeout = limits.requestTimeout * 1000;
  server.keepAliveTimeout = 5000;
  // Beyond its limit Node drops fields without a word, and with them what a proxy has added; all are counted later.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections;
  server.setTimeout(2 * limits.requestTimeout * 1000);
  server.on('checkContinue', handler);
  server.on('checkExpectation', answerExpectation);
  server.on('clientError', answerUnreadable);
}

/** RFC 7030, section 3.5 wants renegotiation to be secure if it happens; here it does not happen. */
function refuseRenegotiation(socket: TLSSocket): void {
  socket.disableRenegotiation();
  socket.on('error', () => socket.destroy());
}

/** Any expectation but 100-continue (RFC 9110, section 10.1.1), whatever else the request is: nobody looks at that. */
function answerExpectation(request: IncomingMessage, response: ServerResponse): void {
  endWith(request);
  const body = 'The only expectation that this server meets is 100-continue.\n';
  response.writeHead(417, {
    'Content-Type': 'text/plain',
    'Content-Length': body.length,
    Connection: 'close',
  });
  response.end(body);
}

const unreadable: Readonly<Record<string, { readonly status: string; readonly sentence: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: '431 Request Header Fields Too Large',
    sentence: 'The header of the request is too large.',
  },
  HPE_INVALID_METHOD: { status: '501 Not Implemented', sentence: 'The method of the request is unknown.' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: '408 Request Timeout',
    sentence: 'The request took too long to arrive.',
  },
};
const badRequest = { status: '400 Bad Request', sentence: 'The request is no valid HTTP/1.1 message.' };

/** What is no readable HTTP request never reaches the router; it is answered in the same form, and closed. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  const isHttp = /^(HPE|ERR_HTTP)_/.test(error.code ?? '');
  if (!isHttp || !socket.writable) {
    // A handshake that failed or took too long, or a peer that is gone.
    socket.destroy();
    return;
  }
  if (isDoubtful(socket)) {
    // It has its answer, with which the connection ends.
    socket.end();
    return;
  }
  const { status, sentence } = unreadable[error.code ?? ''] ?? badRequest;
  const body = `${sentence}\n`;
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`${head}\r\n\r\n${body}`);
}
