import type { ErrorObject, SchemaObject } from 'ajv';
import { escapeInvisible } from '../ops/log.ts';
import { nearest } from '../ops/nearest.ts';
import { expectation, expectedFound, oneOf, quoted } from './expectation.ts';
import type { KeyPath, Source } from './source.ts';

/** Something wrong, and where. */
export interface Problem {
  /** To the key that the problem is about. */
  readonly path: KeyPath;
  /** What was expected and what was found. */
  readonly text: string;
}

/** The problems as lines for the reader, in the order of the file, each once. */
export function located(problems: readonly Problem[], source: Source): readonly string[] {
  const lines = problems
    .map(({ path, text }) => ({
      line: source.lineOf(path),
      text: path.length === 0 ? text : `${keyPath(path)}: ${text}`,
    }))
    .sort((a, b) => a.line - b.line)
    .map(({ line, text }) => escapeInvisible(`${source.file}:${line}: ${text}`));
  return [...new Set(lines)];
}

function keyPath(path: KeyPath): string {
  return path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return /^[\w-][\w.-]*$/.test(step) ? `.${step}` : `[${quoted(step)}]`;
    })
    .join('')
    .replace(/^\./, '');
}

/** What ajv (verbose, allErrors) found, in words. */
export function describeErrors(errors: readonly ErrorObject[], value: unknown): readonly Problem[] {
  return errors.filter((error) => !isPartOfAnother(error, errors)).flatMap((error) => describe(error, value));
}

/** The alternatives of an anyOf, and what propertyNames demands, are said by the error for the whole. */
function isPartOfAnother(error: ErrorObject, errors: readonly ErrorObject[]): boolean {
  return errors.some(
    ({ keyword, instancePath, schemaPath }) =>
      ['anyOf', 'oneOf', 'propertyNames'].includes(keyword) &&
      instancePath === error.instancePath &&
      error.schemaPath.startsWith(`${schemaPath}/`),
  );
}

function describe(error: ErrorObject, value: unknown): readonly Problem[] {
  const path = toKeyPath(error.instancePath, value);
  const schema = (error.parentSchema ?? {}) as SchemaObject;
  const params: Readonly<Record<string, unknown>> = error.params;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      return [{ path: [...path, key], text: unknownKey(key, Object.keys(propertiesOf(schema))) }];
    }
    case 'required':
      // The discriminator says it too.
      return 'discriminator' in schema
        ? []
        : [{ path, text: missingKey(String(params['missingProperty']), schema) }];
    case 'propertyNames': {
      const key = String(params['propertyName']);
      return [{ path: [...path, key], text: badName(key, error.schema as SchemaObject) }];
    }
    case 'discriminator':
      return wrongDriver(path, schema, params['tagValue']);
    case 'uniqueItems':
      return [
        { path, text: `the entries ${Number(params['j']) + 1} and ${Number(params['i']) + 1} are the same` },
      ];
    case 'if':
      return [];
    default:
      return [{ path, text: expectedFound(schema, error.data) }];
  }
}

/** A JSON pointer as a path; a step into a list becomes a number. */
function toKeyPath(pointer: string, value: unknown): KeyPath {
  const path: (string | number)[] = [];
  let current = value;
  for (const escaped of pointer.split('/').slice(1)) {
    const step = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    path.push(Array.isArray(current) ? Number(step) : step);
    current = (current as Readonly<Record<string, unknown>>)[step];
  }
  return path;
}

function propertiesOf(schema: SchemaObject): Readonly<Record<string, SchemaObject>> {
  return (schema['properties'] ?? {}) as Readonly<Record<string, SchemaObject>>;
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known);
  return near === undefined
    ? `unknown key; expected ${oneOf(known)}`
    : `unknown key; did you mean ${quoted(near)}?`;
}

/** Says that a key of an object is missing, and what is expected. */
export function missingKey(key: string, schema: SchemaObject): string {
  const missing = propertiesOf(schema)[key];
  const expected = missing === undefined ? '' : `; expected ${expectation(missing)}`;
  return `the key ${quoted(key)} is missing${expected}`;
}

function badName(name: string, schema: SchemaObject): string {
  const { not, description, pattern } = schema as {
    not?: { enum: string[] };
    description?: string;
    pattern?: string;
  };
  if (not?.enum.includes(name) === true)
    return 'this name has a meaning of its own in EST paths; choose another one';
  return `expected ${description ?? `a name that matches ${String(pattern)}`}, found ${quoted(name)}`;
}

function wrongDriver(path: KeyPath, schema: SchemaObject, found: unknown): readonly Problem[] {
  const drivers: readonly unknown[] = (schema['oneOf'] as readonly SchemaObject[]).map(driverOf);
  return [{ path: [...path, 'driver'], text: expectedFound({ enum: drivers }, found) }];
}

function driverOf(schema: SchemaObject): unknown {
  return propertiesOf(schema)['driver']?.['const'];
}
