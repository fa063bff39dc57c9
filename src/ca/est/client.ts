import type { Readable } from 'node:stream';
import { EstError, toEstError } from '../../errors.ts';
import { createCircuitBreaker } from '../../ops/circuit-breaker.ts';
import { createGate } from '../../ops/gate.ts';
import type { Log } from '../../ops/log.ts';
import type { RelayedAnswer } from '../ca.ts';
import {
  createConnection,
  isNeverSent,
  serverVerdict,
  wholeSeconds,
  type HttpAnswer,
} from '../../ops/connection.ts';
import type { EstCredentials } from './credentials.ts';
import type { EstOptions } from './options.ts';
import { createRelayConnection, type IncomingAnswer } from './relay.ts';

/** A request to the upstream. */
export interface EstCall {
  readonly operation: 'cacerts' | 'csrattrs' | 'simpleenroll' | 'simplereenroll' | 'fullcmc';
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

/** The same, while it comes in. */
type RelayedEstAnswer =
  | { readonly status: 'ok'; readonly answer: RelayedAnswer }
  | { readonly status: 'empty' }
  | Extract<EstAnswer, { readonly status: 'accepted' }>;

/** The EST of the upstream. */
export interface EstClient {
  /** Asks once. Throws an EstError for everything that is not an answer, after a line in the log. */
  call(call: EstCall, signal: AbortSignal): Promise<EstAnswer>;
  /** As `call`, and reads nothing of a good answer but its header. */
  relay(call: EstCall, signal: AbortSignal): Promise<RelayedEstAnswer>;
  close(): void;
}

const mediaTypes = {
  cacerts: undefined,
  csrattrs: undefined,
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
  const connectionOptions = { peer: 'The EST server', tls, timeouts, limits };
  const connection = createConnection(connectionOptions);
  const relayConnection = createRelayConnection(connectionOptions);
  const gate = createGate(limits);
  const breaker = createCircuitBreaker({
    ...options.circuitBreaker,
    verdictOn: serverVerdict,
    onOpen: (error) => {
      log.error('The EST server fails again and again; it is left alone for a while.', {
        backend: name,
        error,
      });
    },
  });

  async function guarded<Answer>(
    { operation, requestId }: EstCall,
    signal: AbortSignal,
    send: () => Promise<Answer>,
  ): Promise<Answer> {
    let isBegun = false;
    const begin = async (): Promise<Answer> => {
      isBegun = true;
      return await send();
    };
    return await gate
      .run(signal, async () => await breaker.run(begin))
      .catch((error: unknown) => {
        const fields = { backend: name, requestId, operation };
        log.error('The EST server could not be asked.', { ...fields, error, advice: adviceFor(error) });
        throw isBegun && !isNeverSent(error) ? error : toEstError(error).with({ nothingIssued: true });
      });
  }

  async function post(call: EstCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, url, headers, body } = toHttp(options.url, call);
    const posted = body === undefined ? {} : { body };
    return await guarded(
      call,
      signal,
      async () => await connection.send({ method, url, headers, ...posted }, signal),
    );
  }

  /**
   * What a 403 that may be about the gateway is about: who is let in gets 400 for what is no request at all. A device that the
   * upstream sees itself may be refused for its own sake.
   */
  async function examineRefusal(
    call: EstCall,
    answer: RefusingAnswer,
    signal: AbortSignal,
  ): Promise<Refusal> {
    const isOpen = answer.status === 403 && mayBeAboutClient.test(textOf(answer));
    if (!isOpen || options.identity !== 'registrationAuthority') return refusalOf(answer);
    const { status, retryAfter, body } = await post({ ...call, body: noRequest }, signal);
    if (status === 401 || status === 403) return { isOurs: true, error: notLetIn(answer.status) };
    return status < 500 && status !== 429 ? refusalOf(answer) : refusalOf({ status, retryAfter, body });
  }

  /** What the upstream said in words stays in the log. */
  async function refuse(call: EstCall, answer: RefusingAnswer, signal: AbortSignal): Promise<EstError> {
    const { operation, requestId } = call;
    const { error, isOurs } = await examineRefusal(call, answer, signal);
    const fields = { backend: name, requestId, operation, status: answer.status };
    const said = { ...fields, answer: textOf(answer) };
    if (isOurs) log.error('The EST server refuses the gateway itself; its operator has to look.', said);
    else log.warn('The EST server refuses a request.', said);
    return answer.status < 500 ? error.with({ nothingIssued: true }) : error;
  }

