import type { RequestListener } from 'node:http';
import type { Configuration, PassThroughConfiguration } from '../config/configuration.ts';
import type { Log } from '../ops/log.ts';
import { createAddressFilter, filteredLookup } from '../ops/public-address.ts';
import { readTrustAnchor } from '../ops/certificate-files.ts';
import { createDocumentCache } from '../pass-through/cache.ts';
import { kindsByName } from '../pass-through/kinds.ts';
import { createPassThrough, type PassThrough, type PassThroughRoute } from '../pass-through/pass-through.ts';
import { withContext } from './context.ts';

/** Makes the paths of the configuration ready; undefined: there are none. */
export async function openPassThrough(
  { passThrough }: Configuration,
  log: Log,
): Promise<PassThrough | undefined> {
  if (passThrough === undefined) return undefined;
  return createPassThrough(await withContext('passThrough', openRoutes(passThrough, log)), log);
}

const notAllowed =
  'The host name leads to an address that is not public; passThrough.allowedNetworks may allow its network.';

async function openRoutes(
  { paths, allowedNetworks, cacheBytes, ...options }: PassThroughConfiguration,
  log: Log,
): Promise<readonly PassThroughRoute[]> {
  const lookup = filteredLookup(createAddressFilter(allowedNetworks), notAllowed);
  const cache = createDocumentCache(cacheBytes);
  // Most gateways pass nothing through, and need no memory for what does.
  const { createDocumentSource } = await import('../pass-through/source.ts');
  const { createUpstream } = await import('../pass-through/upstream.ts');
  return await Promise.all(
    Object.entries(paths).map(async ([path, { kind: name, upstream: url, trustAnchor: file, maxBytes }]) => {
      const kind = kindsByName[name];
      const trustAnchor = file === undefined ? undefined : await readTrustAnchor(file);
      const upstream = createUpstream({ ...options, kind, url, trustAnchor, maxBytes, lookup });
      return { path, kind, source: createDocumentSource({ path, upstream, cache, log }) };
    }),
  );
}

/** What a listener does: the paths first, and all else as without them. */
export function withPassThrough(
  passThrough: PassThrough | undefined,
  others: RequestListener,
): RequestListener {
  if (passThrough === undefined) return others;
  return function serve(request, response) {
    if (passThrough.serves(request)) passThrough.listener(request, response);
    else others(request, response);
  };
}
