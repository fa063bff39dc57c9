import express, { type NextFunction, type Request, type Response } from 'express';
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { Credentials } from '../auth/auth.ts';
import type { RelayedAnswer } from '../ca/ca.ts';
import { EstError, toEstError } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { plainAddress } from '../ops/networks.ts';
import type { Work } from '../ops/work.ts';
import { reservedNames } from '../reserved-names.ts';
import type { EnrollmentJournal } from '../store/store.ts';
import type { Alias } from './alias.ts';
import { decodeBody } from './body.ts';
import type { EstRequest, KeyReservations, RequestFacts } from './message.ts';
import { operations, type Operation } from './operations.ts';
import { errorReply, operationReply, sendRelayed } from './reply.ts';
import { readBody, refusalOf } from '../http/body.ts';
import { send, type Reply } from '../http/reply.ts';
import { checkFraming, credentialsOf } from '../http/request.ts';
import { limitsOfRequest, type RequestLimits } from './request-limits.ts';
import type { Transport } from '../http/transport.ts';

/** What the EST listener serves. */
export interface EstService {
  readonly aliases: ReadonlyMap<string, Alias>;
  readonly journal: EnrollmentJournal;
  readonly reservationOf: KeyReservations;
  readonly log: Log;
  readonly transport: Transport;
  readonly work: Work;
  readonly limits: RequestLimits & {
    /** Octets of a request body as sent. */
    readonly bodyBytes: number;
  };
}

/** The alias that is served without a name in the path (RFC 7030, section 3.2.2). */
const defaultAlias = 'est';

/** One request on its way: what its log line will say. */
interface Exchange {
  readonly id: string;
  readonly startedAt: number;
  /** The socket forgets it when the client goes away. */
  readonly address: string | undefined;
  facts: RequestFacts & {
    readonly alias?: string;
    readonly operation?: string;
    /** What was asked for where there is no such alias or operation. */
    readonly unknown?: string;
  };
}

type EstExpressResponse = Response<unknown, { exchange: Exchange }>;

/** Serves `/.well-known/est/<operation>` and `/.well-known/est/<alias>/<operation>`, and nothing else. */
export function createEstHandler(service: EstService): RequestListener {
  const application = express();
  application.disable('x-powered-by');
  application.enable('case sensitive routing');
  application.enable('strict routing');

  application.use(function begin(request: Request, response: EstExpressResponse, next: NextFunction) {
    const address = service.transport.address(request);
    response.locals.exchange = {
      id: randomUUID(),
      startedAt: performance.now(),
      address: address && plainAddress(address),
      facts: {},
    };
    checkFraming(request);
    next();
  });

  application.all(
    ['/.well-known/est/:operation', '/.well-known/est/:alias/:operation'],
    async function serve(request: Request, response: EstExpressResponse) {
      const { alias, operation } = route(service.aliases, request, response.locals.exchange);
      if (operation.method === 'POST' && service.transport.isEarly(request)) throw tooEarly();
      const credentials = credentialsOf(
        request,
        service.transport.clientCertificate(request),
        response.locals.exchange.address,
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
    },
  );

  application.use(function nothingHere() {
    throw new EstError('unknown_operation', 'There is nothing here; EST is served below /.well-known/est/.');
  });

  application.use(function refuse(
    thrown: unknown,
    request: Request,
    response: EstExpressResponse,
    _next: NextFunction,
  ) {
    const error = refusalOf(request, isUndecodablePath(thrown) ? malformedPath() : thrown);
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
        refusedCertificate: error.refusedCertificate,
        ...error.refusedBy,
      }),
    };
    if (status >= 500) service.log.error('request', { ...fields, error: error?.cause });
    // Whoever sends such fields tries to pass for another, or thinks that a proxy is believed here.
    else if (ignored.length > 0) service.log.warn('request', fields);
    else service.log.info('request', fields);
  }

  return application;
}

interface Route {
  readonly alias: Alias;
  readonly operation: Operation;
}

/** Finds alias, then operation, then method; all before the body is read. */
function route(aliases: ReadonlyMap<string, Alias>, request: Request, exchange: Exchange): Route {
  const { alias: aliasName = defaultAlias, operation: segment } = request.params;
  const alias = aliases.get(String(aliasName));
  if (alias === undefined) {
    // `symmetrickeys/return` of RFC 8295 is an operation, not an alias.
    if (reservedNames.has(String(aliasName))) throw unknownOperation();
    exchange.facts = { unknown: shortened(String(aliasName)) };
    throw new EstError('unknown_alias', 'There is no EST configuration (alias) of this name.');
  }
  exchange.facts = { alias: alias.name };
  const operation = operations.get(String(segment));
  if (operation === undefined || operation.isOffered?.(alias) === false) {
    exchange.facts = { alias: alias.name, unknown: shortened(String(segment)) };
    throw unknownOperation();
  }
  exchange.facts = { alias: alias.name, operation: String(segment) };
  const allowed = operation.method === 'GET' ? ['GET', 'HEAD'] : ['POST'];
  if (!allowed.includes(request.method)) {
    throw new EstError('method_not_allowed', `This operation is used with ${operation.method}.`, {
      headers: { Allow: allowed.join(', ') },
    });
  }
  return { alias, operation };
}

/** Enough to see what a device was told wrongly. */
function shortened(segment: string): string {
  return segment.slice(0, 64);
}

function unknownOperation(): EstError {
  return new EstError('unknown_operation', 'There is no such EST operation here.');
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

/** The router throws a URIError for a path segment such as `%zz`. */
function isUndecodablePath(thrown: unknown): boolean {
  return thrown instanceof URIError;
}

function malformedPath(): EstError {
  return new EstError(
    'malformed_request',
    'The path holds a percent sign that is not followed by two hex digits.',
  );
}
