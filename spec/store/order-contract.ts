import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';
import { at, certificate, enrollment, later, registered } from './records.ts';

/** What every store must do with changes that need not be durable yet; part of `stateStoreContract`. */
export function orderContract(open: () => Promise<StateStore>): void {
  describe('what need not be durable yet', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('is seen at once, and what follows is as ever', async () => {
      const opened = await store.enrollments.open(enrollment(), at(0), undefined, 'written');
      if (opened.state !== 'opened') throw new Error(opened.state);
      const { id } = opened;
      expect(await store.enrollments.open(enrollment(), at(0))).toEqual({ state: 'in_progress', id });
      const issued = { ...registered, idempotencyKey: id };
      await store.certificates.add(issued, 'written');
      const { serialNumber } = registered;
      expect(await store.certificates.status('local', serialNumber, issued.certificate)).toBe('good');
      await store.enrollments.issued(id, certificate, later(1));
      expect(await store.enrollments.open(enrollment(), at(2), undefined, 'written')).toMatchObject({
        state: 'issued',
      });
    });

    it.each(['written', 'durable'] as const)(
      'has a serial number that is unique within its CA, and an idempotency key (%s)',
      async (until) => {
        await store.certificates.add(registered, until);
        const { certificates } = store;
        await expect(certificates.add({ ...registered, idempotencyKey: 'i2' }, until)).rejects.toThrow();
        await expect(certificates.add({ ...registered, serialNumber: '02' }, until)).rejects.toThrow();
        await certificates.add({ ...registered, ca: 'other' }, until);
        expect(await certificates.list('other')).toHaveLength(1);
      },
    );
  });
}
