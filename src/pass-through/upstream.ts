import axios, { isAxiosError, type AxiosResponse } from 'axios';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { EstError } from '../errors.ts';
import { DerError } from '../pkix/der.ts';
import type { Document } from './document.ts';
import { freshnessOf, type FreshnessOptions, type HeaderFields } from './freshness.ts';
import { collect } from './growing-octets.ts';
import type { DocumentKind, Validity } from './kinds.ts';

/** What is asked of an upstream, and what is taken from it. */
export interface UpstreamOptions extends FreshnessOptions {
  readonly kind: DocumentKind;
  readonly url: string;
  /** PEM of the CAs that a TLS certificate may come from; undefined: those that Node brings along. */
  readonly trustAnchor: string | undefined;
  /** Octets of a document. */
  readonly maxBytes: number;
  /** Seconds until an answer begins, and between its pieces. */
  readonly timeout: number;
  readonly lookup: LookupFunction;
}

/** One URL somewhere else. */
export interface Upstream {
  /**
   * Asks once, with `question` (an OCSPRequest) by POST, and follows no redirect; gives `earlier` with new dates when
   * that is still current. Throws `unknown_operation` when there is no such document, `ca_unavailable`, `ca_timeout`, or
   * `ca_bad_answer` for what is no document of this kind.
   */
  fetch(question: Buffer | undefined, earlier: Document | undefined, signal: AbortSignal): Promise<Document>;
  close(): void;
}

/** Connections that are kept for the next request, for how many milliseconds. */
const kept = { keepAlive: true, maxFreeSockets: 8, timeout: 15_000 } as const;

/** Seconds after which an upstream that is down may be back. */
const retryAfter = 10;

/** Nothing is asked before the first `fetch`. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { kind, url, trustAnchor, maxBytes, timeout, lookup } = options;
  const httpAgent = new HttpAgent({ ...kept, lookup });
  const httpsAgent = new HttpsAgent({
    ...kept,
    lookup,
    ...(trustAnchor !== undefined && { ca: trustAnchor }),
  });
  const client = axios.create({
    httpAgent,
    httpsAgent,
    maxRedirects: 0,
    maxBodyLength: Infinity,
    decompress: false,
    proxy: false,
    responseType: 'stream',
    transformRequest: (body: Buffer | undefined) => body,
    validateStatus: null,
  });

  async function send(
    question: Buffer | undefined,
    earlier: Document | undefined,
    signal: AbortSignal,
  ): Promise<AxiosResponse<Readable>> {
    const { etag, lastModified } = earlier?.validators ?? {};
    const headers = {
      Accept: kind.mediaTypes.join(', '),
      'Accept-Encoding': 'identity',
      'User-Agent': 'est-gateway',
      ...(question !== undefined && { 'Content-Type': 'application/ocsp-request' }),
      ...(etag !== undefined && { 'If-None-Match': etag }),
      ...(lastModified !== undefined && { 'If-Modified-Since': lastModified }),
    };
    const method = question === undefined ? 'GET' : 'POST';
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort(new UpstreamTimeout());
    }, timeout * 1000);
    try {
      const either = AbortSignal.any([signal, late.signal]);
      return await client.request<Readable>({
        method,
        url,
        headers,
        signal: either,
        ...(question !== undefined && { data: question }),
      });
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(late.signal.aborted ? late.signal.reason : error);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async fetch(question, earlier, signal) {
      const { status, headers: fields, data } = await send(question, earlier, signal);
      // Whoever stops reading sees why; nobody else has to.
      data.on('error', () => undefined);
      const headers = fields as HeaderFields;
      const now = Date.now();
      if (status === 304 && earlier !== undefined) {
        data.resume();
        return { ...earlier, freshness: freshnessOf(headers, earlier.validity, options, now) };
      }
      try {
        const mediaType = acceptedMediaType(kind, status, headers);
        const length = lengthOf(headers, maxBytes);
        const octets = collect(data, { length, maxBytes, idle: timeout * 1000 });
        await octets.atLeast(length === undefined ? Infinity : kind.headOctets);
        const head = octets.soFar();
        const validity = validityOf(kind, head);
        return {
          mediaType,
          length: length ?? head.length,
          octets,
          validity,
          freshness: freshnessOf(headers, validity, options, now),
          validators: { etag: headers['etag'], lastModified: headers['last-modified'] },
        };
      } catch (error) {
        data.destroy();
        signal.throwIfAborted();
        throw error instanceof EstError ? error : unreachable(error);
      }
    },
    close() {
      httpAgent.destroy();
      httpsAgent.destroy();
    },
  };
}

/** What an upstream, or a proxy in front of it, answers when it is down; a 500 may be about one question alone. */
const outages: readonly number[] = [502, 503, 504];

/** Whether a kept document may be given in place of this failure. */
export function isOutage(error: unknown): boolean {
  return error instanceof EstError && error.status >= 500;
}

/** What the client shall be told of the document's type. Throws for every answer that is not the document. */
function acceptedMediaType(kind: DocumentKind, status: number, headers: HeaderFields): string {
  if (status === 404 || status === 410) {
    throw new EstError('unknown_operation', 'The CA has no such document at the moment.');
  }
  if (outages.includes(status)) throw unreachable(new Error(`The upstream answered ${status}.`));
  if (status !== 200) throw nonsense(`the status ${status}, and redirects are not followed`);
  const said = headers['content-type'] ?? '';
  const [type = '', ...parameters] = said.split(';').map((part) => part.trim().toLowerCase());
  if (!kind.mediaTypes.includes(type)) throw nonsense(`the media type "${type}"`);
  if (headers['content-encoding'] !== undefined) throw nonsense('a Content-Encoding');
  const charset = parameters.find((parameter) => /^charset=[\w-]{1,40}$/.test(parameter));
  return kind.mediaType ?? (charset === undefined ? type : `${type}; ${charset}`);
}

function lengthOf(headers: HeaderFields, maxBytes: number): number | undefined {
  const said = headers['content-length'];
  if (said === undefined) return undefined;
  const length = Number(said);
  if (length > maxBytes) throw nonsense(`${length} octets; maxBytes is ${maxBytes}`);
  return length;
}

function validityOf(kind: DocumentKind, head: Buffer): Validity {
  try {
    return kind.readValidity(head);
  } catch (error) {
    if (error instanceof DerError) throw nonsense('a document of another kind', error);
    throw error;
  }
}

function nonsense(found: string, cause?: unknown): EstError {
  return new EstError('ca_bad_answer', 'The upstream gives what it should not.', {
    cause: new Error(`The upstream gives ${found}.`, { cause }),
  });
}

/** The upstream did not begin to answer in time. */
class UpstreamTimeout extends Error {}

function unreachable(thrown: unknown): EstError {
  if (thrown instanceof UpstreamTimeout) {
    return new EstError('ca_timeout', 'The upstream did not answer in time.', { cause: thrown });
  }
  const { message, code } = isAxiosError(thrown) ? thrown : { message: String(thrown), code: undefined };
  const cause =
    thrown instanceof Error && !isAxiosError(thrown) ? thrown : Object.assign(new Error(message), { code });
  return new EstError('ca_unavailable', 'The upstream cannot be reached.', { cause, retryAfter });
}
