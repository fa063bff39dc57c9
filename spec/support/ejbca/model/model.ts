/**
 * EJBCA without a network: what it keeps and what its calls do to it, for tests of whoever talks to it. Nothing in it waits for
 * anything but `pause` and the microtasks of its own promises, so that a test with a virtual clock decides in which order
 * transactions read and commit; a `pause` that rejects at a step makes the call fail there.
 */
import type { Administrator } from '../administrator.ts';
import type { Ejbca } from '../ejbca.ts';
import { protocols } from '../ejbca.ts';
import { addCertificationAuthority, addProfiles } from '../installation.ts';
import { createDatabase } from './database.ts';

/** An administrator who may do everything. */
export const superAdministrator: Administrator = {
  name: 'CN=Super Administrator',
  isAuthorized: () => true,
  require: () => undefined,
};

/**
 * An EJBCA Community 8.2.0.1 with a CA `Device CA` and the profiles `Device`. Hand it with an administrator and a pause to
 * `editUser`, `certificateRequest`, `pkcs10Enroll` and `searchCertificates`.
 */
export async function createModel(clock: () => number): Promise<Ejbca> {
  const database = createDatabase(clock);
  await addCertificationAuthority(database, 'Device CA');
  addProfiles(database);
  return {
    release: { version: '8.2.0.1', edition: 'Community' },
    database,
    administrators: { certificates: new Map(), bearerTokens: new Map() },
    oAuthClients: [],
    enabledProtocols: new Set(protocols),
    isBrowserHeaderRequired: false,
  };
}
