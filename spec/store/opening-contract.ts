import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NewEnrollment, StateStore } from '../../src/store/store.ts';
import { addUser, at, certificate, enrollment, first, later, openOne, registered } from './records.ts';

/** What every journal decides at the moment when it opens a record; `open` gives a fresh and empty store. */
export function openingContract(open: () => Promise<StateStore>): void {
  describe('a record that is opened', () => {
    let store: StateStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    const stateOf = async (changes: Partial<NewEnrollment>, seconds = 0): Promise<unknown> =>
      (await store.enrollments.open(enrollment(changes), at(seconds))).state;
    const alice = { fingerprint: 'f1', identity: 'user:alice', subject: 'CN=alice' };
    const bob = { fingerprint: 'f2', identity: 'user:bob', subject: 'CN=bob' };
    const ofOther = { state: 'key_refused', why: 'other' };

    it('S-17 S-28 is that of one identity, when several ask at once with one key', async () => {
      const [opened, refused] = await Promise.all([
        openOne(store, alice),
        store.enrollments.open(enrollment(bob), at(0)),
      ]);
      expect(refused).toEqual(ofOther);
      await store.enrollments.failed(first(opened), 'ca_timeout', later(1));
      expect(await store.enrollments.open(enrollment({ ...bob, fingerprint: 'f3' }), at(2))).toEqual(ofOther);
      expect(await stateOf(alice, 3)).toBe('opened');
      expect(await stateOf({ ...bob, isKeyShown: true }, 3)).toBe('opened');
    });

    it('S-17 has a key that nobody holds any more: refused, or waiting without being asked for', async () => {
      const id = await openOne(store, alice);
      await store.enrollments.pending(first(id), 'reference', later(0));
      expect(await store.enrollments.open(enrollment(bob), at(1000))).toEqual(ofOther);
      expect(await stateOf({ ...bob, fingerprint: 'f3' }, 1001)).toBe('opened');
      const second = await openOne(store, { ...alice, fingerprint: 'f4', publicKey: 'k2' });
      await store.enrollments.refused(first(second), 'rejected_by_ca', later(1));
      expect(await stateOf({ ...bob, fingerprint: 'f5', publicKey: 'k2' }, 1)).toBe('opened');
    });

    it('S-17 has no key that was compromised meanwhile, though the client shows it, nor one of an operator', async () => {
      await store.certificates.add({ ...registered, operatorRole: 'registration-authority' });
      expect(await store.enrollments.open(enrollment(), at(0))).toEqual({
        state: 'key_refused',
        why: 'operator',
      });
      expect(await stateOf({ isKeyShown: true })).toBe('opened');
      expect(await stateOf({ fingerprint: 'f2' }, 86_401)).toBe('opened');
      await store.certificates.noteCompromise('k1', later(1));
      const compromised = { state: 'key_refused', why: 'compromised' };
      expect(await store.enrollments.open(enrollment({ isKeyShown: true }), at(2))).toEqual(compromised);
      expect(await stateOf({ fingerprint: 'f3', publicKey: undefined })).toBe('opened');
    });

    it('S-28 is that of a user who was not removed since, also where it repeats an earlier one', async () => {
      for (const remainingUses of [undefined, 1]) {
        const code = await addUser(store, { remainingUses });
        const fingerprint = `f ${remainingUses ?? 'any'}`;
        const id = await openOne(store, { ...code, fingerprint });
        await store.enrollments.issued(id, certificate, later(1));
        expect(await stateOf({ ...code, fingerprint }, 2)).toBe('issued');
        await store.users.remove('est', 'once');
        expect(await stateOf({ ...code, fingerprint }, 3)).toBe('code_removed');
        const again = await addUser(store, { remainingUses });
        expect(await stateOf({ ...code, fingerprint }, 3)).toBe('code_removed');
        expect(await stateOf({ ...again, fingerprint: `again ${fingerprint}` }, 3)).toBe('opened');
        await store.users.remove('est', 'once');
      }
    });

    it('A-13 takes and gives back uses of the user whose code it was, not of one of the same name', async () => {
      const before = await addUser(store);
      const id = await openOne(store, before);
      await store.users.remove('est', 'once');
      await addUser(store, { remainingUses: 5 });
      await store.enrollments.refused(first(id), 'rejected_by_ca', later(1));
      expect(await store.users.find('est', 'once')).toMatchObject({ remainingUses: 5 });
      expect(await store.enrollments.spentCode(before.countedUser, at(1))).toBe('exhausted');
    });

    it('S-28 relies on no certificate that was revoked since it was shown, or whose key was compromised', async () => {
      const { serialNumber } = registered;
      const shown = { serialNumber, certificate: registered.certificate, publicKey: 'shown' };
      await store.certificates.add({ ...registered, publicKey: 'shown' });
      const withShown = { certificates: [{ ...shown, certificate: Buffer.of(9) }, shown] };
      const id = await openOne(store, withShown);
      await store.enrollments.issued(id, certificate, later(1));
      expect(await stateOf(withShown, 2)).toBe('issued');
      await store.certificates.revoke(registered.ca, serialNumber, 'superseded', later(2));
      expect(await stateOf(withShown, 3)).toBe('certificate_revoked');
      expect(await stateOf({ ...withShown, fingerprint: 'f2' }, 3)).toBe('certificate_revoked');
      const other = { certificates: [{ serialNumber: '99', certificate: Buffer.of(8), publicKey: 'other' }] };
      expect(await stateOf({ ...other, fingerprint: 'f3' }, 3)).toBe('opened');
      await store.certificates.noteCompromise('other', later(3));
      expect(await stateOf({ ...other, fingerprint: 'f4' }, 4)).toBe('certificate_revoked');
    });
  });
}
