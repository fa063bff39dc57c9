import express, { type NextFunction, type Request, type Response } from 'express';
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Credentials } from '../auth/auth.ts';
import type { RelayedAnswer } from '../ca/ca.ts';
import { EstError, toEstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { plainAddress } from '../ops/networks.ts';
import type { Work } from '../ops/work.ts';
import type { EnrollmentJournal } from '../store/store.ts';
import type { Alias } from './alias.ts';
import { decodeBody } from './body.ts';
import type { EnrollmentJobs } from './enrollment-jobs.ts';
import { address, find, framing } from '../policy/examination.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import type { EstRequest, RequestFacts } from './message.ts';
import { errorReply, operationReply, sendRelayed } from './reply.ts';
import { logRequest } from './request-log.ts';
import { findRoute, type RouteFacts } from './route.ts';
import { readBody, refusalOf } from '../http/body.ts';
import { send, type Reply } from '../http/reply.ts';
import { checkFraming, credentialsOf } from '../http/request.ts';
import { pathOf } from '../http/request-target.ts';
import { limitsOfRequest, type RequestLimits } from './request-limits.ts';
import type { Transport } from '../http/transport.ts';

/** What the EST listener serves. */
export interface EstService {
  readonly aliases: ReadonlyMap<string, Alias>;
  /** The names of aliases that are not ready, since their CAs have not answered yet. */
  readonly awaited?: ReadonlySet<string>;
  readonly journal: EnrollmentJournal;
  readonly jobs: EnrollmentJobs;
  readonly reservationOf: KeyReservations;
  readonly log: Log;
  readonly transport: Transport;
  readonly work: Work;
  readonly limits: RequestLimits & {
    /** Octets of a request body as sent. */
    readonly bodyBytes: number;
  };
}

/** One request on its way: what its log line will say. */
interface Exchange {
  readonly id: string;
  readonly startedAt: number;
  /** The socket forgets it when the client goes away. */
  address: string | undefined;
  facts: RequestFacts & RouteFacts;
}

type EstExpressResponse = Response<unknown, { exchange: Exchange }>;

/** Serves `/.well-known/est/<operation>` and `/.well-known/est/<alias>/<operation>`, and nothing else. */
export function createEstHandler(service: EstService): RequestListener {
  const application = express();
  application.disable('x-powered-by');

  application.use(async function serve(request: Request, response: EstExpressResponse) {
    const exchange: Exchange = {
      id: randomUUID(),
      startedAt: performance.now(),
      address: undefined,
      facts: {},
    };
    response.locals.exchange = exchange;
    const clientAddress = service.transport.address(request);
    exchange.address = clientAddress && plainAddress(clientAddress);
    await find(framing, () => {
      checkFraming(request);
    });
    const { alias, operation } = await find(address, () =>
      findRoute(
        service.aliases,
        request.method,
        pathOf(request),
        (facts) => {
          exchange.facts = { ...exchange.facts, ...facts };
        },
        service.awaited,
      ),
    );
    if (operation.method === 'POST' && service.transport.isEarly(request)) throw tooEarly();
    const credentials = credentialsOf(
      request,
      service.transport.clientCertificate(request),
      exchange.address,
    );
    const deadline = startDeadline(service.limits.requestTimeout);
    const estRequest = toEstRequest(service, alias, request, response, credentials, deadline.signal);
    // It goes on when the client goes away.
    const ended = service.work.begin();
    const outcome = await operation.handle(estRequest).finally(() => {
      deadline.clear();
      ended();
    });
    if (outcome.status === 'relayed') {
      await relay(request, response, outcome.answer, estRequest.clientGone());
      return;
    }
    const reply = operationReply(request, alias, estRequest.id, outcome);
    if (outcome.status === 'refused') finish(request, response, reply, outcome.error.code, outcome.error);
    else finish(request, response, reply, outcome.status);
  });

  application.use(function refuse(
    thrown: unknown,
    request: Request,
    response: EstExpressResponse,
    _next: NextFunction,
  ) {
    const error = refusalOf(request, thrown);
    const { id, facts } = response.locals.exchange;
    const alias = service.aliases.get(facts.alias ?? '');
    finish(request, response, errorReply(request, alias, error, id), error.code, error);
  });

  /** Throws while the client can still have another answer. */
  async function relay(
    request: Request,
    response: EstExpressResponse,
    answer: RelayedAnswer,
    gone: AbortSignal,
  ): Promise<void> {
    try {
      await sendRelayed(request, response, answer, gone);
      record(request, response, 200, 'ok');
    } catch (thrown) {
      if (gone.aborted) {
        record(request, response, 200, 'client_gone');
        return;
      }
      if (!response.headersSent) throw thrown;
      response.destroy();
      const error = toEstError(thrown);
      record(request, response, error.status, error.code, error);
    }
  }

  function finish(
    request: Request,
    response: EstExpressResponse,
    reply: Reply,
    outcome: string,
    error?: EstError,
  ): void {
    send(request, response, reply, service.limits.bodyBytes);
    record(request, response, reply.status, outcome, error);
  }

  /** The one log line of a request. */
  function record(
    request: Request,
    response: EstExpressResponse,
    status: number,
    outcome: string,
    error?: EstError,
  ): void {
    const { id, startedAt, address, facts } = response.locals.exchange;
    const ignored = service.transport.ignoredProxyFields(request);
    const fields = {
      requestId: id,
      method: request.method,
      ...facts,
      outcome,
      status,
      milliseconds: Math.round((performance.now() - startedAt) * 10) / 10,
      address,
      ...(ignored.length > 0 && { ignoredProxyFields: ignored }),
      ...(error && {
        reason: error.message,
        ...error.refusedCredentials,
        ...error.refusedBy,
      }),
    };
    logRequest(service.log, fields, error);
  }

  return application;
}

/** RFC 8470, section 5.2. */
function tooEarly(): EstError {
  return new EstError(
    'too_early',
    'The request came in early data of TLS, which anybody can send again; repeat it after the handshake.',
  );
}

function toEstRequest(
  service: EstService,
  alias: Alias,
  request: Request,
  response: EstExpressResponse,
  credentials: Credentials,
  signal: AbortSignal,
): EstRequest {
  const { exchange } = response.locals;
  const { transport } = service;
  const { bodyBytes } = service.limits;
  return {
    id: exchange.id,
    receivedAt: new Date(),
    alias,
    journal: service.journal,
    jobs: service.jobs,
    reservationOf: service.reservationOf,
    ...limitsOfRequest(service.limits),
    credentials,
    channelBinding: () => transport.channelBinding(request),
    canLink: transport.canLink,
    cipherStrength: () => transport.cipherStrength(request),
    clientGone: () => clientGone(response),
    signal,
    readBody: async (mediaType) =>
      decodeBody(
        await readBody(request, response, alias.compatibility === 'ejbca' ? undefined : mediaType, bodyBytes),
        alias.strict,
      ),
    log: service.log,
    annotate: (facts) => {
      exchange.facts = { ...exchange.facts, ...facts };
    },
  };
}

function clientGone(response: Response): AbortSignal {
  const controller = new AbortController();
  const end = (): void => {
    if (!response.writableFinished) controller.abort(new Error('The client has gone away.'));
  };
  if (response.closed) end();
  response.once('close', end);
  return controller.signal;
}

/** As AbortSignal.timeout, but the timer does not outlive the request, which would keep all of it in memory. */
function startDeadline(seconds: number): { readonly signal: AbortSignal; readonly clear: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new DOMException('The time for the request is over.', 'TimeoutError'));
  }, seconds * 1000);
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
    },
  };
}
