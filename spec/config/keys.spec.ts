import { describe, expect, it } from '@jest/globals';
import type { SchemaObject } from 'ajv';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { configurationSchema } from '../../src/config/schema.ts';

const folder = join(import.meta.dirname, '..');
const table: unknown = parse(readFileSync(join(import.meta.dirname, 'keys.yaml'), 'utf8'));

type Schemas = Readonly<Record<string, SchemaObject>>;

/** The keys below one, each with its schema; names that operators choose, and places in a list, are no keys. */
function keysBelow(schema: SchemaObject, definitions: Schemas): readonly (readonly [string, SchemaObject])[] {
  const { $ref, properties = {}, additionalProperties, items, oneOf = [], discriminator } = schema as Keyed;
  if ($ref !== undefined) {
    const referred = definitions[$ref.replace('#/definitions/', '')];
    if (referred === undefined) throw new Error(`The schema has no ${$ref}.`);
    return keysBelow(referred, definitions);
  }
  if (discriminator !== undefined)
    return oneOf.map((choice) => [driverOf(choice as Keyed), withoutDriver(choice)]);
  if (typeof additionalProperties === 'object') return keysBelow(additionalProperties, definitions);
  return items === undefined ? Object.entries(properties) : keysBelow(items, definitions);
}

interface Keyed {
  readonly $ref?: string;
  readonly properties?: Schemas;
  readonly additionalProperties?: boolean | SchemaObject;
  readonly items?: SchemaObject;
  readonly oneOf?: readonly SchemaObject[];
  readonly discriminator?: object;
}

function driverOf({ properties }: Keyed): string {
  return String(properties?.['driver']?.['const']);
}

function withoutDriver(schema: SchemaObject): SchemaObject {
  const { driver: _, ...properties } = (schema as Keyed).properties ?? {};
  return { ...schema, properties };
}

/** The paths of all keys that have none below them, as the table writes them. */
function pathsOf(name: string, schema: SchemaObject, definitions: Schemas): readonly string[] {
  const below = keysBelow(schema, definitions);
  if (below.length === 0) return [name];
  return below.flatMap(([key, value]) => pathsOf(`${name}.${key}`, value, definitions));
}

function expectedPaths(): readonly string[] {
  const { properties, definitions } = configurationSchema() as {
    readonly properties: Schemas;
    readonly definitions: Schemas;
  };
  return ['listeners', 'backends', 'aliases'].flatMap((section) =>
    pathsOf(section, properties[section] ?? {}, definitions),
  );
}

interface Entry {
  readonly path: string;
  readonly file: string;
  readonly title: string;
}

function entriesOf(value: unknown, path: string): readonly Entry[] {
  if (typeof value === 'string') {
    const [, file = '', title = ''] = /^(\S+) > (.+)$/s.exec(value) ?? [];
    return [{ path, file, title }];
  }
  return Object.entries(value ?? {}).flatMap(([key, below]) =>
    entriesOf(below, path === '' ? key : `${path}.${key}`),
  );
}

const entries = entriesOf(table, '');

/** What is wrong with an entry; undefined: its test is there. */
function objectionTo({ file, title }: Entry): string | undefined {
  const path = join(folder, file);
  if (file === '' || !existsSync(path)) return `expected "spec file > title", and a spec file below spec/`;
  const calls = /\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1\s*,/gs;
  const titles = [...readFileSync(path, 'utf8').matchAll(calls)].map(([, , found = '']) =>
    found.replaceAll(/\\(.)/gs, '$1'),
  );
  return titles.includes(title) ? undefined : `${file} has no test of this title: ${title}`;
}

describe('spec/config/keys.yaml', () => {
  it('names a test for every key of aliases, backends and listeners, and for no other', () => {
    const found = entries.map(({ path }) => path);
    expect(new Set(found).size).toBe(found.length);
    expect(found.toSorted()).toEqual(expectedPaths().toSorted());
  });

  it('names tests that there are', () => {
    const wrong = entries.flatMap((entry) => {
      const objection = objectionTo(entry);
      return objection === undefined ? [] : [`${entry.path}: ${objection}`];
    });
    expect(wrong).toEqual([]);
  });

  it('would not take a title that no test has', () => {
    const [entry] = entries;
    expect(entry && objectionTo({ ...entry, title: 'what nobody has written' })).toContain('no test');
  });
});
