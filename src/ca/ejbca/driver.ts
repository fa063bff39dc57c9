import type { CertificationAuthoritiesDriver } from '../ca.ts';
import { contradictionsIn, ejbcaAliasSchema, type EjbcaAliasSettings } from './alias-settings.ts';
import { ejbcaOptionsSchema, type EjbcaOptions } from './options.ts';

/** EJBCA behind the gateway: an alias behaves as an EST alias of EJBCA Enterprise would, also with Community. */
export const ejbcaDriver: CertificationAuthoritiesDriver<EjbcaOptions, EjbcaAliasSettings> = {
  name: 'ejbca',
  optionsSchema: ejbcaOptionsSchema,
  aliasSettings: { schema: ejbcaAliasSchema, contradictionsIn },
  async open(options, services) {
    // Only who has an EJBCA needs the memory for what speaks REST and SOAP.
    const { openEjbca } = await import('./ejbca.ts');
    return await openEjbca(options, services);
  },
};
