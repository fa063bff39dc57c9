import { cacerts } from './cacerts.ts';
import { csrattrs } from './csrattrs.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { simpleenroll } from './simpleenroll.ts';
import { simplereenroll } from './simplereenroll.ts';

/** One EST operation: its method, its request's media type, and what it does. */
export interface Operation {
  readonly method: 'GET' | 'POST';
  readonly handle: (request: EstRequest) => Promise<EstResponse>;
}

/** The protocol's surface: path segment -> operation (RFC 7030, section 3.2.2). */
export const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['cacerts', { method: 'GET', handle: cacerts }],
  ['csrattrs', { method: 'GET', handle: csrattrs }],
  ['simpleenroll', { method: 'POST', handle: simpleenroll }],
  ['simplereenroll', { method: 'POST', handle: simplereenroll }],
]);
