import { createCircuitBreaker } from '../../ops/circuit-breaker.ts';
import { createConnection, isServerFailure, serverVerdict, type HttpAnswer } from '../../ops/connection.ts';
import { createGate } from '../../ops/gate.ts';
import type { Log } from '../../ops/log.ts';
import type { EstError } from '../../errors.ts';
import type { Credentials } from './credentials.ts';
import type { EjbcaOptions } from './options.ts';

/** A request to EJBCA, whether of its REST API or of its web service. */
interface EjbcaRequest {
  readonly method: 'GET' | 'POST';
  /** Below `baseUrl`; each variable part encoded. */
  readonly path: string;
  /** Without credentials, which the transport adds. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The call changes nothing, so that it may be sent once more when EJBCA fails. */
  readonly isSafe: boolean;
  /** The error that an answer stands for when it says that EJBCA itself is down; undefined: it works. */
  readonly outageIn: (answer: HttpAnswer) => EstError | undefined;
}

/** The way to one EJBCA, which all calls share: connections, credentials, and how many calls it gets at once. */
export interface EjbcaTransport {
  /**
   * Gives the answer whatever its status, unless it is an outage. Throws `overloaded` when too many calls wait, and
   * `ca_unavailable`, `ca_timeout` and `ca_bad_answer` as a connection does.
   */
  send(request: EjbcaRequest, signal: AbortSignal): Promise<HttpAnswer>;
  close(): void;
}

/** What a transport is made of. */
export interface TransportParts {
  readonly options: EjbcaOptions;
  /** PEM. */
  readonly trustAnchor: string;
  readonly credentials: Credentials;
  /** The backend's name, for the log. */
  readonly name: string;
  readonly log: Log;
}

/** Nothing is connected before the first request. */
export function createTransport({
  options,
  trustAnchor,
  credentials,
  name,
  log,
}: TransportParts): EjbcaTransport {
  const connection = createConnection({
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
  const base = options.baseUrl.replace(/\/$/, '');

  async function sendOnce(request: EjbcaRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, path, headers, body, outageIn } = request;
    const authorization = await credentials.authorization();
    return await breaker.run(async () => {
      const answer = await connection.send(
        {
          method,
          url: base + path,
          headers: { ...headers, ...(authorization !== undefined && { Authorization: authorization }) },
          ...(body !== undefined && { body }),
        },
        signal,
      );
      const outage = outageIn(answer);
      if (outage !== undefined) throw outage;
      return answer;
    });
  }

  /** A call that changes nothing gets a second chance, and any call does with a new token in place of a refused one. */
  async function sendAgain(request: EjbcaRequest, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      const answer = await sendOnce(request, signal);
      if (isTokenRefused(answer) && credentials.renew()) return await sendOnce(request, signal);
      return answer;
    } catch (error) {
      if (!request.isSafe || signal.aborted || !isServerFailure(error)) throw error;
      return await sendOnce(request, signal);
    }
  }

  return {
    async send(request, signal) {
      return await gate.run(signal, async () => await sendAgain(request, signal));
    },
    close() {
      connection.close();
      credentials.close();
    },
  };
}

/** What a proxy says in place of EJBCA, in none of the media types that EJBCA itself answers in. */
export function isProxyOutage({ status, mediaType }: HttpAnswer, ownType: string): boolean {
  return [502, 503, 504].includes(status) && mediaType !== ownType;
}

/** The REST API says so with 401 or 403, the web service with a fault, which comes as 500. */
function isTokenRefused({ status, body }: HttpAnswer): boolean {
  const isRefusal =
    status === 401 || status === 403 || (status === 500 && body.includes('AuthorizationDeniedException'));
  return isRefusal && body.includes('OAuth Bearer Token');
}
