import type { SchemaObject } from 'ajv';
import { networkForm } from '../ops/networks.ts';

/** "expected ..., found ..." for a value that the schema refuses. The value of a secret is never shown. */
export function expectedFound(schema: SchemaObject, value: unknown): string {
  return `expected ${expectation(schema)}, found ${findingFor(schema, value)}`;
}

/** What a schema allows, in words. */
export function expectation(schema: SchemaObject): string {
  const { const: constant, enum: values, anyOf, $ref, title, type, required } = schema as Keywords;
  if ($ref !== undefined) return title ?? 'a mapping';
  if (constant !== undefined) return shown(constant);
  if (values !== undefined) return oneOf(values);
  if (anyOf !== undefined) return anyOf.map(expectation).join(', or ');
  if (type === undefined && required !== undefined) return `the key ${required.map(shown).join(' and ')}`;
  return expectedType(schema);
}

interface Keywords extends SchemaObject {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SchemaObject[];
  readonly $ref?: string;
  readonly title?: string;
  readonly type?: string;
  readonly required?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
}

function expectedType(schema: SchemaObject): string {
  const { minimum, maximum, minItems, maxItems, minProperties } = schema as Keywords;
  switch (schema['type']) {
    case 'integer':
      return `a whole number${range(minimum, maximum)}`;
    case 'number':
      return `a number${range(minimum, maximum)}`;
    case 'null':
      return 'nothing';
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list${count(minItems, maxItems)}`;
    case 'object':
      return minProperties === undefined ? 'a mapping' : `a mapping with at least ${entries(minProperties)}`;
    default:
      return expectedText(schema);
  }
}

function expectedText({ format, pattern }: Keywords): string {
  if (format === 'file') return 'the path of a file, without "file:"';
  if (format === 'secret') return 'file:PATH or env:NAME';
  if (format === 'network') return networkForm;
  return pattern === undefined ? 'a text that is not empty' : `a text that matches ${pattern}`;
}

function range(minimum: number | undefined, maximum: number | undefined): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? '' : ` of at most ${maximum}`;
}

function count(minItems: number | undefined, maxItems: number | undefined): string {
  if (minItems !== undefined) return ` with at least ${entries(minItems)}`;
  return maxItems === undefined ? '' : ` with at most ${entries(maxItems)}`;
}

function entries(number: number): string {
  return number === 1 ? 'one entry' : `${number} entries`;
}

function findingFor({ enum: values, format }: Keywords, value: unknown): string {
  if (format === 'secret' && !isNothing(value))
    return 'something else (not shown here, it may be the secret itself)';
  const isUnquoted = typeof value === 'number' && values?.includes(String(value)) === true;
  return isUnquoted ? `${shown(value)}; write it in quotation marks` : shown(value);
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null;
}

/** A value of the file, briefly; nothing of what is inside lists and mappings. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (isNothing(value)) return 'nothing';
  if (Array.isArray(value)) return emptyOr(value.length, 'list');
  return typeof value === 'object' && value !== null
    ? emptyOr(Object.keys(value).length, 'mapping')
    : String(value);
}

function emptyOr(size: number, kind: 'list' | 'mapping'): string {
  return size === 0 ? `an empty ${kind}` : `a ${kind}`;
}

/** In quotation marks, shortened. */
export function quoted(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
}

/** The alternatives as "one of ...". */
export function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? values.map(shown).join('') : `one of ${values.map(shown).join(', ')}`;
}
