import { expectedFound } from './expectation.ts';
import type { Problem } from './messages.ts';

type Mapping = Readonly<Record<string, unknown>>;

/** What a JSON Schema cannot say, on data of any shape: where the shape is wrong, the schema says so. */
export function contradictions(value: unknown): readonly Problem[] {
  return isMapping(value) ? [...danglingBackends(value), ...timeouts(value)] : [];
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

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
