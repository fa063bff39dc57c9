import axios, { type AxiosInstance, type AxiosResponse } from 'axios';
import { Agent as PlainAgent, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { EstError } from '../errors.ts';
import type { ServiceVerdict } from './circuit-breaker.ts';

/** A request as it goes out. */
interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** An answer as it came, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  /** Without parameters, in lower case; empty: none. */
  readonly mediaType: string;
  /** All lines of Content-Type as they came, and Content-Encoding; empty: none. */
  readonly contentType: string;
  readonly contentCoding: string;
  readonly body: Buffer;
  /** Whole seconds of Retry-After, when the answer says so. */
  readonly retryAfter: number | undefined;
}

/** Kept-alive connections to one server: of TLS, or plain ones where the URL says http. */
export interface Connection {
  /**
   * Sends a request once; follows no redirect. Throws `ca_unavailable` when the server cannot be reached or ends the
   * connection, `ca_timeout` when the answer is late, `ca_bad_answer` when TLS fails or the answer is too large.
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  close(): void;
}

/** What a connection is made with; times in seconds. */
export interface ConnectionOptions {
  /** How sentences call the server, such as `EJBCA`. */
  readonly peer: string;
  /** PEM or PKCS#12 of the own key, and the PEM of the CAs that the server's certificate may come from. */
  readonly tls: SecureContextOptions;
  readonly timeouts: { readonly connect: number; readonly answer: number };
  readonly limits: {
    /** Octets of an answer. */
    readonly maxResponse: number;
    /** Connections that are kept open for the next requests. */
    readonly concurrency: number;
  };
}

/** Milliseconds after which an idle connection is closed, before the server or a proxy does it. */
const idleTimeout = 15_000;

/** Seconds after which a server that cannot be reached may be back. */
const retryAfter = 10;

/** Nothing is connected until the first request. */
export function createConnection({ peer, tls, timeouts, limits }: ConnectionOptions): Connection {
  const agent = createAgent(tls, timeouts.connect * 1000, limits.concurrency);
  const plainAgent = new PlainAgent({
    keepAlive: true,
    timeout: idleTimeout,
    maxFreeSockets: limits.concurrency,
  });
  const client: AxiosInstance = axios.create({
    httpsAgent: agent,
    httpAgent: plainAgent,
    maxRedirects: 0,
    maxContentLength: limits.maxResponse,
    decompress: false,
    // By itself axios asks for what it would then have to decompress.
    headers: { 'Accept-Encoding': 'identity' },
    proxy: false,
    responseType: 'arraybuffer',
    transformRequest: (body: string | undefined) => body,
    validateStatus: null,
  });

  return {
    async send({ method, url, headers, body }, signal) {
      const deadline = startDeadline(signal, timeouts.answer * 1000);
      try {
        const data = body === undefined ? {} : { data: body };
        return toAnswer(
          await client.request<Buffer>({ method, url, headers, signal: deadline.signal, ...data }),
        );
      } catch (error) {
        throw toEstError(peer, error, deadline.signal);
      } finally {
        deadline.clear();
      }
    },
    close() {
      agent.destroy();
      plainAgent.destroy();
    },
  };
}

/** Connections that stay open for the next request; one that is not there after `connectTimeout` milliseconds fails. */
export function createAgent(
  tls: SecureContextOptions,
  connectTimeout: number,
  maxFreeSockets: number,
): Agent {
  const agent = new Agent({ ...tls, keepAlive: true, timeout: idleTimeout, maxFreeSockets });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback) as TLSSocket;
    limitConnecting(socket, connectTimeout);
    return socket;
  };
  return agent;
}

const connectingTooLong = 'The connection took too long.';

/** Ends a socket that is not through with TCP and TLS in time. */
function limitConnecting(socket: Socket, milliseconds: number): void {
  const timer = setTimeout(() => {
    socket.destroy(Object.assign(new Error(connectingTooLong), { code: 'ETIMEDOUT' }));
  }, milliseconds);
  const stop = (): void => {
    clearTimeout(timer);
  };
  socket.once('secureConnect', stop);
  socket.once('close', stop);
}

/** Aborts with the given signal, or when the time is over. */
function startDeadline(
  signal: AbortSignal,
  milliseconds: number,
): { readonly signal: AbortSignal; readonly clear: () => void } {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(signal.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(new AnswerTimeout());
  }, milliseconds);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
}

/** The server did not answer in the time that it has. */
export class AnswerTimeout extends Error {}

/** Whether an error says that the server itself is down or hangs, not that a caller was out of time. */
export function isServerFailure(error: unknown): boolean {
  if (!(error instanceof EstError)) return false;
  return (
    error.code === 'ca_unavailable' || (error.code === 'ca_timeout' && error.cause instanceof AnswerTimeout)
  );
}

/** Whether an error says that the request never left, since there was no connection to the server. */
export function isNeverSent(error: unknown): boolean {
  if (!(error instanceof EstError) || !(error.cause instanceof Error)) return false;
  const { message, code = '' } = error.cause as NodeJS.ErrnoException;
  return message === connectingTooLong || neverConnected.test(code);
}

/** No address, no listener, or a certificate that is not accepted: errors of libuv and OpenSSL. */
const neverConnected =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|ERR_TLS_CERT_)/;

/** As a circuit breaker sees it: a caller who was out of time, or gone, says nothing about the server. */
export function serverVerdict(error: unknown): ServiceVerdict {
  if (isServerFailure(error)) return 'fails';
  return error instanceof EstError && error.code !== 'ca_timeout' ? 'works' : 'unknown';
}

function toAnswer({ status, headers, data, request }: AxiosResponse<Buffer>): HttpAnswer {
  const header = (name: string): string => String(headers[name] ?? '');
  // Of a field that is there twice the others have the first line alone.
  const { headersDistinct } = (request as ClientRequest & { readonly res: IncomingMessage }).res;
  const lines = (name: string): string => headersDistinct[name]?.join(', ') ?? '';
  const [mediaType = ''] = header('content-type').split(';');
  return {
    status,
    mediaType: mediaType.trim().toLowerCase(),
    contentType: lines('content-type'),
    contentCoding: lines('content-encoding'),
    body: data,
    retryAfter: wholeSeconds(header('retry-after')),
  };
}

/** Undefined for what is no JSON. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The value of Retry-After; undefined for a date and for what is none. */
export function wholeSeconds(value = ''): number | undefined {
  return /^\d{1,6}$/.test(value) ? Number(value) : undefined;
}

/** What a failure to send or to receive means. The request stays out of the cause: it may hold an enrolment code or a token. */
export function toEstError(peer: string, thrown: unknown, signal: AbortSignal): EstError {
  const late = signal.aborted ? (signal.reason as unknown) : thrown;
  if (signal.aborted || thrown instanceof AnswerTimeout) {
    return new EstError('ca_timeout', `${peer} did not answer in time.`, { cause: late });
  }
  const { message, code = '' } = thrown as NodeJS.ErrnoException;
  const cause = Object.assign(new Error(message), { code });
  if (message.startsWith('maxContentLength')) {
    return new EstError('ca_bad_answer', `${peer} answers with more octets than limits.maxResponse.`, {
      cause,
    });
  }
  if (isTlsFailure(code)) {
    return new EstError('ca_bad_answer', `${peer} and the gateway do not accept each other in TLS.`, {
      cause,
    });
  }
  return new EstError('ca_unavailable', `${peer} cannot be reached.`, { cause, retryAfter });
}

/** OpenSSL's words about certificates, and alerts. */
function isTlsFailure(code: string): boolean {
  return /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO|HOSTNAME_)/.test(code);
}
