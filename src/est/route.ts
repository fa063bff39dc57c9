import { EstError } from '../errors.ts';
import { nearest } from '../ops/nearest.ts';
import { readableSegment } from '../ops/path-segment.ts';
import { reservedNames } from '../reserved-names.ts';
import type { Alias } from './alias.ts';
import { operations, type Operation } from './operations.ts';

/** What a request is for. */
export interface Route {
  readonly alias: Alias;
  readonly operation: Operation;
}

/** The same for its log line, as far as it is known. */
export interface RouteFacts {
  readonly alias?: string;
  readonly operation?: string;
  /** What was asked for where there is no such alias or operation. */
  readonly unknown?: string;
}

/** The alias that is served without a name in the path (RFC 7030, section 3.2.2). */
const defaultAlias = 'est';

/** Seconds after which a CA that is awaited may have answered. */
const retryAfter = 30;

const estPath = /^\/\.well-known\/est\/(?:([^/?]+)\/)?([^/?]+)(?:\?|$)/;

/**
 * Finds alias, then operation, then method, by a path in its normal spelling; `annotate` hears what is found. Throws
 * `unknown_alias`, `unknown_operation` or `method_not_allowed`; `ca_unavailable` for an alias whose CA is awaited.
 */
export function findRoute(
  aliases: ReadonlyMap<string, Alias>,
  method: string,
  path: string,
  annotate: (facts: RouteFacts) => void,
  awaited: ReadonlySet<string> = new Set(),
): Route {
  const [, aliasName = defaultAlias, segment] = estPath.exec(path) ?? [];
  if (segment === undefined) {
    throw new EstError('unknown_operation', 'There is nothing here; EST is served below /.well-known/est/.');
  }
  const alias = aliases.get(aliasName);
  if (alias === undefined) {
    // `symmetrickeys/return` of RFC 8295 is an operation, not an alias.
    if (reservedNames.has(aliasName)) throw unknownOperation();
    if (awaited.has(aliasName)) {
      annotate({ alias: aliasName });
      throw new EstError('ca_unavailable', 'The CA has not answered since the start.', { retryAfter });
    }
    annotate({ unknown: shortened(aliasName) });
    throw new EstError('unknown_alias', 'There is no EST configuration (alias) of this name.');
  }
  annotate({ alias: alias.name });
  const operation = operations.get(segment);
  if (operation === undefined) {
    annotate({ unknown: shortened(segment) });
    throw unknownOperation(reservedNames.has(segment) ? undefined : nearest(segment, offeredBy(alias)));
  }
  annotate({ operation: segment });
  if (!isOffered(operation, alias)) {
    throw new EstError('unknown_operation', `${segment} is switched off at this alias.`);
  }
  const allowed = operation.method === 'GET' ? ['GET', 'HEAD'] : ['POST'];
  if (!allowed.includes(method)) {
    throw new EstError('method_not_allowed', `This operation is used with ${operation.method}.`, {
      headers: { Allow: allowed.join(', ') },
    });
  }
  return { alias, operation };
}

function isOffered({ isOffered: offers }: Operation, alias: Alias): boolean {
  return offers?.(alias) !== false;
}

function offeredBy(alias: Alias): readonly string[] {
  return [...operations].filter(([, operation]) => isOffered(operation, alias)).map(([name]) => name);
}

/** What the client wrote is not in it: only names of our own. */
function unknownOperation(meant?: string): EstError {
  const question = meant === undefined ? '.' : `; did you mean ${meant}?`;
  return new EstError('unknown_operation', `There is no such EST operation here${question}`);
}

/** Enough to see what a device was told wrongly. */
function shortened(segment: string): string {
  return readableSegment(segment).slice(0, 64);
}
