import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { StateStore } from '../../src/store/store.ts';
import { start, later, at, enrollment, addUser, certificate, first, openOne } from './records.ts';

/** What the journal says of earlier records of these specs. */
const known = { madeFor: enrollment().madeFor };

/** What every journal must do; `open` gives a fresh and empty store. */
export function journalContract(open: () => Promise<StateStore>): void {
  describe('the journal', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('E-22 gives the certificate of the same request again within the window, and not after it', async () => {
      const id = await openOne(store);
      await store.enrollments.issued(id, certificate, later(1));
      const given = { state: 'issued', certificate: certificate.certificate, ...known, answeredAt: later(1) };
      expect(await store.enrollments.open(enrollment({ requestId: 'r2' }), at(601))).toEqual(given);
      expect(await openOne(store, {}, 602)).not.toBe(id);
    });

    it('gives the answer of the latest record, also when the clock of the gateway before was ahead', async () => {
      const early = await openOne(store, {}, 30);
      await store.enrollments.issued(early, certificate, later(31));
      const id = await openOne(store, {}, 700);
      const newer = { ...certificate, certificate: Buffer.from([0x30, 0x03, 0x02, 0x01, 0x06]) };
      await store.enrollments.issued(id, newer, later(3));
      expect(await store.enrollments.open(enrollment(), at(5))).toMatchObject({
        state: 'issued',
        certificate: newer.certificate,
      });
    });

    it('says in_progress while the same request is being handled, and opens an abandoned record again', async () => {
      const id = await openOne(store);
      expect(await store.enrollments.open(enrollment(), at(29))).toEqual({ state: 'in_progress', id });
      expect(await store.enrollments.open(enrollment(), at(31))).toEqual({
        state: 'opened',
        id,
        attempt: 2,
        attemptedSince: start,
        ...known,
      });
      expect(await store.enrollments.open(enrollment(), at(60))).toEqual({ state: 'in_progress', id });
    });

    it('P-05 P-08 finds a pending request by its fingerprint, and opens it again when nobody asked for long', async () => {
      const id = await openOne(store);
      await store.enrollments.pending(first(id), 'first', later(1));
      const found = { state: 'pending', id, attempt: 1, reference: 'first', ...known };
      expect(await store.enrollments.open(enrollment({ requestId: 'r2' }), at(2))).toEqual(found);
      await store.enrollments.pending(first(id), 'second', later(900));
      expect(await store.enrollments.open(enrollment(), at(1900))).toEqual({
        ...found,
        reference: 'second',
      });
      expect(await store.enrollments.open(enrollment(), at(1901))).toEqual({
        state: 'opened',
        id,
        attempt: 2,
        attemptedSince: start,
        ...known,
      });
    });

    it('P-04 keeps a pending request pending when the CA fails, and a closed one closed', async () => {
      const id = await openOne(store);
      await store.enrollments.pending(first(id), 'reference', later(1));
      await store.enrollments.failed(first(id), 'ca_timeout', later(2));
      expect(await store.enrollments.open(enrollment(), at(3))).toMatchObject({ state: 'pending' });
      await store.enrollments.issued(id, certificate, later(4));
      await store.enrollments.pending(first(id), 'late', later(5));
      await store.enrollments.failed(first(id), 'ca_timeout', later(5));
      expect(await store.enrollments.open(enrollment(), at(6))).toMatchObject({ state: 'issued' });
    });

    it('P-10 limits the pending requests of an identity and of an alias, and takes no use beyond', async () => {
      const code = await addUser(store);
      const limits = { perIdentity: 2, perAlias: 3 };
      const put = async (fingerprint: string, identity: string, alias = 'est'): Promise<string> => {
        const one = enrollment({ fingerprint, identity, alias });
        const opened = await store.enrollments.open(one, at(0), limits);
        if (opened.state !== 'opened') return 'of' in opened ? opened.of : opened.state;
        await store.enrollments.pending(opened, 'reference', later(0));
        return opened.state;
      };
      expect([await put('a1', 'user:a'), await put('a2', 'user:a'), await put('a3', 'user:a')]).toEqual([
        'opened',
        'opened',
        'identity',
      ]);
      expect([await put('b1', 'user:b'), await put('c1', 'user:c')]).toEqual(['opened', 'alias']);
      expect(await put('c1', 'user:a', 'other')).toBe('opened');
      expect(await put('a1', 'user:a')).toBe('pending');
      const counted = enrollment({ fingerprint: 'd1', identity: 'user:once', ...code });
      expect(await store.enrollments.open(counted, at(0), limits)).toEqual({
        state: 'too_many_pending',
        of: 'alias',
      });
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 1 });
      expect(await store.enrollments.open(counted, at(1001), limits)).toMatchObject({ state: 'opened' });
    });

    it('P-10 limits what is opened again after a failure, too', async () => {
      const limits = { perIdentity: 1, perAlias: 1 };
      await store.enrollments.failed(
        first(await openOne(store, { fingerprint: 'f1' })),
        'ca_timeout',
        later(0),
      );
      await store.enrollments.pending(
        first(await openOne(store, { fingerprint: 'f2' })),
        'reference',
        later(0),
      );
      expect(await store.enrollments.open(enrollment({ fingerprint: 'f1' }), at(1), limits)).toEqual({
        state: 'too_many_pending',
        of: 'identity',
      });
    });

    it('opens a failed record again under its id', async () => {
      const id = await openOne(store);
      await store.enrollments.failed(first(id), 'ca_timeout', later(1));
      expect(await openOne(store, {}, 2)).toBe(id);
    });

    it('E-22 takes the deadline of who wrote a record, not that of who asks', async () => {
      const id = await openOne(store);
      const hasty = { ...at(29), underWayUntil: later(30) };
      const patient = { ...at(31), underWayUntil: later(331) };
      expect(await store.enrollments.open(enrollment(), hasty)).toEqual({ state: 'in_progress', id });
      expect(await store.enrollments.open(enrollment(), patient)).toMatchObject({
        state: 'opened',
        attempt: 2,
      });
      expect(await store.enrollments.open(enrollment(), at(330))).toEqual({ state: 'in_progress', id });
      expect(await store.enrollments.open(enrollment(), at(332))).toMatchObject({
        state: 'opened',
        attempt: 3,
      });
    });

    it.each(['refused', 'rejected', 'failed', 'pending'] as const)(
      'E-22 lets an outcome of an earlier attempt (%s) change nothing of a later one',
      async (outcome) => {
        const code = await addUser(store);
        const counted = code;
        const id = await openOne(store, counted);
        expect(await openOne(store, counted, 31)).toBe(id);
        const before = await store.enrollments.list(1);
        await store.enrollments[outcome](first(id), 'ca_timeout', later(32));
        expect(await store.enrollments.list(1)).toEqual(before);
        expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 0 });
        expect(await store.enrollments.open(enrollment(counted), at(33))).toEqual({
          state: 'in_progress',
          id,
        });
        await store.enrollments.refused({ id, attempt: 2 }, 'rejected_by_ca', later(34));
        await store.enrollments[outcome](first(id), 'ca_timeout', later(35));
        expect(await store.enrollments.list(1)).toMatchObject([{ state: 'refused' }]);
        expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 1 });
      },
    );

    it('forgets a record, which no request finds any more, but not while the CA is asked', async () => {
      const counted = await addUser(store);
      const id = await openOne(store, counted);
      expect(await store.enrollments.forget(id, later(1))).toBe('in_progress');
      await store.enrollments.failed(first(id), 'ca_timeout', later(1));
      expect(await store.enrollments.forget(id, later(2))).toBe('forgotten');
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 0 });
      expect(await store.enrollments.open(enrollment(counted), at(3))).toEqual({ state: 'exhausted' });
      expect(await store.enrollments.forget('none', later(3))).toBe('unknown');
    });

    it('E-22 keeps the first certificate of a record, and every further one in a record of its own', async () => {
      const other = { ...certificate, certificate: Buffer.of(2), serialNumber: '02', publicKey: 'k2' };
      const id = await openOne(store);
      expect(await openOne(store, {}, 31)).toBe(id);
      expect(await store.enrollments.issued(id, certificate, later(32))).toEqual({ state: 'recorded' });
      expect(await store.enrollments.issued(id, certificate, later(33))).toEqual({ state: 'recorded' });
      const recorded = certificate.certificate;
      expect(await store.enrollments.issued(id, other, later(34))).toEqual({ state: 'surplus', recorded });
      const given = { state: 'issued', certificate: recorded, ...known, answeredAt: later(32) };
      expect(await store.enrollments.open(enrollment(), at(35))).toEqual(given);
      expect(await store.enrollments.list(3)).toMatchObject([
        { state: 'surplus', serialNumber: '02', subject: 'CN=device-1' },
        { state: 'issued', serialNumber: certificate.serialNumber },
      ]);
      expect((await store.enrollments.issuedAfter('', 3)).map((one) => one.certificate)).toEqual([
        recorded,
        other.certificate,
      ]);
      const stranger = { identity: 'user:b', subject: 'CN=device-2' };
      expect(await store.enrollments.isKeyOfOther('k2', stranger, later(36))).toBe(true);
    });

    it('E-22 keeps a certificate that comes after a refusal, and gives it to nobody', async () => {
      const id = await openOne(store);
      await store.enrollments.refused(first(id), 'rejected_by_ca', later(1));
      expect(await store.enrollments.issued(id, certificate, later(2))).toEqual({
        state: 'surplus',
        recorded: undefined,
      });
      expect(await openOne(store, {}, 3)).not.toBe(id);
      expect(await store.enrollments.list(3)).toMatchObject([
        { state: 'open' },
        { state: 'surplus' },
        { state: 'refused' },
      ]);
    });

    it('opens a new record after a refusal', async () => {
      const id = await openOne(store);
      await store.enrollments.refused(first(id), 'rejected_by_ca', later(1));
      expect(await openOne(store, {}, 2)).not.toBe(id);
    });

    it('opens exactly one of many equal requests at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => store.enrollments.open(enrollment(), at(0))),
      );
      expect(answers.filter(({ state }) => state === 'opened')).toHaveLength(1);
      expect(answers.filter(({ state }) => state === 'in_progress')).toHaveLength(19);
    });

    it('S-28 gives the last use of a user to exactly one of many requests at once', async () => {
      const code = await addUser(store);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store.enrollments.open(enrollment({ fingerprint: `f${n}`, ...code }), at(0)),
        ),
      );
      expect(answers.filter(({ state }) => state === 'opened')).toHaveLength(1);
      expect(answers.filter(({ state }) => state === 'exhausted')).toHaveLength(19);
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 0 });
    });

    it('A-13 gives as many certificates as a user has uses, however many ask at once', async () => {
      const code = await addUser(store, { remainingUses: 3 });
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          store.enrollments.open(enrollment({ fingerprint: `f${n}`, ...code }), at(0)),
        ),
      );
      expect(answers.filter(({ state }) => state === 'opened')).toHaveLength(3);
      expect(answers.filter(({ state }) => state === 'exhausted')).toHaveLength(17);
    });

    it('A-13 opens nothing new for an expired user, who may repeat what was opened in time', async () => {
      const code = await addUser(store, { remainingUses: undefined, expiresAt: later(10) });
      const early = { ...code, fingerprint: 'f1' };
      const late = { ...code, fingerprint: 'f2' };
      const id = await openOne(store, early, 9);
      expect(await store.enrollments.open(enrollment(late), at(10))).toEqual({ state: 'expired' });
      await store.enrollments.issued(id, certificate, later(11));
      expect(await store.enrollments.open(enrollment(early), at(12))).toMatchObject({ state: 'issued' });
      expect(await store.users.find('est', 'once')).toMatchObject({
        remainingUses: undefined,
        expiresAt: later(10),
      });
    });

    it('A-13 lets a used-up user repeat the request that used it up', async () => {
      const code = await addUser(store);
      const counted = code;
      const id = await openOne(store, counted);
      await store.enrollments.failed(first(id), 'ca_timeout', later(1));
      expect(await openOne(store, counted, 2)).toBe(id);
      await store.enrollments.issued(id, certificate, later(3));
      expect(await store.enrollments.open(enrollment(counted), at(4))).toMatchObject({ state: 'issued' });
      const other = enrollment({ ...counted, fingerprint: 'f2' });
      expect(await store.enrollments.open(other, at(4))).toEqual({ state: 'exhausted' });
    });

    it('A-13 gives the use back when the request is refused, once', async () => {
      const code = await addUser(store);
      const id = await openOne(store, code);
      await store.enrollments.refused(first(id), 'rejected_by_ca', later(1));
      await store.enrollments.refused(first(id), 'rejected_by_ca', later(2));
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 1 });
    });

    it('S-17 knows whether a key is of another identity and subject, until the certificate expires', async () => {
      for (const [fingerprint, identity, publicKey] of [
        ['f1', 'user:a', 'k1'],
        ['f2', 'user:b', 'k1'],
        ['f3', 'user:a', 'k2'],
      ] as const) {
        const id = await openOne(store, { fingerprint, identity, publicKey });
        await store.enrollments.issued(id, { ...certificate, publicKey }, later(1));
      }
      await openOne(store, { fingerprint: 'f4', publicKey: 'k3' });
      const holder = { identity: 'user:a', subject: 'CN=device-2' };
      const isOther = async (key: string, now = later(2), who = holder): Promise<boolean> =>
        await store.enrollments.isKeyOfOther(key, who, now);
      expect(await isOther('k1')).toBe(true);
      expect(await isOther('k1', later(2), { ...holder, subject: 'CN=device-1' })).toBe(false);
      expect(await isOther('k1', later(86_400))).toBe(false);
      expect(await isOther('k2')).toBe(false);
      expect(await isOther('k3')).toBe(false);
    });

    it('lists the newest records first', async () => {
      await openOne(store, { fingerprint: 'f1', subject: 'CN=old' }, 0);
      const id = await openOne(store, { fingerprint: 'f2', subject: 'CN=new' }, 1);
      await store.enrollments.issued(id, certificate, later(2));
      const [first, second] = await store.enrollments.list(2);
      const { serialNumber } = certificate;
      const openedAt = later(1);
      expect(first).toMatchObject({ subject: 'CN=new', state: 'issued', serialNumber, openedAt });
      expect(second).toMatchObject({ subject: 'CN=old', state: 'open', serialNumber: undefined });
      expect(await store.enrollments.list(1)).toEqual([first]);
      const issued = [{ id, certificate: certificate.certificate }];
      expect(await store.enrollments.issuedAfter('', 2)).toEqual(issued);
      expect(await store.enrollments.issuedAfter(id, 2)).toEqual([]);
    });
  });
}
