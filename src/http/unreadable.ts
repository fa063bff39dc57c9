import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EstError, type EstErrorCode } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { plainAddress } from '../ops/networks.ts';
import { clientAddressOf } from './connections.ts';
import { errorText } from './reply.ts';
import { refuseBody } from './body.ts';
import { isDoubtful } from './request.ts';

/**
 * Refuses what Node cannot read as HTTP, or hands to nobody, as other requests are refused: one sentence with a request
 * id, one line of the log. The connection ends with it. A connection over which nothing came, or that broke, is no
 * request.
 */
export function refuseUnreadable(server: Server, log: Log): void {
  const refused = new WeakSet<Duplex>();
  /** The latest request of each connection, until it has come and is answered: connections outlive what they carried. */
  const exchanges = new WeakMap<Duplex, { request: IncomingMessage; response: ServerResponse }>();
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      exchanges.set(socket, { request, response });
      response.once('close', () => {
        if (request.complete && exchanges.get(socket)?.response === response) exchanges.delete(socket);
      });
    });
  }

  server.on('clientError', (failure: NodeJS.ErrnoException, socket) => {
    const error = hasSent(socket) ? refusalFor(failure.code) : undefined;
    if (error === undefined || !socket.writable) socket.destroy();
    else refuse(socket, error, failure.code);
  });
  server.on('connect', (_request, socket) => {
    // Node has taken its own hands off it.
    socket.on('error', () => undefined);
    socket.once('finish', () => socket.destroy());
    refuse(socket, new EstError('malformed_request', 'The request target must be a path.'));
  });

  /** Node reports the same again for all that comes behind it. */
  function refuse(socket: Duplex, error: EstError, parserError?: string): void {
    if (refused.has(socket)) return;
    refused.add(socket);
    const { request, response } = exchanges.get(socket) ?? {};
    if (request?.complete === false) {
      // Who handles it has the one answer, and the line.
      refuseBody(request, error);
      endBehind(response, socket);
    } else if (isDoubtful(socket)) {
      endBehind(response, socket);
    } else {
      const requestId = randomUUID();
      endBehind(response, socket, answerOf(error, requestId));
      log.info('request', {
        requestId,
        outcome: error.code,
        status: error.status,
        address: addressOf(socket),
        reason: error.message,
        parserError,
      });
    }
  }
}

/** Ends the connection with these octets, which come behind a response that is under way. */
function endBehind(response: ServerResponse | undefined, socket: Duplex, last = ''): void {
  function end(): void {
    if (socket.writable) socket.end(last);
  }
  if (response === undefined || response.writableFinished) end();
  else response.once('finish', end);
}

/** A handshake is nothing yet. */
function hasSent(socket: Duplex): boolean {
  return socket instanceof Socket && socket.bytesRead > 0;
}

function addressOf(socket: Duplex): string | undefined {
  const address = socket instanceof Socket ? clientAddressOf(socket) : undefined;
  return address && plainAddress(address);
}

const refusals: Readonly<Record<string, readonly [EstErrorCode, sentence: string]>> = {
  HPE_HEADER_OVERFLOW: ['header_fields_too_large', 'The header of the request is too large.'],
  HPE_INVALID_METHOD: ['unknown_method', 'The method of the request is unknown.'],
  HPE_INVALID_EOF_STATE: ['malformed_request', 'The connection ended before the request did.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request took too long to arrive.'],
};

/** By the code of Node's error; undefined: it is not about a request, but a handshake or a peer that is gone. */
function refusalFor(code = ''): EstError | undefined {
  if (!/^(HPE|ERR_HTTP)_/.test(code)) return undefined;
  return new EstError(
    ...(refusals[code] ?? ['malformed_request', 'The request is no valid HTTP/1.1 message.']),
  );
}

function answerOf({ status, sentence }: EstError, requestId: string): string {
  const body = `${errorText(sentence, requestId)}\n`;
  const fields = ['Content-Type: text/plain', `Content-Length: ${body.length}`, 'Connection: close'];
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...fields, '', body].join('\r\n');
}
