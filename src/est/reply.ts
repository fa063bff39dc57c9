import { once } from 'node:events';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { addAbortSignal } from 'node:stream';
import type { RelayedAnswer } from '../ca/ca.ts';
import type { EstError } from '../errors.ts';
import type { Alias } from './alias.ts';
import { encodeBase64, type LineWrap } from './base64.ts';
import { ejbcaErrorPage, statusOf } from './compatibility.ts';
import type { Content, EstResponse } from './message.ts';
import { encodeMultipart, multipartMediaType } from './multipart.ts';
import { declaredLength, isDoubtful, parametersOf } from './request.ts';
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

/** The reply to a request that an operation answered (RFC 7030, section 4; RFC 8951, section 3). */
export function operationReply(
  request: IncomingMessage,
  alias: Alias,
  requestId: string,
  outcome: Exclude<EstResponse, { readonly status: 'relayed' }>,
): Reply {
  switch (outcome.status) {
    case 'ok':
      if ('secretParts' in outcome) return secretReply(alias, outcome.secretParts);
      return { status: 200, ...withContent(request, alias, outcome), close: false };
    case 'empty':
      return { status: 204, headers: cacheControlOf(request), body: '', close: false };
    case 'accepted':
      return acceptedReply(request, alias, outcome);
    case 'refused': {
      const { headers, ...plain } = errorReply(request, alias, outcome.error, requestId);
      const content = withContent(request, alias, outcome.content);
      return { ...plain, ...content, headers: { ...headers, ...content.headers } };
    }
  }
}

function acceptedReply(
  request: IncomingMessage,
  alias: Alias,
  { retryAfter, content }: Extract<EstResponse, { readonly status: 'accepted' }>,
): Reply {
  const sentence =
    'The request was accepted and waits for the CA; repeat it after the time in Retry-After.\n';
  const { headers, body } =
    content === undefined
      ? { headers: { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' }, body: sentence }
      : withContent(request, alias, content);
  return { status: 202, headers: { ...headers, 'Retry-After': String(retryAfter) }, body, close: false };
}

function withContent(
  request: IncomingMessage,
  alias: Alias,
  { mediaType, body }: Content,
): Pick<Reply, 'headers' | 'body'> {
  return {
    headers: {
      'Content-Type': mediaType,
      'Content-Transfer-Encoding': 'base64',
      ...cacheControlOf(request),
    },
    body: encodeBase64(body, lineWrap(request, alias.wrap)),
  };
}

function cacheControlOf({ method }: IncomingMessage): { readonly 'Cache-Control': string } {
  return { 'Cache-Control': method === 'POST' ? 'no-store' : 'no-cache' };
}

/** RFC 7030, section 4.4.2. No Content-Transfer-Encoding for the whole: RFC 2045, section 6.4 forbids base64 there. */
function secretReply({ wrap }: Alias, parts: readonly Content[]): Reply {
  const body = encodeMultipart(parts, wrap === 'none' ? 'none' : '64');
  for (const part of parts) part.body.fill(0);
  const headers = { 'Content-Type': multipartMediaType, 'Cache-Control': 'no-store' };
  return { status: 200, headers, body, isSecret: true, close: false };
}

/**
 * Clients that decode with OpenSSL's BIO need lines; strongSwan's before 5.9.11 fail on any line break, and
 * are known by sending neither User-Agent nor Accept.
 */
function lineWrap(request: IncomingMessage, wrap: Alias['wrap']): LineWrap {
  if (wrap !== 'auto') return wrap;
  const { accept, 'user-agent': userAgent } = request.headers;
  return accept === undefined && userAgent === undefined ? 'none' : '64';
}

/**
 * The reply to a refused request: one sentence and the request id, as text/plain (RFC 8951, section 5.1), as
 * application/problem+json (RFC 9457) for a client that asks for that by name, or in EJBCA's way.
 */
export function errorReply(
  request: IncomingMessage,
  alias: ErrorStyle,
  error: EstError,
  requestId: string,
): Reply {
  const status = statusOf(error, alias.compatibility);
  const content = errorContent(request, alias, status, error.sentence, requestId);
  return {
    status,
    headers: {
      'Content-Type': content.type,
      'Cache-Control': 'no-store',
      ...(error.retryAfter === undefined ? {} : { 'Retry-After': String(error.retryAfter) }),
      // A 401 must have one (RFC 9110, section 15.5.2), also where only a certificate would help.
      ...(alias.compatibility === 'ejbca' && status === 401 ? alias.challenge(new Date()) : {}),
      ...error.headers,
    },
    body: content.body,
    close: error.status === 400 || error.status === 413,
  };
}

/** What an alias says about the form of errors; where there is no alias, the RFCs decide. */
type ErrorStyle = Pick<Alias, 'compatibility' | 'challenge'> | { readonly compatibility: 'rfc' };

function errorContent(
  { headers: { accept = '' } }: IncomingMessage,
  { compatibility }: ErrorStyle,
  status: number,
  sentence: string,
  requestId: string,
): { readonly type: string; readonly body: string } {
  if (namesProblemJson(accept)) {
    const problem = { title: STATUS_CODES[status], status, detail: sentence, requestId };
    return { type: 'application/problem+json', body: `${JSON.stringify(problem)}\n` };
  }
  const text = errorText(sentence, requestId);
  return compatibility === 'ejbca'
    ? { type: 'text/html', body: ejbcaErrorPage(text) }
    : { type: 'text/plain', body: `${text}\n` };
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

/**
 * Sends the CA's own answer while it comes in. Throws what its body fails with; `response.headersSent` tells whether the
 * client has a part of it, and must not take that for all.
 */
export async function sendRelayed(
  request: IncomingMessage,
  response: ServerResponse,
  { headers, body }: RelayedAnswer,
  gone: AbortSignal,
): Promise<void> {
  addAbortSignal(gone, body);
  for await (const chunk of body) {
    if (!response.headersSent) {
      const cacheControl = request.method === 'POST' ? 'no-store' : 'no-cache';
      const close = isBound(request) ? { Connection: 'close' } : {};
      response.writeHead(200, { ...headers, 'Cache-Control': cacheControl, ...close });
    }
    if (!response.write(chunk)) await once(response, 'drain', { signal: gone });
  }
  response.end();
}

/** How long a client may go on sending a body that nobody reads, so that it can read the reply: milliseconds. */
const lingerTime = 1000;

/** Sends a reply. When the body was not read, what comes of it is thrown away, and the connection may end. */
export function send(request: IncomingMessage, response: ServerResponse, reply: Reply, limit: number): void {
  const drains = !request.complete && request.headers.expect === undefined;
  const isSmall = request.headers['transfer-encoding'] === undefined && declaredLength(request) <= limit;
  const isLast = reply.close || isDoubtful(request.socket) || isBound(request);
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
