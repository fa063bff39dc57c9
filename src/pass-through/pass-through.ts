import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { EstError } from '../errors.ts';
import { decodeBase64 } from '../http/base64.ts';
import { refusalReply, send } from '../http/reply.ts';
import { clientAddressOf } from '../http/connections.ts';
import { readBody, refusalOf } from '../http/body.ts';
import { checkFraming } from '../http/request.ts';
import { pathOf } from '../http/request-target.ts';
import type { Log } from '../ops/log.ts';
import { DerError } from '../pkix/der.ts';
import { readOcspQuestion } from '../pkix/ocsp-validity.ts';
import type { DocumentKind } from './kinds.ts';
import type { DocumentSource, FoundDocument } from './source.ts';

/** One path that is passed through. */
export interface PassThroughRoute {
  readonly path: string;
  readonly kind: DocumentKind;
  readonly source: DocumentSource;
}

/** The public documents of CAs elsewhere, for clients that reach nothing but the gateway. */
export interface PassThrough {
  /** Whether the request is for one of the paths; all other requests are none of its business. */
  serves(request: IncomingMessage): boolean;
  readonly listener: RequestListener;
  close(): void;
}

/** Octets of an OCSPRequest: for some hundred certificates. */
const maximalQuestion = 16_384;

/** Serves the paths and nothing else. What goes to an upstream is made here; nothing of the client's header does. */
export function createPassThrough(routes: readonly PassThroughRoute[], log: Log): PassThrough {
  const byPath = new Map(routes.map((route) => [route.path, route]));
  const responders = routes.filter(({ kind }) => kind.methods.includes('POST'));

  function routeOf(request: IncomingMessage): PassThroughRoute | undefined {
    const path = pathOf(request);
    return byPath.get(path) ?? responders.find((route) => questionInPath(route, path) !== undefined);
  }

  async function serve(
    route: PassThroughRoute,
    request: IncomingMessage,
    response: ServerResponse,
    clientGone: AbortSignal,
  ): Promise<Served> {
    checkFraming(request);
    checkMethod(route, request);
    const question = await readQuestion(route, request, response);
    const found = await route.source.find(keyOf(route, question), question, clientGone);
    return await sendDocument(route.kind, found, request, response);
  }

  async function answer(
    route: PassThroughRoute,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const requestId = randomUUID();
    const startedAt = performance.now();
    const { method, socket } = request;
    const fields = { requestId, method, path: route.path, address: clientAddressOf(socket) };
    const finished = (): object => ({ milliseconds: Math.round(performance.now() - startedAt) });
    const closed = new AbortController();
    response.once('close', () => {
      closed.abort();
    });
    try {
      const served = await serve(route, request, response, closed.signal);
      log.info('pass-through', { ...fields, ...served, ...finished() });
    } catch (thrown) {
      if (closed.signal.aborted) {
        log.info('pass-through', { ...fields, outcome: 'client_gone', ...finished() });
        return;
      }
      const error = refusalOf(request, thrown);
      if (response.headersSent) response.destroy();
      else {
        send(request, response, refusalReply(request, error, requestId), maximalQuestion);
      }
      const outcome = { outcome: error.code, status: error.status, reason: error.message, ...finished() };
      if (error.status < 500) log.info('pass-through', { ...fields, ...outcome });
      else log.error('pass-through', { ...fields, ...outcome, error: error.cause });
    }
  }

  return {
    serves: (request) => routeOf(request) !== undefined,
    listener: (request, response) => {
      const route = routeOf(request);
      if (route !== undefined) void answer(route, request, response);
    },
    close() {
      for (const { source } of routes) source.close();
    },
  };
}

/** For the log line. */
interface Served {
  readonly outcome: FoundDocument['outcome'];
  readonly status: number;
  readonly octets: number;
}

function checkMethod({ kind }: PassThroughRoute, { method = '' }: IncomingMessage): void {
  if (kind.methods.includes(method)) return;
  throw new EstError('method_not_allowed', `This document is read with ${kind.methods.join(' or ')}.`, {
    headers: { Allow: kind.methods.join(', ') },
  });
}

/** The end of a path such as `/ocsp/MFQw...`, which holds an OCSPRequest (RFC 6960, appendix A.1). */
function questionInPath({ path }: PassThroughRoute, asked: string): string | undefined {
  const prefix = path.endsWith('/') ? path : `${path}/`;
  const rest = asked.slice(prefix.length);
  return asked.startsWith(prefix) && /^[A-Za-z0-9+/=%]+$/.test(rest) ? rest : undefined;
}

/** The OCSPRequest, DER; undefined where the path alone says what is asked for. */
async function readQuestion(
  route: PassThroughRoute,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Buffer | undefined> {
  if (!route.kind.methods.includes('POST')) return undefined;
  const path = pathOf(request);
  if (request.method === 'POST' && path === route.path) {
    return await readBody(request, response, 'application/ocsp-request', maximalQuestion);
  }
  const text = questionInPath(route, path);
  if (text === undefined || request.method === 'POST') {
    throw new EstError(
      'malformed_request',
      'An OCSP request is sent by POST, or by GET in the path as base64.',
    );
  }
  return decodeBase64(unescaped(text));
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new EstError('malformed_request', 'The path holds a percent sign without two hex digits.', {
      cause,
    });
  }
}

/** The same for all who may get the same document; undefined: nobody else may. */
function keyOf({ path }: PassThroughRoute, question: Buffer | undefined): string | undefined {
  if (question === undefined) return path;
  try {
    if (readOcspQuestion(question).hasNonce) return undefined;
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause;
    throw new EstError('malformed_request', 'The OCSP request is malformed.', { cause });
  }
  return `${path} ${createHash('sha256').update(question).digest('hex')}`;
}

async function sendDocument(
  kind: DocumentKind,
  { document, outcome }: FoundDocument,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Served> {
  const { length, mediaType, freshness, validators } = document;
  const etag = document.etag ?? validators.etag;
  const seconds = Math.max(0, Math.floor((freshness.freshUntil - Date.now()) / 1000));
  const headers = {
    ...kind.headers,
    'Cache-Control': freshness.isStorable && outcome !== 'stale' ? `max-age=${seconds}` : 'no-store',
    ...(etag !== undefined && { ETag: etag }),
    ...(validators.lastModified !== undefined && { 'Last-Modified': validators.lastModified }),
  };
  if (isCurrent(request, etag, validators.lastModified)) {
    response.writeHead(304, headers).end();
    return { outcome, status: 304, octets: 0 };
  }
  response.writeHead(200, { 'Content-Type': mediaType, 'Content-Length': length, ...headers });
  if (request.method === 'HEAD') {
    response.end();
    return { outcome, status: 200, octets: 0 };
  }
  await pipeline(document.octets.read(), response);
  return { outcome, status: 200, octets: length };
}

/** Whether the client has this version already (RFC 9110, section 13.1). */
function isCurrent(
  { method, headers }: IncomingMessage,
  etag: string | undefined,
  lastModified: string | undefined,
): boolean {
  if (method === 'POST') return false;
  const tags = headers['if-none-match'];
  if (tags !== undefined) {
    const opaque = (tag: string): string => tag.trim().replace(/^W\//, '');
    return tags.trim() === '*' || (etag !== undefined && tags.split(',').map(opaque).includes(opaque(etag)));
  }
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return lastModified !== undefined && Date.parse(lastModified) <= since;
}
