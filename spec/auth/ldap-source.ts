import { ldapCredentials } from '../../src/auth/credentials/ldap/driver.ts';
import type { CredentialSource, StoreUsers } from '../../src/auth/credentials/source.ts';
import { recordLog } from '../support/log.ts';

/** How the gateway's own user searches the directories of specs. */
export const search = {
  base: 'ou=devices,dc=example',
  filter: '(uid=${username})',
  bindDn: 'cn=est-gateway,dc=example',
  bindPassword: 'file:ldap.password',
};

/** The users there by their names. */
export const userDn = 'uid=${username},ou=devices,dc=example';

/** A source without a gateway; the options are completed as the schema does it. */
export async function openLdap(options: object): Promise<CredentialSource> {
  const defaults = {
    startTls: false,
    nameAttribute: 'uid',
    attributes: {},
    timeouts: { connect: 5, answer: 5 },
    limits: { concurrency: 10, queue: 10 },
  };
  const services = { alias: 'est', users: {} as StoreUsers, log: recordLog() };
  return await ldapCredentials.open({ ...defaults, urls: [], ...options }, services);
}
