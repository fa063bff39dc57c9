import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { parseAllDocuments, stringify } from 'yaml';
import {
  importAlias,
  isEstConfiguration,
  type DumpedObject,
  type ImportedAlias,
} from '../ca/ejbca/import.ts';

/** `est-gateway import-ejbca` */
export function addImportEjbcaCommand(program: Command): void {
  program
    .command('import-ejbca')
    .argument(
      '<file...>',
      "YAML files that EJBCA's configdump wrote: EST configurations, others are passed over",
    )
    .description(
      'Turn EST aliases of EJBCA Enterprise into aliases: YAML on standard output, what is left on standard error.',
    )
    .addHelpText(
      'after',
      '\nExample:\n  est-gateway import-ejbca configdump/est-config/*.yaml > aliases.yaml',
    )
    .action(importEjbca);
}

async function importEjbca(files: readonly string[]): Promise<void> {
  const dumped = (await Promise.all(files.map(readDump))).flat();
  const aliases = dumped.filter(isEstConfiguration).map(importAlias);
  if (aliases.length === 0) {
    throw new Error(`Found no EST configuration ("Object Type: EST Configuration") in ${files.join(', ')}.`);
  }
  refuseSharedNames(aliases);
  const entries = aliases.map(({ name, settings }) => [name, { backend: 'ejbca', ejbca: settings }] as const);
  process.stdout.write(
    `# Below "backends:" there must be one named ejbca, with the driver ejbca.\n${stringify({ aliases: Object.fromEntries(entries) })}`,
  );
  const hasDefault = aliases.some(({ name }) => name === 'est');
  process.stderr.write(aliases.map(hintsOf).join('') + (hasDefault ? '' : withoutDefault));
}

const withoutDefault =
  'aliases: none is named est, which serves requests without an alias in their path; the configuration must have it.\n';

async function readDump(file: string): Promise<readonly DumpedObject[]> {
  // Names and numbers as they are written: 007 is a name, and so is no.
  const documents = parseAllDocuments(await readFile(file, 'utf8'), { schema: 'failsafe' });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${file}: ${error.message}`);
    return objectsIn(document.toJS());
  });
}

/** One object, or a list of them. */
function objectsIn(value: unknown): readonly DumpedObject[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  return typeof value === 'object' && value !== null ? [value as DumpedObject] : [];
}

function refuseSharedNames(aliases: readonly ImportedAlias[]): void {
  const names = aliases.map(({ name }) => name);
  const shared = names.find((name, index) => names.indexOf(name) !== index);
  if (shared !== undefined) throw new Error(`There are two EST configurations with the name "${shared}".`);
}

function hintsOf({ name, hints }: ImportedAlias): string {
  return hints.map((hint) => `aliases.${name}: ${hint}\n`).join('');
}
