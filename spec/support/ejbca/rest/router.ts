/** From an HTTP request to a REST resource, and from whatever it throws to EJBCA's error JSON. */
import type { Administrator } from '../administrator.ts';
import type { Ejbca, Protocol } from '../ejbca.ts';
import { WaitingForApproval } from '../enrollment.ts';
import { Refusal, refusals } from '../refusal.ts';
import { isAtLeast } from '../version.ts';
import { json, type Call, type Reply, type Route } from './call.ts';
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
}

/** Answers a request below `restBase`. */
export async function answerRest(
  ejbca: Ejbca,
  request: RestRequest,
  authenticate: () => Administrator,
): Promise<Reply> {
  const path = request.url.pathname.slice(restBase.length);
  if (!isServed(ejbca, path, request.headers)) return disabled;
  try {
    const { route, parameters } = findRoute(ejbca, request.method, path) ?? {};
    if (route === undefined || parameters === undefined) throw refusals.unknownPath(request.url.href);
    const body = parse(request.body);
    return await route.handle({ ejbca, url: request.url, parameters, body, authenticate });
  } catch (error) {
    return errorReply(error, ejbca, request.url);
  }
}

/** A servlet's page, no JSON (1.2b). */
export const disabled: Reply = {
  status: 403,
  contentType: 'text/html;charset=UTF-8',
  body: '<html><head><title>Error</title></head><body>This service has been disabled.</body></html>',
};

/**
 * EJBCA's ServiceControlFilter: the protocol is on, and what a browser's script sends (Node's `fetch` too) has
 * the header that protects against forged requests.
 */
function isServed({ enabledProtocols }: Ejbca, path: string, headers: RestRequest['headers']): boolean {
  const isScript = headers['sec-fetch-mode'] !== undefined || headers['sec-fetch-dest'] !== undefined;
  if (isScript && headers['x-keyfactor-requested-with'] === undefined) return false;
  const [, protocol] = protocolByPath.find(([prefix]) => `${path}/`.startsWith(`${prefix}/`)) ?? [];
  return protocol === undefined || enabledProtocols.has(protocol);
}

function findRoute(
  { release }: Ejbca,
  method: string,
  path: string,
): { readonly route: Route; readonly parameters: Readonly<Record<string, string>> } | undefined {
  const segments = path.split('/');
  for (const route of routes) {
    const isThere =
      isAtLeast(release, route.since ?? '0') &&
      (route.enterpriseOnly !== true || release.edition === 'Enterprise');
    const parameters =
      route.method === method && isThere ? match(route.path.split('/'), segments) : undefined;
    if (parameters !== undefined) return { route, parameters };
  }
  return undefined;
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

function parse(body: string): Call['body'] {
  if (body === '') return {};
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Call['body']) : {};
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : '');
  }
}

/** 1.4 and 1.5. */
function errorReply(error: unknown, { release }: Ejbca, url: URL): Reply {
  if (error instanceof WaitingForApproval) {
    const { requestId, message } = error;
    // EJBCA builds the link from what stands before the version, so it leads nowhere.
    const link = `${url.href.slice(0, url.href.indexOf('/v'))}/${requestId}/finalize`;
    const isNew = isAtLeast(release, '9');
    return json(202, {
      status_code: 202,
      info_message: message,
      ...(isNew && { request_id: requestId, link }),
    });
  }
  const { status, message } = error instanceof Refusal ? error : refusals.general();
  return json(status, { error_code: status, error_message: message });
}
