import { Ajv, type ValidateFunction } from 'ajv';
import { EstError } from '../../errors.ts';
import { createCircuitBreaker } from '../../ops/circuit-breaker.ts';
import { createGate } from '../../ops/gate.ts';
import type { Log } from '../../ops/log.ts';
import {
  createConnection,
  isServerFailure,
  serverVerdict,
  parseJson,
  type Connection,
  type HttpAnswer,
} from '../../ops/connection.ts';
import type { Credentials } from './credentials.ts';
import type { EjbcaOptions } from './options.ts';
import { refusalOf } from './refusal.ts';

/** A call of EJBCA's REST API. */
interface RestCall {
  readonly method: 'GET' | 'POST';
  /** Below the REST API; each variable part encoded. */
  readonly path: string;
  readonly body?: object;
  /** The call changes nothing, so that it may be repeated. A POST is not safe unless it says so. */
  readonly isSafe?: boolean;
  /** For the log: the EST request that it belongs to. */
  readonly requestId?: string | undefined;
  /** What must never be logged though EJBCA may quote it. */
  readonly secret?: string | undefined;
  /** Texts by which EJBCA says that there is no such thing. */
  readonly absent?: RegExp;
}

/** What EJBCA answers. */
type RestAnswer =
  | { readonly status: 'ok'; readonly body: Buffer }
  /** An administrator has to approve first; older versions give no id. */
  | { readonly status: 'waiting'; readonly requestId: number | undefined }
  /** There is no such thing, where the call says how EJBCA says so. */
  | { readonly status: 'absent' };

/** EJBCA's REST API. */
export interface RestClient {
  /** Throws an EstError for everything that is not an answer, after a line in the log. */
  call(call: RestCall, signal: AbortSignal): Promise<RestAnswer>;
  /** As `call`, for JSON that passes the check; undefined: absent. */
  json<Answer>(
    call: RestCall,
    check: ValidateFunction<Answer>,
    signal: AbortSignal,
  ): Promise<Answer | undefined>;
  close(): void;
}

/** What a client is made of. */
export interface RestClientParts {
  readonly options: EjbcaOptions;
  /** PEM. */
  readonly trustAnchor: string;
  readonly credentials: Credentials;
  /** The backend's name, for the log. */
  readonly name: string;
  readonly log: Log;
}

