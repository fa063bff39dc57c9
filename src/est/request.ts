import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Credentials, PresentedCertificate } from '../auth/auth.ts';
import { EstError, toEstError } from '../errors.ts';

/** What the client showed: the Authorization header field, what it is for, and the client certificate. */
export function credentialsOf(
  request: IncomingMessage,
  clientCertificate: PresentedCertificate | undefined,
  address: string | undefined,
): Credentials {
  return {
    authorization: request.headers.authorization,
    method: request.method ?? '',
    target: request.url ?? '',
    clientCertificate,
    address,
  };
}

/** Those on which a request was refused unread or for its framing: what follows may be a part of it. */
const doubtfulConnections = new WeakSet<Duplex>();

/** Has nothing carried out that follows on the connection, which ends with the answer to this request. */
function endWith({ socket }: IncomingMessage): void {
  doubtfulConnections.add(socket);
}

/** Whether a request of the connection was refused so, and answered. */
export function isDoubtful(connection: Duplex): boolean {
  return doubtfulConnections.has(connection);
}

/** What is wrong with bodies that nobody can read to their end. */
const bodyFaults = new WeakMap<IncomingMessage, EstError>();
const bodyFault = Symbol('body fault');

/** Has the request refused by who handles it, if it has no answer yet; the connection ends with the answer. */
export function refuseBody(request: IncomingMessage, error: EstError): void {
  bodyFaults.set(request, error);
  endWith(request);
  request.emit(bodyFault);
}

/** What was thrown, unless the body is at fault: then nothing else about the request is worth an answer. */
export function refusalOf(request: IncomingMessage, thrown: unknown): EstError {
  return bodyFaults.get(request) ?? toEstError(thrown);
}

/**
 * Refuses what Node lets through and what two hops could read differently: more than one Host or Authorization
 * field, a request target that is not a path (RFC 9112, section 3.2), another version or transfer coding (sections 2.3
 * and 6.1), too many fields, and all that follows such a request (section 9.6); and what `checkExpectation` refuses.
 * Throws `malformed_request` or `expectation_failed`.
 */
export function checkFraming(request: IncomingMessage): void {
  checkExpectation(request);
  const fault = isDoubtful(request.socket)
    ? 'The connection ends with the malformed request before this one.'
    : framingFault(request);
  if (fault === undefined) return;
  endWith(request);
  throw new EstError('malformed_request', fault);
}

/**
 * Refuses any expectation but 100-continue (RFC 9110, section 10.1.1), whatever else the request is. Throws
 * `expectation_failed`.
 */
export function checkExpectation(request: IncomingMessage): void {
  if (!expectsContinue(request) || request.headers.expect?.toLowerCase() === '100-continue') return;
  endWith(request);
  throw new EstError('expectation_failed', 'The only expectation that this server meets is 100-continue.');
}

/** Header fields of a request. */
const mostFields = 100;

/** A sentence. */
function framingFault({
  headersDistinct,
  httpVersion,
  rawHeaders,
  url,
}: IncomingMessage): string | undefined {
  // Names and values stand in one list.
  if (rawHeaders.length > 2 * mostFields) return `The request has more than ${mostFields} header fields.`;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'The version of HTTP must be 1.1 or 1.0.';
  const codings = headersDistinct['transfer-encoding']?.join();
  if (codings !== undefined && (httpVersion === '1.0' || codings.toLowerCase() !== 'chunked')) {
    return 'The only transfer coding here is chunked, in HTTP/1.1.';
  }
  const twice = ['host', 'authorization', 'content-type', 'expect'].find(
    (name) => (headersDistinct[name]?.length ?? 0) > 1,
  );
  if (twice !== undefined) return `The request has more than one ${twice} header field.`;
  return url?.startsWith('/') === true ? undefined : 'The request target must be a path.';
}

/**
 * Reads the body of a request of the given media type (undefined: of any), at most `limit` octets as sent. Throws
 * `unsupported_media_type`, `payload_too_large`, `malformed_request` or `request_timeout`.
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  mediaType: string | undefined,
  limit: number,
): Promise<Buffer> {
  if (mediaType !== undefined) checkMediaType(request, mediaType);
  refuseEncoding(request);
  if (declaredLength(request) > limit) throw tooLarge(limit);
  if (expectsContinue(request)) response.writeContinue();
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit) chunks.push(chunk);
      else reject(tooLarge(limit));
    });
    request.on('end', () => {
      resolve(Buffer.concat(chunks));
    });
    function refuseIncomplete(cause?: unknown): void {
      const sentence = 'The connection ended before the request body did.';
      reject(bodyFaults.get(request) ?? new EstError('malformed_request', sentence, { cause }));
    }
    request.once(bodyFault, refuseIncomplete);
    request.on('error', refuseIncomplete);
    request.on('close', () => {
      if (!request.readableEnded) refuseIncomplete();
    });
    // The client went away before, perhaps while somebody decided about its code: no event follows.
    if (request.destroyed || bodyFaults.has(request)) refuseIncomplete();
  });
}

/** A client of HTTP/1.0 would take the 100 for the answer (RFC 9110, section 10.1.1). */
function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && request.httpVersion !== '1.0';
}

/** The type is compared exactly; parameters are ignored (`charset`, `name`) unless the operation demands one. */
function checkMediaType(request: IncomingMessage, mediaType: string): void {
  const [found, ...parameters] = parametersOf(request.headers['content-type'] ?? '');
  const [type, ...demanded] = parametersOf(mediaType);
  if (found !== type || !demanded.every((parameter) => parameters.includes(parameter))) {
    throw new EstError('unsupported_media_type', `The Content-Type of this request must be ${mediaType}.`, {
      headers: { Accept: mediaType },
    });
  }
}

function refuseEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new EstError('unsupported_media_type', 'The request body must come without Content-Encoding.', {
      headers: { 'Accept-Encoding': 'identity' },
    });
  }
}

/** Type and parameters of a media type, in lower case, values without quotes. */
export function parametersOf(mediaType: string): readonly string[] {
  return mediaType.split(';').map((part) => part.trim().toLowerCase().replace(/"/g, ''));
}

/** Octets, by Content-Length. */
export function declaredLength(request: IncomingMessage): number {
  return Number(request.headers['content-length'] ?? 0);
}

function tooLarge(limit: number): EstError {
  return new EstError(
    'payload_too_large',
    `The request body is too large; at most ${limit} octets are accepted.`,
  );
}
