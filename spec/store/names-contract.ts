import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';
import { certificate, later, openOne } from './records.ts';

/** How every journal finds certificates by their names; `open` gives a fresh and empty store. */
export function namesContract(open: () => Promise<StateStore>): void {
  describe('the names of certificates', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('R-17 gives what was issued under names at an alias, the one that lasts longest first', async () => {
      const issue = async (
        octets: string,
        validity: number,
        parts: { readonly alias?: string; readonly names?: string } = {},
      ): Promise<void> => {
        const { alias = 'est', names = 'n1' } = parts;
        const id = await openOne(store, { fingerprint: octets, alias });
        const issued = { certificate: Buffer.from(octets), notAfter: later(validity), names };
        await store.enrollments.issued(id, { ...certificate, ...issued }, later(1));
      };
      await issue('first', 100);
      await issue('second', 200);
      await issue('third', 100);
      await issue('of other names', 300, { names: 'n2' });
      await issue('of another alias', 300, { alias: 'other' });
      await openOne(store, { fingerprint: 'open' });
      const found = async (since: Date): Promise<readonly string[]> =>
        (await store.enrollments.issuedUnder('est', 'n1', since)).map(({ certificate: der }) => String(der));
      expect((await found(later(100))).slice(0, 1)).toEqual(['second']);
      expect((await found(later(100))).slice(1).sort()).toEqual(['first', 'third']);
      expect(await found(later(101))).toEqual(['second']);
      expect(await found(later(201))).toEqual([]);
    });

    it('R-17 gives what was issued under names in parts of which none is lost', async () => {
      for (let n = 0; n < 105; n += 1) {
        const id = await openOne(store, { fingerprint: `f${n}` });
        const serialNumber = n.toString(16);
        const notAfter = later(100 + Math.floor(n / 10));
        await store.enrollments.issued(
          id,
          { ...certificate, serialNumber, notAfter, certificate: Buffer.from(serialNumber) },
          later(1),
        );
      }
      const first = await store.enrollments.issuedUnder('est', 'n1', later(50));
      const second = await store.enrollments.issuedUnder('est', 'n1', later(50), first.at(-1));
      expect([first.length, second.length]).toEqual([100, 5]);
      expect(new Set([...first, ...second].map(({ certificate: der }) => String(der))).size).toBe(105);
      expect(await store.enrollments.issuedUnder('est', 'n1', later(50), second.at(-1))).toEqual([]);
    });
  });
}
