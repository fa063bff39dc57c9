import type { CredentialDriver } from './source.ts';

/** The users of the alias that `est-gateway user add` has put into the store. */
export const storeCredentials: CredentialDriver = {
  name: 'store',
  optionsSchema: {
    type: 'object',
    title: 'Users of the store',
    description:
      'Users that "est-gateway user add" has made, with codes for one, some or any number of certificates.',
    properties: {},
    additionalProperties: false,
  },
  open: async (_options, { users }) =>
    await Promise.resolve({
      name: 'store',
      takesEqualTime: true,
      prove: async (shown, signal, networks) => await users.prove(shown, signal, networks),
    }),
};
