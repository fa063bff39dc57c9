import { EstError } from '../../errors.ts';
import { createCircuitBreaker } from '../../ops/circuit-breaker.ts';
import { createGate } from '../../ops/gate.ts';
import type { Log } from '../../ops/log.ts';
import { createConnection, isServerFailure, type HttpAnswer } from '../connection.ts';
import type { EstCredentials } from './credentials.ts';
import type { EstOptions } from './options.ts';

/** A request to the upstream. */
export interface EstCall {
  readonly operation: 'cacerts' | 'simpleenroll' | 'simplereenroll' | 'fullcmc';
  /** What is posted, DER; undefined: GET. */
  readonly body?: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** For the log: the request that it belongs to. */
  readonly requestId?: string;
}

/** What the upstream answers. A refusal is thrown. */
export type EstAnswer =
  | { readonly status: 'ok'; /** DER, or BER. */ readonly body: Buffer }
  | { readonly status: 'accepted'; /** Whole seconds. */ readonly retryAfter: number };

/** The EST of the upstream. */
export interface EstClient {
  /** Asks once. Throws an EstError for everything that is not an answer, after a line in the log. */
  call(call: EstCall, signal: AbortSignal): Promise<EstAnswer>;
  close(): void;
}

const mediaTypes = {
  cacerts: undefined,
  simpleenroll: 'application/pkcs10',
  simplereenroll: 'application/pkcs10',
  fullcmc: 'application/pkcs7-mime; smime-type=CMC-request',
} as const;

/** Nothing is asked before the first call. */
export function createEstClient(
  options: EstOptions,
  { tls }: EstCredentials,
  { name, log }: { readonly name: string; readonly log: Log },
): EstClient {
  const { timeouts, limits } = options;
  const connection = createConnection({ peer: 'The EST server', tls, timeouts, limits });
  const gate = createGate(limits);
  const breaker = createCircuitBreaker({
    ...options.circuitBreaker,
    isFailure: isServerFailure,
    onOpen: (error) => {
      log.error('The EST server fails again and again; it is left alone for a while.', {
        backend: name,
        error,
      });
    },
  });

  async function send({ operation, body, headers }: EstCall, signal: AbortSignal): Promise<HttpAnswer> {
    const url = `${options.url}/${operation}`;
    const accept = { Accept: 'application/pkcs7-mime', 'User-Agent': 'est-gateway', ...headers };
    if (body === undefined) return await connection.send({ method: 'GET', url, headers: accept }, signal);
    return await connection.send(
      {
        method: 'POST',
        url,
        headers: {
          ...accept,
          'Content-Type': mediaTypes[operation] ?? '',
          'Content-Transfer-Encoding': 'base64',
        },
        body: body.toString('base64'),
      },
      signal,
    );
  }

  return {
    async call(call, signal) {
      const { operation, requestId } = call;
      const fields = { backend: name, requestId, operation };
      const answer = await gate
        .run(signal, async () => await breaker.run(async () => await send(call, signal)))
        .catch((error: unknown) => {
          log.error('The EST server could not be asked.', { ...fields, error, advice: adviceFor(error) });
          throw error;
        });
      if (answer.status === 202) {
        return { status: 'accepted', retryAfter: answer.retryAfter ?? options.retryAfter };
      }
      if (answer.status === 200) return { status: 'ok', body: decode(answer) };
      const { error, isOurs } = refusalOf(answer);
      const said = { ...fields, status: answer.status, answer: answer.body.toString('utf8', 0, 300) };
      if (isOurs) log.error('The EST server refuses the gateway itself; its operator has to look.', said);
      else log.warn('The EST server refuses a request.', said);
      throw error;
    },
    close() {
      connection.close();
    },
  };
}

function adviceFor(error: unknown): string | undefined {
  if (!(error instanceof EstError) || error.code !== 'ca_bad_answer') return undefined;
  return 'Check trustAnchor and clientCertificate of this backend, at both ends, and limits.maxResponse.';
}

/** Base64 with white space anywhere, as RFC 8951 has it, or what some servers send: DER itself. */
function decode({ body }: HttpAnswer): Buffer {
  return body[0] === 0x30 ? body : Buffer.from(body.toString('latin1'), 'base64');
}

interface Refusal {
  readonly error: EstError;
  /** Whether the gateway's own configuration is at fault, not the client's request. */
  readonly isOurs: boolean;
}

/** What the upstream said in words stays in the log. */
function refusalOf({ status, retryAfter }: HttpAnswer): Refusal {
  const cause = new Error(`The EST server answered ${status}.`);
  const later = { cause, ...(retryAfter !== undefined && { retryAfter }) };
  switch (status) {
    case 400:
      return {
        isOurs: false,
        error: new EstError('bad_certification_request', 'The CA does not accept this CSR.', { cause }),
      };
    case 403:
      return {
        isOurs: false,
        error: new EstError('rejected_by_ca', 'The CA refuses this request.', { cause }),
      };
    case 401:
      return {
        isOurs: true,
        error: new EstError(
          'ca_bad_answer',
          'The EST server does not accept the credentials of the gateway.',
          { cause },
        ),
      };
    case 429:
    case 502:
    case 503:
      return {
        isOurs: false,
        error: new EstError('ca_unavailable', 'The EST server cannot issue at the moment.', later),
      };
    case 504:
      return {
        isOurs: false,
        error: new EstError('ca_timeout', 'The CA behind the EST server is late.', later),
      };
    default:
      return {
        isOurs: status < 500,
        error: new EstError('ca_bad_answer', 'The EST server gives an answer that is none of EST.', {
          cause,
        }),
      };
  }
}
