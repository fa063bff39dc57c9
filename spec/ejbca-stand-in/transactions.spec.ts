import { beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { requestForKey } from '../support/ejbca/certification-request.ts';
import type { Ejbca } from '../support/ejbca/ejbca.ts';
import { searchCertificates } from '../support/ejbca/model/certificate-search.ts';
import { certificateRequest, pkcs10Enroll } from '../support/ejbca/model/enrollment.ts';
import { createModel, superAdministrator } from '../support/ejbca/model/model.ts';
import { editUser, type Operation, type Registration } from '../support/ejbca/model/registration.ts';
import type { Pause } from '../support/ejbca/model/transaction.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const request = requestForKey(publicKey.export({ type: 'spki', format: 'der' }));

const registration: Registration = {
  username: 'device',
  password: 'first',
  subjectDn: 'CN=device',
  subjectAltName: '',
  email: '',
  status: 'NEW',
  token: 'USERGENERATED',
  certificationAuthority: 'Device CA',
  certificateProfile: 'Device',
  endEntityProfile: 'Device',
  accountBindingId: undefined,
  extendedInformation: [],
  cardNumber: undefined,
};

const atOnce: Pause = () => Promise.resolve();

describe('EJBCA without a network', () => {
  let now: number;
  let ejbca: Ejbca;

  beforeEach(async () => {
    now = Date.UTC(2026, 10, 30, 8);
    ejbca = await createModel(() => now);
  });

  const operation = (pause = atOnce): Operation => ({ ejbca, administrator: superAdministrator, pause });
  const register = async (changes: Partial<Registration> = {}, pause = atOnce): Promise<void> => {
    await editUser(operation(pause), { ...registration, ...changes });
  };
  const ask = async (password: string, pause = atOnce): Promise<unknown> =>
    await certificateRequest(operation(pause), { username: 'device', password }, request);
  const issued = (): number => ejbca.database.certificates.length;

  /** What becomes of eight calls that have read before any of them commits. */
  async function eight(call: (pause: Pause) => Promise<unknown>): Promise<readonly string[]> {
    let waiting = 0;
    const all = Promise.withResolvers<undefined>();
    const together: Pause = async (step) => {
      if (step !== 'before the commit') return;
      waiting += 1;
      if (waiting === 8) all.resolve(undefined);
      await all.promise;
    };
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, async () => await call(together)));
    return outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'done' : (outcome.reason as Error).message,
    );
  }

  it('issues one certificate to eight certificaterequests at once', async () => {
    await register();
    const outcomes = await eight(async (pause) => await ask('first', pause));
    expect(outcomes.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'General failure.'), 'done']);
    expect(issued()).toBe(1);
  });

  it('issues eight certificates to eight pkcs10enroll of an end entity that exists', async () => {
    await register();
    const outcomes = await eight(
      async (pause) => await pkcs10Enroll(operation(pause), registration, request),
    );
    expect(new Set(outcomes)).toEqual(new Set(['done']));
    expect(issued()).toBe(8);
  });

  it('refuses pkcs10enroll that finds in the end that somebody else has added its end entity', async () => {
    const outcomes = await eight(
      async (pause) => await pkcs10Enroll(operation(pause), registration, request),
    );
    expect(outcomes.toSorted().slice(0, 7)).toEqual(
      Array.from({ length: 7 }, () => 'User device already exists.'),
    );
    expect(issued()).toBe(1);
  });

  it('lets one of eight registrations through', async () => {
    await register();
    const outcomes = await eight(async (pause) => {
      await register({ password: 'another' }, pause);
    });
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
  });

  it('refuses what read the end entity before a registration that was acknowledged since', async () => {
    await register();
    const held = Promise.withResolvers<undefined>();
    const late = ask('first', async (step) => {
      if (step === 'before the commit') await held.promise;
    });
    await register({ password: 'second' });
    held.resolve(undefined);
    await expect(late).rejects.toThrow('General failure.');
    await expect(ask('first')).rejects.toThrow('Got request for user with invalid password: device.');
    await ask('second');
    expect(issued()).toBe(1);
  });

  it('leaves nothing of a call that fails at its commit', async () => {
    await register();
    const lost = ask('first', async (step) => {
      if (step === 'before the commit') throw new Error('The power is out.');
      await Promise.resolve();
    });
    await expect(lost).rejects.toThrow('The power is out.');
    expect(issued()).toBe(0);
    expect(ejbca.database.endEntities.get('device')?.status).toBe('NEW');
  });

  it('finds by the time of the row, not by the beginning of the validity', async () => {
    await register();
    await ask('first');
    const since = (property: string): number =>
      searchCertificates({ ejbca, administrator: superAdministrator }, [
        { property: 'QUERY', value: 'device', operation: 'EQUAL' },
        { property, value: new Date(now - 60_000).toISOString().replace('.000', ''), operation: 'AFTER' },
      ]).length;
    expect([since('ISSUED_DATE'), since('UPDATE_TIME')]).toEqual([0, 1]);
    expect(ejbca.database.certificates[0]?.notBefore).toEqual(new Date(now - 600_000));
  });

  it('registers a new end entity as NEW whatever is asked, and closes one that exists', async () => {
    await register({ status: 'GENERATED' });
    expect(ejbca.database.endEntities.get('device')?.status).toBe('NEW');
    await register({ status: 'GENERATED' });
    await expect(ask('first')).rejects.toThrow(/^Got request with status GENERATED \(40\)/);
  });

  it('gives no certificate for a profile that makes the passwords itself', async () => {
    const profile = ejbca.database.endEntityProfiles.get('Device');
    if (profile !== undefined) {
      ejbca.database.endEntityProfiles.set('Device', { ...profile, makesPasswords: true });
    }
    await expect(register()).rejects.toThrow(/^When using autogenerated password/);
    await register({ password: undefined });
    await expect(ask('first')).rejects.toThrow(/invalid password/);
  });
});
