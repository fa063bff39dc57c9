import type { Configuration } from '../config/configuration.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import type { Log } from '../ops/log.ts';
import type { StateStore } from '../store/store.ts';
import { openAliasBackend } from './alias-backend.ts';
import { openAliasCertificates, type AliasCertificates } from './alias-certificates.ts';
import { textOf, withContext } from './context.ts';
import { closeBackends, openCertificationAuthorities, type Backends } from './drivers.ts';
import { openReservedKeys } from './reserved-keys.ts';

/** The keys that no client may have, as far as they could be learnt. */
interface LearntKeys {
  readonly reservationOf: KeyReservations;
  /** Whose keys could not be learnt and why, a sentence for each. */
  readonly unknown: readonly string[];
}

/** Learns the keys that a gateway with this configuration knows; what cannot be opened or reached is left out. */
export async function learnReservedKeys(
  configuration: Configuration,
  store: StateStore,
  log: Log,
): Promise<LearntKeys> {
  const tried = await Promise.all(
    Object.keys(configuration.backends).map(
      async (name) => await attempt(openBackend(configuration, name, store, log)),
    ),
  );
  await using opened = new AsyncDisposableStack();
  const backends = opened.adopt(new Map(tried.flatMap(({ value }) => [...(value ?? [])])), closeBackends);
  const certificates = await Promise.all(
    Object.entries(configuration.aliases)
      .filter(([, { backend }]) => backends.has(backend))
      .map(async ([name, options]) => {
        const context = withContext(`aliases.${name}`, openCertificates(options, backends, log));
        return { name, ...(await attempt(context)) };
      }),
  );
  const aliases = new Map(
    certificates.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const])),
  );
  return {
    reservationOf: await openReservedKeys({ configuration, aliases, backends, store }),
    unknown: [...tried, ...certificates].flatMap(({ failure }) => failure ?? []),
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

async function openCertificates(
  options: Configuration['aliases'][string],
  backends: Backends,
  log: Log,
): Promise<AliasCertificates> {
  return await openAliasCertificates(options, await openAliasBackend(options, backends), log);
}
