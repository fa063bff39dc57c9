import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { revocationReasons } from '../../src/store/store.ts';
import type { HeldRequest, NewHeldRequest, RevocationReason, StateStore } from '../../src/store/store.ts';
import { answerContract } from './answer-contract.ts';
import { attemptContract } from './attempt-contract.ts';
import { givingBackContract } from './giving-back-contract.ts';
import { journalContract } from './journal-contract.ts';
import { namesContract } from './names-contract.ts';
import { openingContract } from './opening-contract.ts';
import { orderContract } from './order-contract.ts';
import { quotaContract } from './quota-contract.ts';
import { start, later, user, registered } from './records.ts';

/** What every store must do; `open` gives a fresh and empty one. */
export function stateStoreContract(name: string, open: () => Promise<StateStore>): void {
  describe(`${name} keeps the contract of StateStore`, () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    quotaContract(open);
    namesContract(open);
    answerContract(open);
    attemptContract(open);
    orderContract(open);
    journalContract(open);
    openingContract(open);
    givingBackContract(open);

    describe('the users', () => {
      it('are found as they were added, by alias and exact name', async () => {
        expect(await store.users.add(user())).toBe(true);
        expect(await store.users.find('est', 'once')).toEqual({ ...user(), id: expect.any(String) });
        expect(await store.users.find('est', 'Once')).toBeUndefined();
        expect(await store.users.find('other', 'once')).toBeUndefined();
      });

      it('are never overwritten', async () => {
        await store.users.add(user());
        expect(await store.users.add(user({ codeHash: 'other' }))).toBe(false);
        expect(await store.users.find('est', 'once')).toMatchObject({ codeHash: 'hash' });
      });

      it('are removed once and listed by alias and name', async () => {
        for (const [alias, name] of [
          ['est', 'b'],
          ['est', 'a'],
          ['alias', 'z'],
        ] as const) {
          await store.users.add(user({ alias, name, remainingUses: undefined }));
        }
        expect((await store.users.list()).map(({ alias, name }) => [alias, name])).toEqual([
          ['alias', 'z'],
          ['est', 'a'],
          ['est', 'b'],
        ]);
        expect(await store.users.remove('est', 'a')).toBe(true);
        expect(await store.users.remove('est', 'a')).toBe(false);
      });

      it('have an id, which is another one when they are removed and added anew', async () => {
        const ids = new Set<unknown>();
        for (let n = 0; n < 3; n += 1) {
          await store.users.add(user());
          const added = await store.users.find('est', 'once');
          ids.add(added?.id);
          expect(await store.users.list()).toEqual([added]);
          await store.users.remove('est', 'once');
        }
        expect(ids.size).toBe(3);
      });

      it('have another hash only in place of the one that is expected', async () => {
        await store.users.add(user());
        const replace = async (expected: string, codeHash: string) =>
          await store.users.replaceCodeHash('est', 'once', expected, codeHash);
        expect([await replace('other', 'new'), await replace('hash', 'new')]).toEqual([false, true]);
        expect(await store.users.find('est', 'once')).toMatchObject(user({ codeHash: 'new' }));
        await store.users.remove('est', 'once');
        expect(await replace('new', 'newer')).toBe(false);
        expect(await store.users.find('est', 'once')).toBeUndefined();
      });

      it('of which some have a hash of another kind, at their alias alone', async () => {
        const others = async (alias: string) => await store.users.hasOtherCodeHash(alias, '$fast$');
        await store.users.add(user({ codeHash: '$fast$a' }));
        await store.users.add(user({ name: 'twice', codeHash: '$fast$/b' }));
        await store.users.add(user({ alias: 'before', codeHash: '$argon2id$' }));
        await store.users.add(user({ alias: 'after', codeHash: '$slow$' }));
        expect(await Promise.all(['est', 'before', 'after'].map(others))).toEqual([false, true, true]);
      });

      it('S-32 may have names that look like SQL', async () => {
        const name = "'; DROP TABLE users; --%_";
        await store.users.add(user({ name }));
        expect(await store.users.find('est', name)).toMatchObject({ name });
        expect(await store.users.find('est', '%')).toBeUndefined();
      });
    });

    describe('the certificates', () => {
      it('are found as they were added, by idempotency key or in the list', async () => {
        await store.certificates.add(registered);
        const expected = { ...registered, revocation: undefined };
        expect(await store.certificates.list('local')).toEqual([expected]);
        expect(await store.certificates.findByIdempotencyKey('local', 'i1')).toEqual(expected);
        expect(await store.certificates.list('other')).toEqual([]);
        expect(await store.certificates.findByIdempotencyKey('local', 'i2')).toBeUndefined();
      });

      it('are good until they are revoked, each at its own CA', async () => {
        await store.certificates.add(registered);
        expect(await store.certificates.status('other', '0a1b', registered.certificate)).toBe('unknown');
        expect(await store.certificates.status('local', '0a1b', registered.certificate)).toBe('good');
        expect(await store.certificates.status('local', '0a1b', Buffer.of(5))).toBe('another');
        await store.certificates.revoke('local', '0a1b', 'superseded', later(1));
        expect(await store.certificates.status('local', '0a1b', Buffer.of(5))).toBe('revoked');
        expect(await store.certificates.revocationOf('local', '0a1b')).toMatchObject({ at: later(1) });
        expect(await store.certificates.revocationOf('local', 'ff')).toBeUndefined();
      });

      it('are revoked once, and stay on the list of revoked ones until they expire', async () => {
        await store.certificates.add(registered);
        expect(await store.certificates.revoke('local', 'ff', 'superseded', later(1))).toBe('unknown');
        expect(await store.certificates.revoke('local', '0a1b', 'keyCompromise', later(1))).toBe('revoked');
        expect(await store.certificates.revoke('local', '0a1b', 'superseded', later(2))).toBe('already');
        const revoked = { serialNumber: '0a1b', revocation: { at: later(1), reason: 'keyCompromise' } };
        expect(await store.certificates.revoked('local', later(2))).toEqual([revoked]);
        expect(await store.certificates.revoked('local', later(86_400))).toEqual([]);
        expect(await store.certificates.revoked('other', later(2))).toEqual([]);
      });

      it('S-17 reserve keys that were compromised for ever, and those of operators until they expire', async () => {
        const reservation = async (publicKey: string, seconds = 2) =>
          await store.certificates.reservationOf(publicKey, later(seconds));
        for (const [index, reason] of revocationReasons.entries()) {
          const [serialNumber, idempotencyKey, publicKey] = [`0${index}`, reason, reason];
          await store.certificates.add({ ...registered, serialNumber, idempotencyKey, publicKey });
          expect(await reservation(reason)).toBeUndefined();
          await store.certificates.revoke('local', serialNumber, reason, later(1));
          const expected = reason.endsWith('Compromise') ? 'compromised' : undefined;
          expect([await reservation(reason), await reservation(reason, 86_401)]).toEqual([
            expected,
            expected,
          ]);
        }
        await store.certificates.add({ ...registered, operatorRole: 'registration-authority' });
        expect(await reservation('k1')).toBe('operator');
        expect(await reservation('k1', 86_401)).toBeUndefined();
      });

      it('S-17 are revoked for a compromise later, if that was not known at first, and then it counts', async () => {
        await store.certificates.add(registered);
        const revoke = async (reason: RevocationReason, seconds: number) =>
          await store.certificates.revoke('local', '0a1b', reason, later(seconds));
        expect(await revoke('superseded', 1)).toBe('revoked');
        expect(await store.certificates.isCompromised('k1')).toBe(false);
        expect(await revoke('privilegeWithdrawn', 2)).toBe('already');
        expect(await revoke('keyCompromise', 3)).toBe('raised');
        expect(await revoke('cACompromise', 4)).toBe('already');
        const revocation = { at: later(1), reason: 'keyCompromise' };
        expect(await store.certificates.revoked('local', later(5))).toMatchObject([{ revocation }]);
        expect(await store.certificates.isCompromised('k1')).toBe(true);
        expect(await store.certificates.reservationOf('k1', later(5))).toBe('compromised');
      });

      it('S-17 are not needed to know that a key was compromised', async () => {
        await store.certificates.noteCompromise('k1', later(1));
        await store.certificates.noteCompromise('k1', later(2));
        const known = async (key: string) => [
          await store.certificates.isCompromised(key),
          await store.certificates.reservationOf(key, later(3)),
        ];
        expect([await known('k1'), await known('k2')]).toEqual([
          [true, 'compromised'],
          [false, undefined],
        ]);
      });

      it('get CRL numbers that grow from 1, each once, also at once', async () => {
        const numbers = await Promise.all(
          Array.from({ length: 10 }, () => store.certificates.nextCrlNumber('local')),
        );
        expect(numbers.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        expect(await store.certificates.nextCrlNumber('other')).toBe(1);
      });
    });

    describe('the held requests', () => {
      const held = (changes: Partial<NewHeldRequest> = {}): NewHeldRequest => ({
        ca: 'local',
        idempotencyKey: 'i1',
        alias: 'est',
        operation: 'simpleenroll',
        identity: 'device',
        subject: 'CN=device-1',
        subjectAltName: ['dNSName=a.example', 'iPAddress=192.0.2.1'],
        keyType: 'P-256',
        publicKey: 'k1',
        ...changes,
      });
      /** One that nobody asks for lapses after 100 seconds. */
      const hold = async (seconds: number, changes: Partial<NewHeldRequest> = {}): Promise<HeldRequest> =>
        await store.heldRequests.hold(held(changes), later(seconds), later(seconds - 100));

      it('P-05 are found again by their idempotency key, as they were', async () => {
        const first = await hold(0);
        expect(first).toEqual({
          ...held(),
          reference: expect.stringMatching(/^[0-9a-f]{10}$/),
          heldAt: start,
          decision: undefined,
        });
        expect(await hold(5, { subject: 'CN=other' })).toEqual(first);
        expect((await hold(5, { idempotencyKey: 'i2' })).reference).not.toBe(first.reference);
        expect((await hold(5, { ca: 'other' })).reference).not.toBe(first.reference);
      });

      it('are listed until they are decided, the oldest first', async () => {
        const second = await hold(2, { idempotencyKey: 'i2' });
        const first = await hold(1);
        await hold(0, { ca: 'other' });
        expect(await store.heldRequests.undecided('local', start)).toEqual([first, second]);
        await store.heldRequests.decide('local', first.reference, { state: 'approved' }, start);
        expect(await store.heldRequests.undecided('local', start)).toEqual([second]);
      });

      it('P-08 are decided once', async () => {
        const { reference } = await hold(0);
        const denied = { state: 'denied', reason: 'No.' } as const;
        expect(await store.heldRequests.decide('other', reference, denied, start)).toBe('unknown');
        expect(await store.heldRequests.decide('local', reference, denied, start)).toBe('decided');
        expect(await store.heldRequests.decide('local', reference, { state: 'approved' }, start)).toBe(
          'already',
        );
        expect(await hold(1)).toMatchObject({ reference, decision: denied });
      });

      it('P-08 lapse, approved or not, when nobody asks for them', async () => {
        const { reference } = await hold(0);
        await hold(90);
        expect(await store.heldRequests.undecided('local', later(90))).toHaveLength(1);
        expect(await store.heldRequests.undecided('local', later(91))).toEqual([]);
        expect(await store.heldRequests.decide('local', reference, { state: 'approved' }, later(91))).toBe(
          'unknown',
        );
        await store.heldRequests.decide('local', reference, { state: 'approved' }, later(90));
        const again = await hold(191);
        expect(again.reference).not.toBe(reference);
        expect(again).toMatchObject({ heldAt: later(191), decision: undefined });
      });
    });
  });
}