/** Nothing is asked before the first call. */
export function createRestClient({
  options,
  trustAnchor,
  credentials,
  name,
  log,
}: RestClientParts): RestClient {
  const connection: Connection = createConnection({
    peer: 'EJBCA',
    tls: { ca: trustAnchor, ...credentials.tls },
    timeouts: options.timeouts,
    limits: options.limits,
  });
  const gate = createGate(options.limits);
  const breaker = createCircuitBreaker({
    ...options.circuitBreaker,
    verdictOn: serverVerdict,
    onOpen: (error) => {
      log.error('EJBCA fails again and again; it is left alone for a while.', { backend: name, error });
    },
  });
  const base = `${options.baseUrl.replace(/\/$/, '')}/ejbca-rest-api`;

  async function send({ method, path, body }: RestCall, signal: AbortSignal): Promise<HttpAnswer> {
    const authorization = await credentials.authorization();
    const request = {
      method,
      url: base + path,
      headers: {
        Accept: 'application/json',
        // EJBCA refuses what looks like a browser's script without it.
        'X-Keyfactor-Requested-With': 'est-gateway',
        ...(authorization !== undefined && { Authorization: authorization }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    return await breaker.run(async () => {
      const answer = await connection.send(request, signal);
      if (isOutage(answer)) throw refusalOf(readRefused(answer, path)).error;
      return answer;
    });
  }

  /** A call that changes nothing gets a second chance, and any call does with a new token in place of a refused one. */
  async function sendAgain(call: RestCall, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      const answer = await send(call, signal);
      if (isTokenRefused(answer) && credentials.renew()) return await send(call, signal);
      return answer;
    } catch (error) {
      const isRepeatable = call.isSafe ?? call.method === 'GET';
      if (!isRepeatable || signal.aborted || !isServerFailure(error)) throw error;
      return await send(call, signal);
    }
  }

  async function call(restCall: RestCall, signal: AbortSignal): Promise<RestAnswer> {
    const answer = await gate
      .run(signal, async () => await sendAgain(restCall, signal))
      .catch((error: unknown) => {
        logFailure(restCall, error);
        throw error;
      });
    const { status, body } = answer;
    if (status === 202) return { status: 'waiting', requestId: waitingRequest(body) };
    if (status >= 200 && status < 300) return { status: 'ok', body };
    if (status === 404 && restCall.absent?.test(body.toString('utf8')) === true) return { status: 'absent' };
    throw refuse(restCall, answer);
  }

  /** The line in the log: loud when the operator has to do something. */
  function refuse({ path, requestId, secret = '' }: RestCall, answer: HttpAnswer): EstError {
    const { error, text, advice } = refusalOf(readRefused(answer, path));
    const said = secret === '' ? text : text.replaceAll(secret, '...');
    const fields = { backend: name, requestId, path, status: answer.status, answer: said, advice };
    if (advice === undefined) log.warn('EJBCA refuses a request.', fields);
    else log.error('EJBCA refuses a request, and its operator or that of the gateway can help.', fields);
    return error;
  }

  function logFailure({ path, requestId }: RestCall, error: unknown): void {
    const isTls = error instanceof EstError && error.code === 'ca_bad_answer';
    const advice = isTls
      ? 'Check trustAnchor and the credentials of the gateway, and maxResponse.'
      : undefined;
    log.error('EJBCA could not be asked.', { backend: name, requestId, path, error, advice });
  }

  return {
    call,
    async json(restCall, check, signal) {
      const answer = await call(restCall, signal);
      if (answer.status === 'absent') return undefined;
      const value = answer.status === 'ok' ? parseJson(answer.body) : undefined;
      if (check(value)) return value;
      throw nonsense(restCall.path);
    },
    close() {
      connection.close();
      credentials.close();
    },
  };
}

/** The answer to a call is not what this call answers. */
export function nonsense(path: string): EstError {
  return new EstError('ca_bad_answer', 'The answer of EJBCA makes no sense.', {
    cause: new Error(`The answer to ${path} does not have the form that EJBCA documents.`),
  });
}

/** What a proxy says in place of EJBCA. EJBCA's own 503 has its JSON: it is about one CA. */
function isOutage({ status, mediaType }: HttpAnswer): boolean {
  return [502, 503, 504].includes(status) && mediaType !== 'application/json';
}

function isTokenRefused(answer: HttpAnswer): boolean {
  return (answer.status === 401 || answer.status === 403) && answer.body.includes('OAuth Bearer Token');
}

interface ErrorAnswer {
  readonly error_message: string | null;
}

const ajv = new Ajv();

const isErrorAnswer = ajv.compile<ErrorAnswer>({
  type: 'object',
  properties: { error_code: { type: 'integer' }, error_message: { type: ['string', 'null'] } },
  required: ['error_code', 'error_message'],
});

function readRefused(answer: HttpAnswer, path: string): Parameters<typeof refusalOf>[0] {
  const { status, body, retryAfter } = answer;
  const value = parseJson(body);
  const message = isErrorAnswer(value) ? (value.error_message ?? '') : undefined;
  return { status, message, page: body.toString('utf8', 0, 4096), retryAfter, path };
}

interface WaitingAnswer {
  readonly request_id: number;
}

const isWaitingAnswer = ajv.compile<WaitingAnswer>({
  type: 'object',
  properties: { request_id: { type: 'integer' } },
  required: ['request_id'],
});

function waitingRequest(body: Buffer): number | undefined {
  const value = parseJson(body);
  return isWaitingAnswer(value) ? value.request_id : undefined;
}
