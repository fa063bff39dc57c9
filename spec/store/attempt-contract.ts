import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';
import { certificate, later, openOne } from './records.ts';

const attempt = { username: 'meter', password: 'first', before: '{}' };
const meter = { backend: 'ejbca', username: 'meter' };

/** What every store must do with attempts at CAs elsewhere; part of `stateStoreContract`. */
export function attemptContract(open: () => Promise<StateStore>): void {
  describe('attempts at a CA elsewhere', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('are numbered, and the latest has what was there before the first', async () => {
      const { attempts } = store;
      expect(await attempts.latest('r1')).toBeUndefined();
      const first = { ...attempt, number: 1, startedAt: later(0) };
      expect(await attempts.begin('r1', attempt, later(0))).toEqual(first);
      const next = { ...attempt, password: 'second' };
      const second = { ...next, number: 2, startedAt: later(5) };
      expect(await attempts.begin('r1', { ...next, before: 'changed' }, later(5))).toEqual(second);
      expect(await attempts.latest('r1')).toEqual(second);
      expect((await attempts.begin('r2', attempt, later(6))).number).toBe(1);
    });

    it('have numbers of their own when they begin at once', async () => {
      const all = await Promise.all(
        Array.from({ length: 10 }, async () => await store.attempts.begin('r1', attempt, later(0))),
      );
      expect(all.map(({ number }) => number).sort((one, other) => one - other)).toEqual(
        Array.from({ length: 10 }, (_, index) => index + 1),
      );
    });

    it('are forgotten with their passwords when the outcome is known', async () => {
      await store.attempts.begin('r1', attempt, later(0));
      await store.attempts.begin('r2', attempt, later(0));
      await store.attempts.end('r1');
      expect(await store.attempts.latest('r1')).toBeUndefined();
      expect(await store.attempts.latest('r2')).toMatchObject(attempt);
    });

    it('are forgotten when they are old, as end entities are that were kept until then', async () => {
      const { attempts } = store;
      await attempts.begin('r1', attempt, later(0));
      await attempts.begin('r2', attempt, later(10));
      await attempts.occupy(meter, 'r1', later(0), later(60));
      await attempts.forget(later(10));
      expect(await attempts.latest('r1')).toBeUndefined();
      expect(await attempts.latest('r2')).toMatchObject(attempt);
      expect(await attempts.occupy(meter, 'r2', later(20), later(80))).toBe(false);
      await attempts.forget(later(61));
      expect(await attempts.occupy(meter, 'r2', later(20), later(80))).toBe(true);
    });

    it('keep an end entity for one record, until it is free or its time is over', async () => {
      const { attempts } = store;
      const occupy = async (record: string, seconds: number, endEntity = meter): Promise<boolean> =>
        await attempts.occupy(endEntity, record, later(seconds), later(seconds + 60));
      const atOnce = await Promise.all(['r1', 'r2', 'r3'].map(async (record) => await occupy(record, 0)));
      expect(atOnce.filter(Boolean)).toHaveLength(1);
      const holder = ['r1', 'r2', 'r3'][atOnce.indexOf(true)] ?? '';
      expect(await occupy(holder, 30)).toBe(true);
      expect(await occupy('other', 89)).toBe(false);
      expect(await occupy('other', 89, { ...meter, backend: 'another' })).toBe(true);
      expect(await occupy('other', 90)).toBe(true);
      await attempts.vacate(meter, holder);
      expect(await occupy(holder, 91)).toBe(false);
      await attempts.vacate(meter, 'other');
      expect(await occupy(holder, 91)).toBe(true);
    });

    it('know the certificates that were there before', async () => {
      const id = await openOne(store);
      await store.enrollments.issued(id, certificate, later(10));
      expect(await store.attempts.serialNumbersOf('k1', later(11))).toEqual([certificate.serialNumber]);
      expect(await store.attempts.serialNumbersOf('k1', later(10))).toEqual([]);
      expect(await store.attempts.serialNumbersOf('k2', later(11))).toEqual([]);
    });
  });
}
