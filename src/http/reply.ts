import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import type { EstError } from '../errors.ts';
import { declaredLength, parametersOf } from './body.ts';
import { isDoubtful } from './request.ts';
import { isBound } from './tls-session.ts';

/** A reply as it goes out: always with Content-Length, header and body in one write. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
  /** The body is filled with zeros when it is sent. */
  readonly isSecret?: boolean;
  /** End the connection after this reply. */
  readonly close: boolean;
}

/** How a refusal looks, besides its sentence. */
export interface RefusalForm {
  readonly status: number;
  readonly headers: Reply['headers'];
  readonly mediaType: string;
  /** The body around the text for people. */
  readonly page: (text: string) => string;
}

/** One sentence as text/plain (RFC 8951, section 5.1). */
export function plainForm({ status }: EstError): RefusalForm {
  return { status, headers: {}, mediaType: 'text/plain', page: (text) => `${text}\n` };
}

/**
 * The reply to a refused request: one sentence and the request id, in the given form or as application/problem+json
 * (RFC 9457) for a client that asks for that by name.
 */
export function refusalReply(
  request: IncomingMessage,
  error: EstError,
  requestId: string,
  form = plainForm(error),
): Reply {
  const { mediaType, body } = namesProblemJson(request.headers.accept ?? '')
    ? problem(form.status, error.sentence, requestId)
    : { mediaType: form.mediaType, body: form.page(errorText(error.sentence, requestId)) };
  return {
    status: form.status,
    headers: {
      'Content-Type': mediaType,
      'Cache-Control': 'no-store',
      ...(error.retryAfter === undefined ? {} : { 'Retry-After': String(error.retryAfter) }),
      ...form.headers,
      ...error.headers,
    },
    body,
    close: error.status === 400 || error.status === 413,
  };
}

function problem(
  status: number,
  detail: string,
  requestId: string,
): { readonly mediaType: string; readonly body: string } {
  const members = { title: STATUS_CODES[status], status, detail, requestId };
  return { mediaType: 'application/problem+json', body: `${JSON.stringify(members)}\n` };
}

/** What people read of a refusal: the sentence, and the id by which the log has the request. */
export function errorText(sentence: string, requestId: string): string {
  return `${sentence} (request ${requestId})`;
}

/** A wildcard does not name it: no EST client expects it. */
function namesProblemJson(accept: string): boolean {
  return accept.split(',').some((range) => {
    const [type, ...parameters] = parametersOf(range);
    return (
      type === 'application/problem+json' && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
    );
  });
}

/** How long a client may go on sending a body that nobody reads, so that it can read the reply: milliseconds. */
const lingerTime = 1000;

/** Octets of a body that are written at once, so that whoever looks can see whether the client takes them. */
const pieceOctets = 65_536;

function* piecesOf(body: Buffer): Generator<Buffer> {
  for (let begin = 0; begin < body.length; begin += pieceOctets) {
    yield body.subarray(begin, begin + pieceOctets);
  }
}

/** Sends a reply. When the body was not read, what comes of it is thrown away, and the connection may end. */
export function send(request: IncomingMessage, response: ServerResponse, reply: Reply, limit: number): void {
  const drains = !request.complete && request.headers.expect === undefined;
  const isSmall = request.headers['transfer-encoding'] === undefined && declaredLength(request) <= limit;
  // A client that wants no more answers over this connection may send its body after the reply, too.
  const isLast = reply.close || !response.shouldKeepAlive || isDoubtful(request.socket) || isBound(request);
  const close = isLast || (!request.complete && !(drains && isSmall));
  const { body } = reply;
  if (reply.isSecret === true && typeof body !== 'string') {
    response.on('close', () => {
      body.fill(0);
    });
  }
  response.writeHead(reply.status, {
    ...reply.headers,
    // A 204 has none (RFC 9110, section 8.6).
    ...(reply.status === 204 ? {} : { 'Content-Length': Buffer.byteLength(reply.body) }),
    ...(close ? { Connection: 'close' } : {}),
  });
  if (body.length > pieceOctets) {
    pipeline(Readable.from(piecesOf(Buffer.from(body))), response, () => undefined);
    return;
  }
  if (!(drains && close)) {
    response.end(reply.body);
    return;
  }
  // Closing a socket with unread input resets the connection, and the reply could be lost with it.
  response.write(reply.body);
  const timer = setTimeout(end, lingerTime);
  request.on('close', end);
  request.on('end', end);
  request.resume();

  function end(): void {
    clearTimeout(timer);
    response.end();
  }
}
