/** Imported before whatever reads DER, this notes all that is read. */
import { jest } from '@jest/globals';

import type * as derModule from '../../src/pkix/der.ts';
import type { DerNode } from '../../src/pkix/der.ts';

/** What `readDer` was given, in hex. */
export const derRead: string[] = [];
/** The parts of structures that were looked at. */
export const partsRead: string[] = [];

jest.mock('../../src/pkix/der.ts', () => {
  const der = jest.requireActual<typeof derModule>('../../src/pkix/der.ts');
  return {
    ...der,
    readDer: (octets: Buffer) => {
      derRead.push(octets.toString('hex'));
      return der.readDer(octets);
    },
    expectTag: (node: DerNode | undefined, tag: number, what: string) => {
      partsRead.push(what);
      return der.expectTag(node, tag, what);
    },
  };
});
