import { describe, expect, it } from '@jest/globals';
import { Ajv, type SchemaObject } from 'ajv';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configurationSchema } from '../../src/config/schema.ts';

const schema = configurationSchema();

/** Every key that the schema knows, with its path; mappings by free names count as one key. */
function keysOf(node: SchemaObject, path = ''): readonly (readonly [string, SchemaObject])[] {
  const properties = Object.entries((node['properties'] ?? {}) as Record<string, SchemaObject>);
  const free =
    typeof node['additionalProperties'] === 'object'
      ? [['*', node['additionalProperties'] as SchemaObject] as const]
      : [];
  const branches = ((node['oneOf'] ?? []) as readonly SchemaObject[]).flatMap((branch) =>
    keysOf(branch, path),
  );
  const definitions = Object.values((node['definitions'] ?? {}) as Record<string, SchemaObject>);
  return [
    ...[...properties, ...free].flatMap(([name, child]) => [
      [`${path}.${name}`, child] as const,
      ...keysOf(child, `${path}.${name}`),
    ]),
    ...branches,
    ...definitions.flatMap((definition) => keysOf(definition, 'definition')),
  ];
}

describe('configurationSchema()', () => {
  const keys = keysOf(schema).filter(([, child]) => child['$ref'] === undefined);

  it('knows the keys of the core and of the drivers', () => {
    const names = keys.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        '.listeners.est.port',
        '.backends.*.privateKey',
        '.store.file',
        'definition.policy.keys',
      ]),
    );
  });

  it.each(keys)('tells what %s is', (_name, child) => {
    expect(child).toMatchObject({
      title: expect.stringMatching(/./),
      description: expect.stringMatching(/./),
    });
  });

  it.each(keys.filter(([, child]) => child['type'] === 'object' && child['discriminator'] === undefined))(
    'lets %s have no unknown key',
    (_name, child) => {
      expect(child['additionalProperties']).toBeDefined();
      expect(child['additionalProperties']).not.toBe(true);
    },
  );

  it('is a draft-07 schema, so that editors know it', () => {
    const ajv = new Ajv();
    expect(ajv.validateSchema(schema)).toBe(true);
    expect(schema.$id).toBe('urn:est-gateway:configuration');
  });

  it('is what docs/est-gateway.schema.json holds; else: npx est-gateway schema > docs/est-gateway.schema.json && npm run format', async () => {
    const file = join(import.meta.dirname, '../../docs/est-gateway.schema.json');
    const written: unknown = JSON.parse(await readFile(file, 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(schema)));
  });
});
