import { hash } from 'node:crypto';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { AliasConfiguration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import type { Backends } from './drivers.ts';

/** What the records of an alias are made for: by whom and how the CA is asked. */
interface MadeFor {
  readonly backend: string;
  readonly profile?: string;
  /** Of the alias, at a backend with several CAs. */
  readonly settings?: unknown;
}

/**
 * What the records of an alias are made for, as the journal keeps it. The terms are the same only while the CA would issue the same
 * certificate to the same request, whatever its backend is called.
 */
export function madeFor(
  options: AliasConfiguration,
  { terms }: Pick<CertificationAuthority, 'terms'>,
  backends: Backends,
): Alias['madeFor'] {
  const { backend, profile, issuedNames } = options;
  const settings = settingsOf(options, backends);
  const parts = [terms?.(profile) ?? [backend, profile], settings, issuedNames];
  const how: MadeFor = {
    backend,
    ...(profile !== undefined && { profile }),
    ...(settings !== undefined && { settings }),
  };
  return { terms: hash('sha256', JSON.stringify(parts, inOrder), 'hex'), how: JSON.stringify(how) };
}

/** The options of an alias as they were when a record was made; undefined: its backend is gone, or is of another kind now. */
export function optionsAsMade(
  options: AliasConfiguration,
  how: string,
  backends: Backends,
): AliasConfiguration | undefined {
  const { backend, profile, settings } = JSON.parse(how) as MadeFor;
  const found = backends.get(backend);
  if (found === undefined || 'forAlias' in found.opened !== (settings !== undefined)) return undefined;
  const { profile: _now, ...others } = options;
  return {
    ...others,
    backend,
    ...(profile !== undefined && { profile }),
    ...(settings !== undefined && { [found.driver]: settings }),
  };
}

/** The order in which options are written means nothing. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function settingsOf(options: AliasConfiguration, backends: Backends): unknown {
  const backend = backends.get(options.backend);
  if (backend === undefined || !('forAlias' in backend.opened)) return undefined;
  return (options as unknown as Readonly<Record<string, unknown>>)[backend.driver];
}
