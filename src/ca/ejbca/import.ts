import { Ajv } from 'ajv';
import { segmentOf, segmentPattern } from '../../ops/path-segment.ts';
import { reservedNames } from '../../reserved-names.ts';
import { contradictionsIn, ejbcaAliasSchema, type EjbcaAliasSettings } from './alias-settings.ts';
import { ignoredKeys, readers, type ImportedSettings } from './import/readers.ts';
import { repair } from './import/repair.ts';
import { normalized, textOf } from './import/values.ts';

/** An EST alias of EJBCA in our words, and what a person has to do about it. */
export interface ImportedAlias {
  /** As it stands in paths. */
  readonly name: string;
  /** What a gateway starts with: what the configuration of EJBCA says; the rest has EJBCA's own defaults. */
  readonly settings: ImportedSettings;
  /** Sentences. */
  readonly hints: readonly string[];
}

/** One object of a configdump, as YAML has it; every value that is no list or object as the text that was written. */
export type DumpedObject = Readonly<Record<string, unknown>>;

/** Whether it is an EST alias. */
export function isEstConfiguration(dumped: DumpedObject): boolean {
  const type = dumped['Object Type'] ?? dumped['Object type'];
  return typeof type === 'string' && /^EST (Configuration|Alias)$/i.test(type.trim());
}

/** Turns one EST alias of EJBCA's configdump into ours. */
export function importAlias(dumped: DumpedObject): ImportedAlias {
  const written = textOf(valueAt(dumped, 'name') ?? valueAt(dumped, 'alias')) ?? '';
  // EJBCA's own storage has the name in front of each key.
  const unprefixed = Object.entries(dumped).map(([key, value]): readonly [string, unknown] => [
    key.startsWith(`${written}.`) ? key.slice(written.length + 1) : key,
    value,
  ]);
  const fields = new Map(unprefixed.map(([key, value]) => [normalized(key), { key, value }]));
  for (const key of [...ignoredKeys, 'name', 'alias']) fields.delete(key);
  const { name, hints: nameHints } = nameOf(written);
  const results = readers.map(({ keys, read }) => {
    const values = keys.map((key) => fields.get(key)?.value);
    for (const key of keys) fields.delete(key);
    const value = values.find((found) => !isEmpty(found));
    return value === undefined ? {} : read(value, name);
  });
  const settings = Object.assign({}, ...results.map((result) => result.settings ?? {})) as ImportedSettings;
  const nameGeneration = Object.assign({}, ...results.map((result) => result.nameGeneration ?? {})) as object;
  const repaired = repair({ ...settings, ...(Object.keys(nameGeneration).length > 0 && { nameGeneration }) });
  return {
    name,
    settings: repaired.settings,
    hints: [
      ...nameHints,
      ...problemsIn(repaired.settings),
      ...results.flatMap(({ hints = [] }) => hints),
      ...repaired.hints,
      ...[...fields.values()]
        .filter(({ value }) => !isEmpty(value))
        .map(({ key }) => `"${key}" is not known here; see whether it matters.`),
    ],
  };
}

function valueAt(dumped: DumpedObject, wanted: string): unknown {
  return Object.entries(dumped).find(([key]) => normalized(key) === wanted)?.[1];
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null
    ? Object.keys(value).length === 0
    : textOf(value) === undefined;
}

/** The longest name that an alias may have here. */
const longestName = 64;

/** EJBCA's names are texts; ours stand in paths, next to the operations. */
function nameOf(written: string): { readonly name: string; readonly hints: readonly string[] } {
  const name = segmentOf(written);
  const isUsable = new RegExp(segmentPattern).test(name) && name.length <= longestName;
  if (isUsable && !reservedNames.has(name)) return { name, hints: [] };
  const other = isUsable ? `${name}-alias` : 'alias';
  const reason =
    written === ''
      ? 'EJBCA gave no name'
      : `EJBCA's name ${JSON.stringify(written)} cannot stand in paths here`;
  return { name: other, hints: [`${reason}; choose another one, and tell it to the devices.`] };
}

const isComplete = new Ajv({ useDefaults: true, allErrors: true }).compile<EjbcaAliasSettings>(
  ejbcaAliasSchema,
);

/** What keeps the gateway from starting with these settings; nothing that a dump can hold should. */
function problemsIn(settings: ImportedSettings): readonly string[] {
  const completed: unknown = structuredClone(settings);
  if (isComplete(completed)) return contradictionsIn(completed);
  return (isComplete.errors ?? []).map(
    ({ instancePath, message = '' }) =>
      `${instancePath.slice(1).replaceAll('/', '.') || 'ejbca'}: ${message}.`,
  );
}
