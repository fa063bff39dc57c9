import { createCircuitBreaker, type CircuitBreaker } from '../../ops/circuit-breaker.ts';
import { createConnection, isServerFailure, serverVerdict, type HttpAnswer } from '../../ops/connection.ts';
import { createGate } from '../../ops/gate.ts';
import type { Log } from '../../ops/log.ts';
import { EjbcaRefusal } from './refusal.ts';
import type { Outage } from './refusals/known-text.ts';
import type { Credentials } from './credentials.ts';
import type { EjbcaOptions } from './options.ts';

/** A request to EJBCA, whether of its REST API or of its web service. */
interface EjbcaRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below `baseUrl`; each variable part encoded. */
  readonly path: string;
  /** Without credentials, which the transport adds. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The call changes nothing, so that it may be sent once more when EJBCA fails. */
  readonly isSafe: boolean;
  /** The name of the CA that has to work for it: while that one is off-line, its requests alone are spared. */
  readonly certificateAuthority?: string | undefined;
  /** What an answer with a status from 400 on means. */
  readonly refusalIn: (answer: HttpAnswer) => EjbcaRefusal;
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
  const breakersOfCas = new Map<string, CircuitBreaker>();

  function breakerOf(certificateAuthority: string): CircuitBreaker {
    const known = breakersOfCas.get(certificateAuthority);
    if (known !== undefined) return known;
    const made = createCircuitBreaker({
      ...options.circuitBreaker,
      verdictOn: (error) => (outageOf(error) === 'ca' ? 'fails' : 'unknown'),
      onOpen: (error) => {
        const fields = { backend: name, certificateAuthority, error };
        log.error('A CA of EJBCA is off-line; it is left alone for a while.', fields);
      },
    });
    breakersOfCas.set(certificateAuthority, made);
    return made;
  }
  const base = options.baseUrl.replace(/\/$/, '');

  async function sendOnce(request: EjbcaRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { method, path, headers, body } = request;
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
      return refuseOutage('ejbca', request, answer);
    });
  }

  async function sendToCa(request: EjbcaRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { certificateAuthority } = request;
    if (certificateAuthority === undefined) return await sendAgain(request, signal);
    return await breakerOf(certificateAuthority).run(async () =>
      refuseOutage('ca', request, await sendAgain(request, signal)),
    );
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
      return await gate.run(signal, async () => await sendToCa(request, signal));
    },
    close() {
      connection.close();
      credentials.close();
    },
  };
}

function outageOf(error: unknown): Outage | undefined {
  return error instanceof EjbcaRefusal ? error.outage : undefined;
}

/** The answer, unless it shows that EJBCA, or the CA, does not work. */
function refuseOutage(of: Outage, { refusalIn }: EjbcaRequest, answer: HttpAnswer): HttpAnswer {
  const refusal = answer.status < 400 ? undefined : refusalIn(answer);
  if (refusal?.outage === of) throw refusal;
  return answer;
}

/** The REST API says so with 401 or 403, the web service with a fault, which comes as 500. */
function isTokenRefused({ status, body }: HttpAnswer): boolean {
  const isRefusal =
    status === 401 || status === 403 || (status === 500 && body.includes('AuthorizationDeniedException'));
  return isRefusal && body.includes('OAuth Bearer Token');
}
