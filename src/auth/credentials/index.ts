import { htpasswdCredentials } from './htpasswd.ts';
import { ldapCredentials } from './ldap/driver.ts';
import type { CredentialDriver } from './source.ts';
import { storeCredentials } from './store.ts';
import { webhookCredentials } from './webhook.ts';

/** Every kind of source that the configuration can name. */
export const credentialDrivers: readonly CredentialDriver[] = [
  storeCredentials,
  htpasswdCredentials,
  webhookCredentials,
  ldapCredentials,
];
