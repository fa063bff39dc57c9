import type { IncomingMessage, ServerResponse } from 'node:http';
import { EstError, toEstError } from '../errors.ts';
import { endWith, expectsContinue } from './request.ts';

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