  return {
    async call(call, signal) {
      const answer = await post(call, signal);
      if (answer.status === 202) {
        return { status: 'accepted', retryAfter: answer.retryAfter ?? options.retryAfter };
      }
      if (answer.status === 200) return { status: 'ok', body: decode(answer.body) };
      throw await refuse(call, answer, signal);
    },

    async relay(call, signal) {
      const { url, headers, body } = toHttp(options.url, call);
      const answer = await guarded(
        call,
        signal,
        async () => await relayConnection.send({ url, headers, body }, signal),
      );
      const { status } = answer;
      if (status === 200) return { status: 'ok', answer: toRelayed(answer) };
      const retryAfter = wholeSeconds(answer.headers['retry-after']);
      const said = await firstOctets(answer.body);
      if (status === 202) return { status: 'accepted', retryAfter: retryAfter ?? options.retryAfter };
      // RFC 7030, section 4.5.1: an EST server need not have attributes to ask for, nor the operation.
      if (call.operation === 'csrattrs' && (status === 204 || status === 404)) return { status: 'empty' };
      throw await refuse(call, { status, body: said, retryAfter }, signal);
    },

    close() {
      connection.close();
      relayConnection.close();
    },
  };
}

interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

function toHttp(base: string, { operation, body, headers }: EstCall): HttpCall {
  const url = `${base}/${operation}`;
  const accept = operation === 'csrattrs' ? 'application/csrattrs' : 'application/pkcs7-mime';
  const common = { Accept: accept, 'User-Agent': 'est-gateway', ...headers };
  if (body === undefined) return { method: 'GET', url, headers: common, body };
  const type = { 'Content-Type': mediaTypes[operation] ?? '', 'Content-Transfer-Encoding': 'base64' };
  return { method: 'POST', url, headers: { ...common, ...type }, body: body.toString('base64') };
}

/** Octets of a refusal that stand in the log. */
const mostSaid = 300;

function textOf({ body }: RefusingAnswer): string {
  return body.toString('utf8', 0, mostSaid);
}

/** Words by which servers refuse a client for what it has shown; some speak of the certificate to renew. */
const mayBeAboutClient = /certificate|credential|authenticat|authoriz/i;

/** An empty SEQUENCE: neither PKCS#10 nor CMS. */
const noRequest = Buffer.of(0x30, 0x00);

/** The beginning of what no client is given; the rest is not read. */
async function firstOctets(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (Buffer.concat(chunks).length >= mostSaid) break;
  }
  return Buffer.concat(chunks);
}

/** Of its header goes on what tells how to read the body. */
function toRelayed({ headers: received, body }: IncomingAnswer): RelayedAnswer {
  const fields = ['Content-Type', 'Content-Transfer-Encoding', 'Content-Length'];
  const headers = fields.flatMap((field) => {
    const value = received[field.toLowerCase()];
    return typeof value === 'string' ? [[field, value] as const] : [];
  });
  return { headers: Object.fromEntries(headers), body };
}

function adviceFor(error: unknown): string | undefined {
  if (!(error instanceof EstError) || error.code !== 'ca_bad_answer') return undefined;
  return 'Check trustAnchor and clientCertificate of this backend, at both ends, and limits.maxResponse.';
}

/** Base64 with white space anywhere, as RFC 8951 has it, or what some servers send: DER itself. */
export function decode(body: Buffer): Buffer {
  return body[0] === 0x30 ? body : Buffer.from(body.toString('latin1'), 'base64');
}

interface Refusal {
  readonly error: EstError;
  /** Whether the gateway's own configuration is at fault, not the client's request. */
  readonly isOurs: boolean;
}

function notLetIn(status: number): EstError {
  return new EstError('ca_bad_answer', 'The EST server does not accept the credentials of the gateway.', {
    cause: new Error(`The EST server answered ${status}.`),
  });
}

type RefusingAnswer = Pick<HttpAnswer, 'status' | 'body' | 'retryAfter'>;

function refusalOf({ status, retryAfter }: RefusingAnswer): Refusal {
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
      return { isOurs: true, error: notLetIn(status) };
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
