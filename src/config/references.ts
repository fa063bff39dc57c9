import { expectedFound } from './expectation.ts';
import type { Problem } from './messages.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** What a JSON Schema cannot say, on data of any shape: where the shape is wrong, the schema says so. */
export function contradictions(value: unknown): readonly Problem[] {
  return isMapping(value) ? [...danglingBackends(value), ...timeouts(value), ...linking(value)] : [];
}

function danglingBackends({ aliases, backends }: Mapping): readonly Problem[] {
  if (!isMapping(aliases) || !isMapping(backends)) return [];
  const known = Object.keys(backends);
  if (known.length === 0) return [];
  return Object.entries(aliases).flatMap(([name, alias]) => {
    const backend = isMapping(alias) ? alias['backend'] : undefined;
    if (typeof backend !== 'string' || known.includes(backend)) return [];
    const text = expectedFound({ enum: known }, backend);
    return [{ path: ['aliases', name, 'backend'], text }];
  });
}

/** Node refuses to start a server whose header may come later than the whole request. */
function timeouts({ limits }: Mapping): readonly Problem[] {
  if (!isMapping(limits)) return [];
  const { headersTimeout, requestTimeout } = limits;
  if (typeof headersTimeout !== 'number' || typeof requestTimeout !== 'number') return [];
  if (headersTimeout <= requestTimeout) return [];
  const text = `expected at most ${requestTimeout}, which is limits.requestTimeout, found ${headersTimeout}`;
  return [{ path: ['limits', 'headersTimeout'], text }];
}

/** Where TLS ends at a proxy alone, nobody can verify what the alias requires. */
function linking({ listeners, aliases }: Mapping): readonly Problem[] {
  if (!isMapping(listeners) || !isMapping(aliases) || listeners['est'] !== undefined) return [];
  const { proxy } = listeners;
  if (!isMapping(proxy) || proxy['linking'] === 'trust') return [];
  return Object.entries(aliases)
    .filter(([, alias]) => requiresLinking(alias))
    .map(([name]) => ({
      path: ['aliases', name, 'policy', 'linking'],
      text: 'TLS ends at the proxy, where it cannot be verified; leave it out, or say trust in listeners.proxy.linking',
    }));
}

/** Of somebody else than a registration authority, whose linking to its devices nobody verifies here. */
function requiresLinking(alias: unknown): boolean {
  if (!isMapping(alias) || !isMapping(alias['policy']) || alias['policy']['linking'] !== 'required')
    return false;
  const authorities = alias['registrationAuthorities'];
  return !Object.values(isMapping(authorities) ? authorities : {}).some(
    (authority) => isMapping(authority) && authority['foreignLinking'] === true,
  );
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
