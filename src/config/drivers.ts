import { credentialDrivers } from '../auth/credentials/index.ts';
import type { CredentialDriver } from '../auth/credentials/source.ts';
import type { CertificationAuthoritiesDriver, CertificationAuthorityDriver } from '../ca/ca.ts';
import { certificationAuthorityDrivers } from '../ca/index.ts';
import { stateStoreDrivers } from '../store/index.ts';
import type { StateStoreDriver } from '../store/store.ts';

/** What a configuration can name as `driver`. */
export interface Drivers {
  readonly certificationAuthorities: readonly (
    CertificationAuthorityDriver | CertificationAuthoritiesDriver
  )[];
  readonly stateStores: readonly StateStoreDriver[];
  readonly credentials: readonly CredentialDriver[];
}

/** Those that come with the gateway. */
export const builtInDrivers: Drivers = {
  certificationAuthorities: certificationAuthorityDrivers,
  stateStores: stateStoreDrivers,
  credentials: credentialDrivers,
};

/** The built-in drivers and others beside them. Throws an Error when two of one kind have the same name. */
export function withBuiltInDrivers(others: Partial<Drivers>): Drivers {
  // One value, for which the schema is compiled once.
  if (Object.keys(others).length === 0) return builtInDrivers;
  return {
    certificationAuthorities: joined(
      builtInDrivers.certificationAuthorities,
      others.certificationAuthorities,
    ),
    stateStores: joined(builtInDrivers.stateStores, others.stateStores),
    credentials: joined(builtInDrivers.credentials, others.credentials),
  };
}

function joined<Driver extends { readonly name: string }>(
  builtIn: readonly Driver[],
  others: readonly Driver[] = [],
): readonly Driver[] {
  const all = [...builtIn, ...others];
  const names = all.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new Error(`There is already a driver named ${twice}; choose another name.`);
  return all;
}
