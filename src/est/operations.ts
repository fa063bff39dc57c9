import type { Alias } from './alias.ts';
import { cacerts } from './cacerts.ts';
import { csrattrs } from './csrattrs.ts';
import { fullcmc } from './fullcmc.ts';
import type { EstRequest, EstResponse } from './message.ts';
import { serverkeygen } from './serverkeygen.ts';
import { simpleenroll } from './simpleenroll.ts';
import { simplereenroll } from './simplereenroll.ts';

/** One EST operation: its method, its request's media type, and what it does. */
export interface Operation {
  readonly method: 'GET' | 'POST';
  /** Whether the alias has it switched on; left out: every alias offers it. */
  readonly isOffered?: (alias: Alias) => boolean;
  readonly handle: (request: EstRequest) => Promise<EstResponse>;
}

/** The protocol's surface: path segment -> operation (RFC 7030, section 3.2.2). */
export const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ['cacerts', { method: 'GET', handle: cacerts }],
  [
    'csrattrs',
    // EJBCA's EST has no such operation.
    { method: 'GET', isOffered: ({ compatibility }) => compatibility === 'rfc', handle: csrattrs },
  ],
  ['simpleenroll', { method: 'POST', handle: simpleenroll }],
  ['simplereenroll', { method: 'POST', handle: simplereenroll }],
  ['fullcmc', { method: 'POST', isOffered: ({ fullCmc }) => fullCmc !== undefined, handle: fullcmc }],
  [
    'serverkeygen',
    {
      method: 'POST',
      isOffered: ({ serverKeyGeneration }) => serverKeyGeneration !== undefined,
      handle: serverkeygen,
    },
  ],
]);
