import type { AliasConfiguration, Configuration } from './configuration.ts';
import { missingKey, type Problem } from './messages.ts';
import type { Drivers } from './drivers.ts';
import { aliasSchema } from './alias-schema.ts';

/** What the aliases say about their backends and should not, or do not say and should; for a file that fits the schema. */
export function backendSettingsProblems(
  { aliases, backends }: Pick<Configuration, 'aliases' | 'backends'>,
  drivers: Drivers,
): readonly Problem[] {
  return Object.entries(aliases).flatMap(([name, alias]) =>
    aliasProblems(alias, backends[alias.backend]?.driver, drivers).map(({ path, text }) => ({
      path: ['aliases', name, ...path],
      text,
    })),
  );
}

function aliasProblems(
  alias: AliasConfiguration,
  driverName: string | undefined,
  drivers: Drivers,
): readonly Problem[] {
  const said = alias as unknown as Readonly<Record<string, unknown>>;
  const missing = (key: string): readonly Problem[] =>
    said[key] === undefined ? [{ path: [], text: missingKey(key, aliasSchema(drivers)) }] : [];
  const withSettings = drivers.certificationAuthorities.filter((driver) => 'aliasSettings' in driver);
  const foreign = withSettings
    .filter(({ name }) => name !== driverName && said[name] !== undefined)
    .map(({ name }) => ({ path: [name], text: `the backend of this alias has another driver than ${name}` }));
  const driver = withSettings.find(({ name }) => name === driverName);
  if (driver === undefined) return [...foreign, ...missing('authentication')];
  const { name, aliasSettings } = driver;
  if (said[name] === undefined) return [...foreign, ...missing(name)];
  return [
    ...foreign,
    ...superfluous(said, 'authentication', name),
    ...superfluous(said, 'profile', name),
    ...aliasSettings.contradictionsIn(said[name]).map((text) => ({ path: [name], text })),
  ];
}

function superfluous(
  alias: Readonly<Record<string, unknown>>,
  key: string,
  driver: string,
): readonly Problem[] {
  if (alias[key] === undefined) return [];
  return [{ path: [key], text: `leave it out; the settings below "${driver}" say it` }];
}
