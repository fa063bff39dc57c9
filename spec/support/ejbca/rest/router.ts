/** From an HTTP request to a REST resource, and from whatever it throws to EJBCA's error JSON. */
import { withAccess, type Administrator } from '../administrator.ts';
import type { Ejbca, Protocol } from '../ejbca.ts';
import { WaitingForApproval } from '../model/approval.ts';
import type { Pause } from '../model/transaction.ts';
import { Refusal, refusals } from '../refusal.ts';
import { isAtLeast, since } from '../version.ts';
import { json, record, type Call, type Reply, type Route } from './call.ts';
import { certificateRoutes } from './certificate.ts';
import { certificationAuthorityRoutes } from './certification-authority.ts';
import { endEntityRoutes } from './end-entity.ts';
import { keyStoreRoutes } from './key-store.ts';
import { revocationRoutes } from './revocation.ts';
import { searchRoutes } from './search.ts';

/** Below this all REST resources are. */
export const restBase = '/ejbca/ejbca-rest-api';

const routes: readonly Route[] = [
  ...certificateRoutes,
  ...keyStoreRoutes,
  ...searchRoutes,
  ...revocationRoutes,
  ...certificationAuthorityRoutes,
  ...endEntityRoutes,
];

/** Which switch of the protocol configuration a path depends on. */
const protocolByPath: readonly (readonly [prefix: string, protocol: Protocol])[] = [
  ['/v1/certificate', 'REST Certificate Management'],
  ['/v1/ca', 'REST Certificate Management'],
  ['/v2/certificate', 'REST Certificate Management V2'],
  ['/v1/endentity', 'REST End Entity Management'],
  ['/v2/endentity', 'REST End Entity Management V2'],
];

/** What of an HTTP request matters. */
export interface RestRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly pause: Pause;
}

/** Answers a request below `restBase`. */
export async function answerRest(
  ejbca: Ejbca,
  request: RestRequest,
  identify: () => Administrator,
): Promise<Reply> {
  const path = request.url.pathname.slice(restBase.length).replace(/\/$/, '');
  if (!isServed(ejbca, path, request.headers)) return disabled;
  try {
    const found = findRoutes(ejbca, path);
    const { route, parameters } = found.find((one) => one.route.method === request.method) ?? {};
    if (found.length === 0) throw refusals.unknownPath(request.url.href);
    if (route === undefined || parameters === undefined) throw refusals.unknownMethod(request.method);
    const body = parse(request);
    const { url, pause } = request;
    return await route.handle({
      ...{ ejbca, url, parameters, body, identify, pause },
      authenticate: () => withAccess(identify()),
    });
  } catch (error) {
    return errorReply(error, ejbca, request.url);
  }
}

/** A servlet's page, no JSON (1.2b). */
const disabled: Reply = {
  status: 403,
  contentType: 'text/html;charset=UTF-8',
  body: '<html><head><title>Error</title></head><body>This service has been disabled.</body></html>',
};

/**
 * EJBCA's ServiceControlFilter: the protocol is on and, where that is required, what a browser's script sends (Node's
 * `fetch` too) has the header that protects against forged requests.
 */
function isServed(
  { enabledProtocols, isBrowserHeaderRequired }: Ejbca,
  path: string,
  headers: RestRequest['headers'],
): boolean {
  const isScript = headers['sec-fetch-mode'] !== undefined || headers['sec-fetch-dest'] !== undefined;
  const isForged = isScript && headers['x-keyfactor-requested-with'] === undefined;
  if (isBrowserHeaderRequired && isForged) return false;
  const [, protocol] = protocolByPath.find(([prefix]) => `${path}/`.startsWith(`${prefix}/`)) ?? [];
  return protocol === undefined || enabledProtocols.has(protocol);
}

interface FoundRoute {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Those of the path, whatever their method. */
function findRoutes({ release }: Ejbca, path: string): readonly FoundRoute[] {
  const segments = path.split('/');
  return routes.flatMap((route) => {
    const isThere =
      isAtLeast(release, route.since ?? '0') &&
      (route.enterpriseOnly !== true || release.edition === 'Enterprise');
    const parameters = isThere ? match(route.path.split('/'), segments) : undefined;
    return parameters === undefined ? [] : [{ route, parameters }];
  });
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = decodeURIComponent(segment);
    else if (part !== segment) return undefined;
  }
  return parameters;
}

function parse({ body, headers }: RestRequest): Call['body'] {
  if (body === '') return {};
  if (!/^application\/json\b/.test(String(headers['content-type']))) throw refusals.unknownContentType();
  try {
    return record(JSON.parse(body));
  } catch {
    throw refusals.general();
  }
}

/** 1.4 and 1.5. */
function errorReply(error: unknown, { release }: Ejbca, url: URL): Reply {
  if (error instanceof WaitingForApproval) {
    const { requestId, message } = error;
    // EJBCA builds the link from what stands before the version, so it leads nowhere.
    const link = `${url.href.slice(0, url.href.indexOf('/v'))}/${requestId}/finalize`;
    return json(202, {
      status_code: 202,
      info_message: message,
      ...(isAtLeast(release, since.requestId) && { request_id: requestId }),
      link,
    });
  }
  const { status, message } = error instanceof Refusal ? error : refusals.general();
  return json(status, { error_code: status, error_message: message });
}
