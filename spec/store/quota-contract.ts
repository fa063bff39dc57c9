import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Quota, StateStore } from '../../src/store/store.ts';
import { addUser, at, certificate, enrollment, later, first, openOne } from './records.ts';

/** A client that may have so many. */
const withQuota = (changes: Partial<Quota> = {}) => {
  const quota: Quota = {
    of: 'client',
    key: 'user:a',
    most: 1,
    since: later(-100),
    pendingSince: later(-1000),
    ...changes,
  };
  return { client: quota.key, quotas: [quota] } as const;
};

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
          enrollment({ fingerprint, ...withQuota({ most: 3, since: later(seconds - 100) }) }),
          at(seconds),
        );
      const answers = await Promise.all(Array.from({ length: 10 }, async (_, n) => await ask(`f${n}`)));
      expect(answers.filter(({ state }) => state === 'opened')).toHaveLength(3);
      expect(answers.filter(({ state }) => state === 'quota_reached')).toHaveLength(7);
      expect(answers.find(({ state }) => state === 'quota_reached')).toMatchObject({ oldest: later(0) });
      expect(await ask('other', 101)).toMatchObject({ state: 'opened' });
    });

    it('S-29 says without recording anything whether a quota is reached', async () => {
      const { client, quotas } = withQuota();
      const [quota] = quotas;
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
      await openOne(store, { fingerprint: 'f1', client, quotas });
      expect(await look()).toEqual([true, false, later(0), undefined, undefined]);
    });

    it('S-29 counts no refusal, no repeat and nobody else', async () => {
      const quota = withQuota();
      const opened = await store.enrollments.open(enrollment(quota), at(0));
      await store.enrollments.refused(first('id' in opened ? opened.id : ''), 'rejected_by_ca', later(0));
      const id = await openOne(store, quota);
      await store.enrollments.issued(id, certificate, later(1));
      expect(await store.enrollments.open(enrollment(quota), at(2))).toMatchObject({ state: 'issued' });
      const another = { fingerprint: 'f2', ...quota };
      expect(await store.enrollments.open(enrollment(another), at(2))).toMatchObject({
        state: 'quota_reached',
      });
      await openOne(store, { fingerprint: 'f3', ...withQuota({ key: 'user:b' }) });
      await openOne(store, { fingerprint: 'f4', alias: 'other', ...quota });
    });

    it('S-29 bounds a registration authority besides each of its clients, and says which quota is reached', async () => {
      const times = { since: later(-100), pendingSince: later(-1000) };
      const own = { of: 'registrationAuthority', key: 'ra', most: 2, ...times } as const;
      const ask = async (client: string, registrationAuthority = 'ra') => {
        const of = { of: 'client', key: client, most: 1, ...times } as const;
        const asked = { client, registrationAuthority, fingerprint: client, quotas: [of, own] };
        return await store.enrollments.open(enrollment(asked), at(0));
      };
      await openOne(store, { fingerprint: 'itself', client: 'ra' });
      expect([(await ask('a')).state, (await ask('b')).state]).toEqual(['opened', 'opened']);
      expect(await ask('c')).toMatchObject({ state: 'quota_reached', quota: own, oldest: later(0) });
      expect(await store.enrollments.reachedQuota('est', own)).toEqual(later(0));
      expect(await store.enrollments.reachedQuota('est', { ...own, key: 'other' })).toBeUndefined();
    });

    it('knows to whom a certificate was issued', async () => {
      const id = await openOne(store, { alias: 'other', client: 'user:a' });
      expect(await store.enrollments.issuedTo(certificate)).toBeUndefined();
      await store.enrollments.issued(id, certificate, later(1));
      expect(await store.enrollments.issuedTo(certificate)).toEqual({ alias: 'other', client: 'user:a' });
      for (const change of [
        { certificate: Buffer.from('another') },
        { publicKey: 'k2' },
        { notAfter: later(1) },
      ]) {
        expect(await store.enrollments.issuedTo({ ...certificate, ...change })).toBeUndefined();
      }
    });

    it('counts a rejection, gives it again within the window, and gives the use back', async () => {
      const code = await addUser(store);
      const counted = { ...code, ...withQuota() };
      const id = await openOne(store, counted);
      await store.enrollments.rejected(first(id), 'ca_bad_answer', later(1));
      await store.enrollments.failed(first(id), 'ca_timeout', later(2));
      const repeat = enrollment({ ...counted, requestId: 'r2' });
      const rejected = { state: 'rejected', code: 'ca_bad_answer' };
      expect(await store.enrollments.open(repeat, at(601))).toMatchObject(rejected);
      expect(await store.enrollments.isRepeat(repeat.fingerprint, at(601))).toBe(true);
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 1 });
      expect(await store.enrollments.open({ ...repeat, fingerprint: 'f2' }, at(2))).toMatchObject({
        state: 'quota_reached',
      });
      expect(await openOne(store, { ...counted, quotas: [] }, 602)).not.toBe(id);
      expect(await store.enrollments.list(2)).toMatchObject([{ state: 'open' }, { state: 'rejected' }]);
      expect(await store.enrollments.issuedAfter('', 10)).toEqual([]);
    });
  });
}
