import { isDeepStrictEqual } from 'node:util';
import type { CertificationAuthorities, CertificationAuthority, LastAnswers } from '../ca/ca.ts';
import type { Configuration, DriverOptions } from '../config/configuration.ts';
import type { Log } from '../ops/log.ts';
import type { StateStore } from '../store/store.ts';
import { withContext } from './context.ts';
import { createLastAnswers } from './last-answers.ts';

/** An open CA backend. */
interface Backend {
  /** The name of its driver. */
  readonly driver: string;
  readonly opened: CertificationAuthority | CertificationAuthorities;
  readonly answers: LastAnswers;
}

/** The open CA backends by the names that the configuration gives them. */
export type Backends = ReadonlyMap<string, Backend>;

/** Milliseconds that a backend may take at start for its CA certificates or its health. */
export const openingTimeout = 15_000;

/** Opens the store of the configuration. */
export async function openState({ store, drivers }: Configuration): Promise<StateStore> {
  return await findDriver(drivers.stateStores, store).open(optionsOf(store));
}

/** Opens every CA backend of the configuration; the keys are their names. */
export async function openCertificationAuthorities(
  { backends, drivers, limits: { pendingExpiry } }: Configuration,
  { certificates, heldRequests, attempts, answers: registry }: StateStore,
  log: Log,
): Promise<Backends> {
  const all = new Map<string, Backend>();
  for (const [name, backend] of Object.entries(backends)) {
    const answers = createLastAnswers({ registry, backend: name, options: backend, log });
    const services = { name, certificates, heldRequests, attempts, answers, pendingExpiry, log };
    const opened = await withContext<Backend['opened']>(
      `backends.${name}`,
      findDriver(drivers.certificationAuthorities, backend).open(optionsOf(backend), services),
    );
    all.set(name, { driver: backend.driver, opened, answers });
  }
  requireAgreement(all);
  return all;
}

/** A CA has one record and one CRL, however many backends share it. Throws an Error with a plain sentence. */
function requireAgreement(backends: Backends): void {
  const seen = new Map<
    string,
    { readonly name: string; readonly options: Readonly<Record<string, unknown>> }
  >();
  for (const [name, { opened }] of backends) {
    if (!('recorded' in opened)) continue;
    const { ca, options } = opened.recorded;
    const first = seen.get(ca) ?? { name, options };
    seen.set(ca, first);
    const other = Object.keys(options).find((key) => !isDeepStrictEqual(options[key], first.options[key]));
    if (other === undefined) continue;
    throw new Error(
      `backends.${name}: ${other} is not what it is at backends.${first.name}, which is the same CA, with one record and one CRL; say the same at both.`,
    );
  }
}

/** Closes every backend that can be closed. */
export async function closeBackends(backends: Backends): Promise<void> {
  await Promise.all([...backends.values()].map(async ({ opened }) => await opened.close?.()));
}

/** The driver that the configuration names. */
export function findDriver<Driver extends { readonly name: string }>(
  drivers: readonly Driver[],
  { driver }: DriverOptions,
): Driver {
  const found = drivers.find(({ name }) => name === driver);
  if (found === undefined) throw new Error(`There is no driver named ${driver}.`);
  return found;
}

/** What stands beside its name. */
export function optionsOf({ driver, ...options }: DriverOptions): unknown {
  return options;
}
