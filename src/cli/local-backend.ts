import { Option } from 'commander';
import type { CertificationAuthority } from '../ca/ca.ts';
import { findState } from '../ca/local/state.ts';
import type { Configuration } from '../config/configuration.ts';
import { readCertificates } from '../ops/certificate-files.ts';
import { createLog } from '../ops/log.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { openCertificationAuthorities } from '../server/drivers.ts';
import type { KnownCa, StateStore } from '../store/store.ts';
import type { ConfigurationOption } from './options.ts';

/** What every command about a local CA is given. */
export interface BackendOption extends ConfigurationOption {
  readonly backend?: string;
}

/** `--backend NAME` */
export function backendOption(): Option {
  return new Option('-b, --backend <name>', 'name of the local CA; needed when there are several');
}

/** The local CA of this name, or the only one. */
export function localBackend({ backends }: Configuration, chosen: string | undefined): string {
  const names = Object.keys(backends).filter((name) => backends[name]?.driver === 'local');
  const [name, ...others] = chosen === undefined ? names : names.filter((known) => known === chosen);
  if (name !== undefined && others.length === 0) return name;
  if (names.length === 0) throw new Error('The configuration has no backend with the driver local.');
  throw new Error(`Which local CA? Add --backend with one of: ${names.join(', ')}.`);
}

/** What the local driver's schema makes sure of. */
interface LocalOptions {
  readonly certificate: string;
  readonly record: KnownCa['record'];
}

/** By what the store knows the CA of a local backend; its key is not needed. */
export async function caOfBackend(
  configuration: Configuration,
  name: string,
  { certificates }: StateStore,
): Promise<string> {
  const { issuer, record } = await issuerOfBackend(configuration, name);
  return await findState(issuer, record, { name, certificates });
}

/** The certificate of a local backend's CA, and whether its record is complete. */
export async function issuerOfBackend(
  { backends }: Configuration,
  name: string,
): Promise<{ readonly issuer: Certificate; readonly record: KnownCa['record'] }> {
  const { certificate, record } = backends[name] as unknown as LocalOptions;
  const [issuer] = await readCertificates([certificate]);
  if (issuer === undefined) throw new Error(`${certificate} holds no certificate.`);
  return { issuer, record };
}

/** Opens this backend alone, since others need not be reachable, and closes it after use. */
export async function withLocalBackend<Value>(
  configuration: Configuration,
  name: string,
  store: StateStore,
  use: (ca: CertificationAuthority) => Promise<Value>,
): Promise<Value> {
  const backends = Object.fromEntries(Object.entries(configuration.backends).filter(([key]) => key === name));
  const log = createLog({ level: 'error', format: 'text' }, process.stderr);
  const opened = await openCertificationAuthorities({ ...configuration, backends }, store, log);
  const ca = opened.get(name)?.opened;
  if (ca === undefined || 'forAlias' in ca) throw new Error(`There is no local CA named ${name}.`);
  try {
    return await use(ca);
  } finally {
    await ca.close?.();
  }
}
