/** What an EJBCA answers that is starting, stopping, deployed anew or without its database. */
import { json, type Reply } from './rest/call.ts';
import { restBase } from './rest/router.ts';
import { refusals } from './refusal.ts';
import { faultReply, resultReply, SoapFault } from './soap/envelope.ts';
import { webServicePath } from './soap/web-service.ts';

/** The states, as they were seen. */
export const states = [
  'running',
  /** Accepts TLS, and holds every request until it is deployed. */
  'starting',
  /** The first second of a shut-down. */
  'stopping',
  /** A hot redeploy for its first 22 seconds, and the end of a shut-down. */
  'undeployed',
  /** The last five seconds of a hot redeploy. */
  'deploying',
  /** Accepts no connection. */
  'stopped',
  /** The first ten seconds without a database, while rights are cached: searches find nothing. */
  'database lost',
  /** The next ten. */
  'database failing',
  /** Then. */
  'database down',
] as const;
export type State = (typeof states)[number];

/** The states of a restart, and those of a hot redeploy. */
export const restart: readonly State[] = ['stopping', 'undeployed', 'stopped', 'starting', 'running'];
export const redeploy: readonly State[] = ['undeployed', 'deploying', 'running'];
/** The states of an outage of the database. */
export const databaseOutage: readonly State[] = [
  'database lost',
  'database failing',
  'database down',
  'running',
];

/** In which state an EJBCA is. */
export interface Availability {
  readonly state: State;
  change(state: State): void;
  /** Waits as long as it is starting. */
  deployed(): Promise<void>;
}

/** Running. */
export function createAvailability(): Availability {
  let state: State = 'running';
  let changed = Promise.withResolvers<undefined>();
  return {
    get state() {
      return state;
    },
    change(next) {
      state = next;
      changed.resolve(undefined);
      changed = Promise.withResolvers();
    },
    async deployed() {
      while (state === 'starting') await changed.promise;
    },
  };
}

/** What of a request decides. */
interface AskedFor {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** The answer of a state; undefined: as when it runs. */
export function answerInState(state: State, asked: AskedFor): Reply | undefined {
  switch (state) {
    case 'running':
    case 'starting':
    case 'stopped':
      return undefined;
    case 'stopping':
      return page(503, 'Service Unavailable');
    case 'undeployed':
      return page(404, 'Not Found');
    case 'deploying':
      return page(500, 'Internal Server Error');
    case 'database lost':
    case 'database failing':
    case 'database down':
      return needsDatabase(asked) ? withoutDatabase(state, asked) : undefined;
  }
}

function page(status: number, reason: string): Reply {
  const title = `${status} - ${reason}`;
  const body = `<html><head><title>Error</title></head><body>${title}</body></html>`;
  return { status, contentType: 'text/html;charset=UTF-8', body };
}

function needsDatabase({ method, path, body }: AskedFor): boolean {
  const isStatus = /^\/v\d\/[a-z]+\/status$/.test(path.replace(restBase, ''));
  const isDescription =
    path.startsWith(webServicePath) && (method === 'GET' || body.includes('getEjbcaVersion'));
  return !isStatus && !isDescription;
}

function withoutDatabase(state: State, { path, body }: AskedFor): Reply {
  const isSoap = path.startsWith(webServicePath);
  if (path.endsWith('ejbcahealth')) {
    const text = 'DB: Error creating connection to database: java.sql.SQLException';
    return { status: 500, contentType: 'text/plain', body: text };
  }
  if (state === 'database lost') {
    const empty = nothingFound(path, body);
    if (empty !== undefined) return empty;
  }
  if (isSoap) return faultReply(new SoapFault('EjbcaException', 'Transaction rolled back'));
  if (state === 'database down') return page(500, 'Internal Server Error');
  const { status, message } = refusals.general();
  return json(status, { error_code: status, error_message: message });
}

/** 200, though nobody has looked. */
function nothingFound(path: string, body: string): Reply | undefined {
  if (path.endsWith('/v1/certificate/search')) return json(200, { certificates: [], more_results: false });
  if (path.endsWith('/v2/certificate/search')) {
    const { pagination } = JSON.parse(body) as { readonly pagination: unknown };
    return json(200, { certificates: [], pagination_summary: pagination });
  }
  if (path.startsWith(webServicePath) && body.includes('findUser')) return resultReply('findUser', []);
  return undefined;
}
