/** What an EJBCA answers that is starting, stopping, deployed anew or without its database. */
import { json, type Reply } from './rest/call.ts';
import { restBase } from './rest/router.ts';
import { refusals } from './refusal.ts';
import { faultReply, resultReply, SoapFault } from './soap/envelope.ts';
import { webServicePath } from './soap/web-service.ts';

/** The states, as they were seen. */
export type State =
  | 'running'
  /** Accepts TLS, and holds every request until it is deployed. */
  | 'starting'
  /** The first second of a shut-down. */
  | 'stopping'
  /** A hot redeploy for its first 22 seconds, and the end of a shut-down. */
  | 'undeployed'
  /** The last five seconds of a hot redeploy. */
  | 'deploying'
  /** Accepts no connection. */
  | 'stopped'
  /** The first half minute without a database, while rights are cached: nothing is found, no profile is known. */
  | 'database lost'
  /** Now and then in this half minute. */
  | 'database failing'
  /** Then. */
  | 'database down'
  /** The moment in which it is there again. */
  | 'database back';

/** The states of a restart, and those of a hot redeploy. */
export const restart: readonly State[] = ['stopping', 'undeployed', 'stopped', 'starting', 'running'];
export const redeploy: readonly State[] = ['undeployed', 'deploying', 'running'];
/** The states of an outage of the database. */
export const databaseOutage: readonly State[] = [
  'database lost',
  'database failing',
  'database down',
  'database back',
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
      return needsDatabase(asked) ? withRightsAlone(asked) : undefined;
    case 'database failing':
    case 'database down':
      return needsDatabase(asked) ? withoutDatabase(state, asked) : undefined;
    case 'database back':
      return withoutCertificateProfiles(asked);
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

const noConnection =
  'javax.persistence.PersistenceException: org.hibernate.exception.GenericJDBCException: Unable to acquire JDBC Connection';

function withoutDatabase(state: State, { path }: AskedFor): Reply {
  if (path.endsWith('ejbcahealth')) return unhealthy;
  if (path.startsWith(webServicePath)) return failed(noConnection);
  return state === 'database down' ? page(500, 'Internal Server Error') : generalFailure();
}

const unhealthy: Reply = {
  status: 500,
  contentType: 'text/plain',
  body: 'DB: Error creating connection to database: java.sql.SQLException',
};

/** What is cached is told, nobody has looked for the rest, and a call that is audited fails. */
function withRightsAlone({ method, path, body }: AskedFor): Reply | undefined {
  if (path.endsWith('ejbcahealth')) return unhealthy;
  if (path.startsWith(webServicePath)) return faultOrNothing(body);
  const resource = path.replace(restBase, '');
  if (resource === '/v1/certificate/search') return json(200, { certificates: [], more_results: false });
  if (resource === '/v2/certificate/search') {
    const { pagination } = JSON.parse(body) as { readonly pagination: unknown };
    return json(200, { certificates: [], pagination_summary: pagination });
  }
  if (resource.startsWith('/v2/certificate/profile/')) return refused(refusals.unknownProfile());
  const isCached = method === 'GET' && /^\/v1\/ca(\/[^/]+\/certificate\/download)?$/.test(resource);
  return isCached ? undefined : generalFailure();
}

function faultOrNothing(body: string): Reply | undefined {
  if (body.includes('findUser')) return resultReply('findUser', []);
  if (body.includes('getAvailableCAs')) return undefined;
  const profile = /<endEntityProfileName>([^<]*)</.exec(body)?.[1];
  if (profile === undefined) return failed('Failed to write audit log to at least one device.');
  return failed(`Error End Entity profile ${profile} does not exist.`);
}

/** End entity profiles are known again a moment before certificate profiles are. */
function withoutCertificateProfiles({ path, body }: AskedFor): Reply | undefined {
  if (path.startsWith(webServicePath)) {
    const profile = /<certificateProfileName>([^<]*)</.exec(body)?.[1];
    return profile === undefined ? undefined : failed(`Error Certificate profile ${profile} does not exist.`);
  }
  if (!path.endsWith('/pkcs10enroll')) return undefined;
  const call = JSON.parse(body) as { readonly certificate_profile_name: string };
  // The resource answers 400 to whatever it refuses.
  const { message } = refusals.unknownCertificateProfile(call.certificate_profile_name);
  return refused({ status: 400, message });
}

function failed(message: string): Reply {
  return faultReply(new SoapFault('EjbcaException', message));
}

function generalFailure(): Reply {
  return refused(refusals.general());
}

function refused({ status, message }: { readonly status: number; readonly message: string }): Reply {
  return json(status, { error_code: status, error_message: message });
}
