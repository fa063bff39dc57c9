import type { CredentialDriver } from '../source.ts';
import { ldapOptionsSchema, type LdapOptions } from './options.ts';

/** Users of an LDAP directory, who prove their codes by a simple bind (RFC 4513, section 5.1.3). */
export const ldapCredentials: CredentialDriver<LdapOptions> = {
  name: 'ldap',
  optionsSchema: ldapOptionsSchema,
  async open(options) {
    // Only who has a directory needs the memory for what speaks LDAP.
    const { openLdapCredentials } = await import('./ldap.ts');
    return await openLdapCredentials(options);
  },
};
