import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';
import { at, certificate, enrollment, later, openOne, user } from './records.ts';

/** How every journal counts; `open` gives a fresh and empty store. */
export function quotaContract(open: () => Promise<StateStore>): void {
  describe('the quotas', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('S-29 opens as many new records as a quota allows, however many ask at once', async () => {
      const ask = async (fingerprint: string, seconds = 0) =>
        await store.enrollments.open(
          enrollment({ fingerprint, quota: { key: 'user:a', most: 3, since: later(seconds - 100) } }),
          at(seconds),
        );
      const answers = await Promise.all(Array.from({ length: 10 }, async (_, n) => await ask(`f${n}`)));
      expect(answers.filter(({ state }) => state === 'opened')).toHaveLength(3);
      expect(answers.filter(({ state }) => state === 'quota_reached')).toHaveLength(7);
      expect(answers.find(({ state }) => state === 'quota_reached')).toMatchObject({ oldest: later(0) });
      expect(await ask('other', 101)).toMatchObject({ state: 'opened' });
    });

    it('S-29 says without recording anything whether a quota is reached', async () => {
      const quota = { key: 'user:a', most: 1, since: later(-100) };
      const { enrollments } = store;
      const { alias } = enrollment({});
      const look = async () => [
        await enrollments.isRepeat('f1', at(1)),
        await enrollments.isRepeat('f2', at(1)),
        await enrollments.reachedQuota(alias, quota),
        await enrollments.reachedQuota(alias, { ...quota, most: 2 }),
        await enrollments.reachedQuota('other', quota),
      ];
      expect([await look(), await look()]).toEqual(
        Array.from({ length: 2 }, () => [false, false, undefined, undefined, undefined]),
      );
      await openOne(store, { fingerprint: 'f1', quota });
      expect(await look()).toEqual([true, false, later(0), undefined, undefined]);
    });

    it('S-29 counts no refusal, no repeat and nobody else', async () => {
      const quota = { key: 'user:a', most: 1, since: later(-100) };
      const opened = await store.enrollments.open(enrollment({ quota }), at(0));
      await store.enrollments.refused('id' in opened ? opened.id : '', 'rejected_by_ca', later(0));
      const id = await openOne(store, { quota });
      await store.enrollments.issued(id, certificate, later(1));
      expect(await store.enrollments.open(enrollment({ quota }), at(2))).toMatchObject({ state: 'issued' });
      const another = { fingerprint: 'f2', quota };
      expect(await store.enrollments.open(enrollment(another), at(2))).toMatchObject({
        state: 'quota_reached',
      });
      await openOne(store, { fingerprint: 'f3', quota: { ...quota, key: 'user:b' } });
      await openOne(store, { fingerprint: 'f4', alias: 'other', quota });
    });

    it('counts a rejection, gives it again within the window, and gives the use back', async () => {
      await store.users.add(user({ remainingUses: 1 }));
      const counted = { countedUser: 'once', quota: { key: 'user:a', most: 1, since: later(-100) } };
      const id = await openOne(store, counted);
      await store.enrollments.rejected(id, 'ca_bad_answer', later(1));
      await store.enrollments.failed(id, 'ca_timeout', later(2));
      const repeat = enrollment({ ...counted, requestId: 'r2' });
      const rejected = { state: 'rejected', code: 'ca_bad_answer' };
      expect(await store.enrollments.open(repeat, at(601))).toEqual(rejected);
      expect(await store.enrollments.isRepeat(repeat.fingerprint, at(601))).toBe(true);
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 1 });
      expect(await store.enrollments.open({ ...repeat, fingerprint: 'f2' }, at(2))).toMatchObject({
        state: 'quota_reached',
      });
      const { quota, ...unlimited } = counted;
      expect(await openOne(store, unlimited, 602)).not.toBe(id);
      expect(await store.enrollments.list(2)).toMatchObject([{ state: 'open' }, { state: 'rejected' }]);
      expect(await store.enrollments.issuedAfter('', 10)).toEqual([]);
    });
  });
}
