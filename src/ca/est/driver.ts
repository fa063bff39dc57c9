import type { CertificationAuthorityDriver } from '../ca.ts';
import { estOptionsSchema, type EstOptions } from './options.ts';

/** A CA that speaks EST somewhere else (RFC 7030): the gateway asks it in the place of its clients. */
export const estDriver: CertificationAuthorityDriver<EstOptions> = {
  name: 'est',
  optionsSchema: estOptionsSchema,
  async open(options, services) {
    // Only who has such a CA needs the memory for what speaks to it.
    const { openEstCertificationAuthority } = await import('./est.ts');
    return await openEstCertificationAuthority(options, services);
  },
};
