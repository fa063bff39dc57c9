import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { addAbortSignal } from 'node:stream';
import type { RelayedAnswer } from '../ca/ca.ts';
import type { EstError } from '../errors.ts';
import { encodeBase64, type LineWrap } from '../http/base64.ts';
import { plainForm, refusalReply, type RefusalForm, type Reply } from '../http/reply.ts';
import { isBound } from '../http/tls-session.ts';
import type { Alias } from './alias.ts';
import { ejbcaErrorPage, statusOf } from './compatibility.ts';
import type { Content, EstResponse } from './message.ts';
import { encodeMultipart, multipartMediaType } from './multipart.ts';

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

/** Bouncy Castle and the like close such answers unread, and fail when there is a body that they did not read. */
const nothing: Pick<Reply, 'headers' | 'body'> = { headers: { 'Cache-Control': 'no-store' }, body: '' };

function acceptedReply(
  request: IncomingMessage,
  alias: Alias,
  { retryAfter, content }: Extract<EstResponse, { readonly status: 'accepted' }>,
): Reply {
  const { headers, body } = content === undefined ? nothing : withContent(request, alias, content);
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
 * Clients that decode with OpenSSL's BIO need lines, and send User-Agent. Those that fail on line breaks (strongSwan before
 * 5.9.11, est-ca) send none, like others that read either.
 */
function lineWrap(request: IncomingMessage, wrap: Alias['wrap']): LineWrap {
  if (wrap !== 'auto') return wrap;
  return request.headers['user-agent'] === undefined ? 'none' : '64';
}

/** The reply to a refused request, in the way of the alias; undefined: there is no such alias. */
export function errorReply(
  request: IncomingMessage,
  alias: ErrorStyle | undefined,
  error: EstError,
  requestId: string,
): Reply {
  const form = alias?.compatibility === 'ejbca' ? ejbcaForm(alias, error) : plainForm(error);
  const reply = refusalReply(request, error, requestId, form);
  return isClosedUnread(request, reply) ? withoutBody(reply) : reply;
}

/**
 * The challenge to a client that has not shown yet who it is, and the word that there are no csrattrs, are all that is read of
 * these, unless the client asks for more by name; the log has the sentence.
 */
function isClosedUnread({ headers, url }: IncomingMessage, { status, headers: replied }: Reply): boolean {
  if (replied['Content-Type'] === 'application/problem+json') return false;
  return status === 401
    ? headers.authorization === undefined
    : status === 404 && url?.endsWith('/csrattrs') === true;
}

function withoutBody({ headers: { 'Content-Type': _, ...headers }, ...reply }: Reply): Reply {
  return { ...reply, headers, body: nothing.body };
}

/** What an alias says about the form of errors. */
type ErrorStyle = Pick<Alias, 'compatibility' | 'challenge'>;

function ejbcaForm({ compatibility, challenge }: ErrorStyle, error: EstError): RefusalForm {
  const status = statusOf(error, compatibility);
  // A 401 must have one (RFC 9110, section 15.5.2), also where only a certificate would help.
  const headers = status === 401 ? challenge(new Date()) : {};
  return { status, headers, mediaType: 'text/html', page: ejbcaErrorPage };
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
