import { Ajv, type ValidateFunction } from 'ajv';
import { EstError } from '../../errors.ts';
import { parseJson, type HttpAnswer } from '../../ops/connection.ts';
import type { Log } from '../../ops/log.ts';
import { logRefusal, refusalOf } from './refusal.ts';
import type { EjbcaTransport } from './transport.ts';

/** A call of EJBCA's REST API. */
interface RestCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below the REST API; each variable part encoded. */
  readonly path: string;
  readonly body?: object;
  /** The call changes nothing, so that it may be repeated. A POST is not safe unless it says so. */
  readonly isSafe?: boolean;
  /** For the log: the EST request that it belongs to. */
  readonly requestId?: string | undefined;
  /** What must never be logged though EJBCA may quote it. */
  readonly secret?: string | undefined;
  /** The name of the CA that has to work for it. */
  readonly certificateAuthority?: string;
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
}

/** The REST API over a transport. `backend` is the name for the log. */
export function createRestClient(transport: EjbcaTransport, backend: string, log: Log): RestClient {
  async function send(restCall: RestCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, path, body, isSafe, certificateAuthority } = restCall;
    return await transport.send(
      {
        method,
        path: `/ejbca-rest-api${path}`,
        headers: {
          Accept: 'application/json',
          // EJBCA refuses what looks like a browser's script without it.
          'X-Keyfactor-Requested-With': 'est-gateway',
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        isSafe: isSafe ?? method === 'GET',
        certificateAuthority,
        refusalIn: (answer) => refusalOf(readRefused(answer, restCall)),
      },
      signal,
    );
  }

  async function call(restCall: RestCall, signal: AbortSignal): Promise<RestAnswer> {
    try {
      return read(restCall, await send(restCall, signal));
    } catch (error) {
      const { path, requestId } = restCall;
      logRefusal(log, error, { backend, requestId, path });
      throw error;
    }
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
  };
}

function read(restCall: RestCall, answer: HttpAnswer): RestAnswer {
  const { status, body } = answer;
  if (status === 202) return { status: 'waiting', requestId: waitingRequest(body) };
  if (status >= 200 && status < 300) return { status: 'ok', body };
  const isRefused = status === 400 || status === 404;
  if (isRefused && restCall.absent?.test(body.toString('utf8')) === true) return { status: 'absent' };
  throw refusalOf(readRefused(answer, restCall));
}

/** The answer to a call is not what this call answers. */
export function nonsense(path: string): EstError {
  return new EstError('ca_bad_answer', 'The answer of EJBCA makes no sense.', {
    cause: new Error(`The answer to ${path} does not have the form that EJBCA documents.`),
  });
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

function readRefused(answer: HttpAnswer, { path, secret }: RestCall): Parameters<typeof refusalOf>[0] {
  const { status, body, retryAfter } = answer;
  const value = parseJson(body);
  const message = isErrorAnswer(value) ? (value.error_message ?? '') : undefined;
  return { status, message, page: body.toString('utf8'), retryAfter, path, secret };
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
