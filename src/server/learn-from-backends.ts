import type { CertificationAuthority } from '../ca/ca.ts';
import type { Configuration } from '../config/configuration.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import type { Log } from '../ops/log.ts';
import type { StateStore } from '../store/store.ts';
import { openAliasBackend } from './alias-backend.ts';
import { openAliasCertificates, type AliasCertificates } from './alias-certificates.ts';
import { textOf, withContext } from './context.ts';
import { closeBackends, openCertificationAuthorities, type Backends } from './drivers.ts';
import { openReservedKeys } from './reserved-keys.ts';

/** What can be asked of backends that are closed again, as far as they could be opened. */
interface Learnt {
  /** The keys that no client may have. */
  readonly reservationOf: KeyReservations;
  /** By alias; for what its backend says without asking its CA. */
  readonly certificationAuthorities: ReadonlyMap<string, Pick<CertificationAuthority, 'refuseNames'>>;
  /** What could not be opened and why, a sentence for each. */
  readonly unknown: readonly string[];
}

/** Learns what a gateway with this configuration knows of its CAs; what cannot be opened or reached is left out. */
export async function learnFromBackends(
  configuration: Configuration,
  store: StateStore,
  log: Log,
): Promise<Learnt> {
  const tried = await Promise.all(
    Object.keys(configuration.backends).map(
      async (name) => await attempt(openBackend(configuration, name, store, log)),
    ),
  );
  await using opened = new AsyncDisposableStack();
  const backends = opened.adopt(new Map(tried.flatMap(({ value }) => [...(value ?? [])])), closeBackends);
  const opening = await Promise.all(
    Object.entries(configuration.aliases)
      .filter(([, { backend }]) => backends.has(backend))
      .map(async ([name, options]) => {
        const context = withContext(`aliases.${name}`, openOfAlias(options, backends, log));
        return { name, ...(await attempt(context)) };
      }),
  );
  const aliases = new Map(
    opening.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
  );
  return {
    reservationOf: await openReservedKeys({ configuration, aliases, backends, store }),
    certificationAuthorities: new Map([...aliases].map(([name, { ca }]) => [name, ca])),
    unknown: [...tried, ...opening].flatMap(({ failure }) => failure ?? []),
  };
}

/** What came of it. */
interface Attempt<Value> {
  readonly value?: Value;
  readonly failure?: string;
}

async function attempt<Value>(promise: Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await promise };
  } catch (error) {
    return { failure: textOf(error) };
  }
}

/** This one alone, since others may not open. */
async function openBackend(
  configuration: Configuration,
  name: string,
  store: StateStore,
  log: Log,
): Promise<Backends> {
  const backends = Object.fromEntries(Object.entries(configuration.backends).filter(([key]) => key === name));
  return await openCertificationAuthorities({ ...configuration, backends }, store, log);
}

async function openOfAlias(
  options: Configuration['aliases'][string],
  backends: Backends,
  log: Log,
): Promise<AliasCertificates & { readonly ca: CertificationAuthority }> {
  const backend = await openAliasBackend(options, backends);
  return { ca: backend.ca, ...(await openAliasCertificates(options, backend, log)) };
}
