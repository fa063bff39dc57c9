import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NewEnrollment, RecordAttempt, StateStore } from '../../src/store/store.ts';
import { addUser, at, certificate, enrollment, first, later, openOne } from './records.ts';

/** When uses of codes and quota are given back; `open` gives a fresh and empty store. */
export function givingBackContract(open: () => Promise<StateStore>): void {
  describe('what no certificate came of', () => {
    let store: StateStore;
    let code: Pick<NewEnrollment, 'users' | 'countedUser'>;
    beforeEach(async () => {
      store = await open();
      code = await addUser(store);
    });
    afterEach(async () => {
      await store.close();
    });

    /** By a code for one certificate, of a client that may have one. */
    const counted = (seconds: number, changes: Partial<NewEnrollment> = {}): NewEnrollment =>
      enrollment({
        ...code,
        client: 'a',
        quotas: [
          {
            of: 'client',
            key: 'a',
            most: 1,
            since: later(seconds - 5000),
            pendingSince: later(seconds - 1000),
          },
        ],
        ...changes,
      });
    const ask = async (seconds: number, changes: Partial<NewEnrollment> = {}) =>
      await store.enrollments.open(counted(seconds, changes), at(seconds));
    const begin = async (seconds: number): Promise<RecordAttempt> => {
      const opened = await ask(seconds);
      if (opened.state !== 'opened') throw new Error(`expected opened, found ${opened.state}`);
      return opened;
    };
    const other = { fingerprint: 'f2', publicKey: 'k2' };
    const left = async () => (await store.users.find('est', 'once'))?.remainingUses;
    const isSpent = async (seconds: number) =>
      (await store.enrollments.spentCode(code.countedUser ?? '', at(seconds))) !== undefined;
    const hasQuota = async (seconds: number) => {
      const [quota] = counted(seconds).quotas;
      return quota && (await store.enrollments.reachedQuota('est', quota)) === undefined;
    };

    it('A-13 S-29 gives both back when it is known that nothing was issued, and takes them again', async () => {
      const attempt = await begin(0);
      await store.enrollments.nothingIssued(attempt, 'ca_unavailable', later(1));
      await store.enrollments.nothingIssued(attempt, 'ca_unavailable', later(1));
      expect([await left(), await isSpent(1), await hasQuota(1)]).toEqual([1, false, true]);
      const again = await begin(2);
      expect(again).toMatchObject({ id: attempt.id, attempt: 2, attemptedSince: later(0) });
      expect([await left(), await isSpent(2), await hasQuota(2)]).toEqual([0, true, false]);
      await store.enrollments.nothingIssued(attempt, 'ca_unavailable', later(3));
      expect(await left()).toBe(0);
      await store.enrollments.nothingIssued(again, 'ca_unavailable', later(3));
      expect(await ask(4, other)).toMatchObject({ state: 'opened' });
      expect(await ask(5)).toMatchObject({ state: 'quota_reached' });
      expect(await ask(5, { quotas: [] })).toEqual({ state: 'exhausted' });
      const stranger = { identity: 'user:b', subject: 'CN=device-2', fingerprint: 'f3' };
      expect(await store.enrollments.open(enrollment(stranger), at(6))).toMatchObject({ state: 'opened' });
    });

    it.each(['failed', 'abandoned'] as const)(
      'A-13 S-29 gives nothing back while an earlier attempt may have got a certificate (%s)',
      async (how) => {
        const attempt = await begin(0);
        if (how === 'failed') await store.enrollments.failed(attempt, 'ca_timeout', later(1));
        const again = await begin(31);
        await store.enrollments.nothingIssued(again, 'ca_unavailable', later(32));
        expect([await left(), await isSpent(32), await hasQuota(32)]).toEqual([0, true, false]);
        expect(await ask(33, other)).toMatchObject({ state: 'quota_reached' });
        const last = await begin(34);
        await store.enrollments.refused(last, 'rejected_by_ca', later(35));
        expect([await left(), await isSpent(35), await hasQuota(35)]).toEqual([1, false, true]);
      },
    );

    it('A-13 gives nothing back that a certificate has spent', async () => {
      const attempt = await begin(0);
      await store.enrollments.issued(attempt.id, certificate, later(1));
      await store.enrollments.nothingIssued(attempt, 'ca_unavailable', later(2));
      expect([await left(), await hasQuota(2)]).toEqual([0, false]);
    });

    it('A-13 S-29 gives both back for a request that has lapsed, once', async () => {
      const attempt = await begin(0);
      await store.enrollments.pending(attempt, 'reference', later(1));
      expect([await isSpent(1001), await hasQuota(1001)]).toEqual([true, false]);
      expect(await ask(1001, other)).toMatchObject({ state: 'quota_reached' });
      expect([await isSpent(1002), await hasQuota(1002)]).toEqual([false, true]);
      expect(await ask(1002, other)).toMatchObject({ state: 'opened' });
      expect([await left(), await isSpent(1003)]).toEqual([0, true]);
      expect(await ask(1003)).toMatchObject({ state: 'quota_reached' });
      expect(await ask(1003, { quotas: [] })).toEqual({ state: 'exhausted' });
      expect(await ask(1003, { ...other, fingerprint: 'f4', quotas: [] })).toEqual({ state: 'exhausted' });
    });

    it('A-13 lets a lapsed request that still has its use go on with it', async () => {
      const attempt = await begin(0);
      await store.enrollments.pending(attempt, 'reference', later(1));
      expect(await begin(2000)).toMatchObject({ id: attempt.id, attempt: 2 });
      expect(await left()).toBe(0);
    });

    it('A-13 brings no user back that was removed meanwhile', async () => {
      const attempt = await begin(0);
      await store.users.remove('est', 'once');
      await store.enrollments.nothingIssued(attempt, 'ca_unavailable', later(1));
      expect(await store.users.list()).toEqual([]);
      const id = await openOne(store, other, 2);
      await store.enrollments.nothingIssued(first(id), 'ca_unavailable', later(3));
      expect(await store.enrollments.list(1)).toMatchObject([{ state: 'failed' }]);
    });
  });
}
