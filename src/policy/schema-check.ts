import type { SchemaObject } from 'ajv';
import { requestShape, type Shape } from './request-shape.ts';

/**
 * Throws an Error with a sentence where a valid JSON Schema speaks of what no request has, or says something that is always
 * true of what stands there, and where it says nothing that could refuse a request: a rule with such a mistake would allow
 * everything. `matches` runs the expressions of `patternProperties`.
 */
export function refuseIdleSchema(
  schema: SchemaObject,
  matches: (pattern: string, text: string) => boolean,
): void {
  const walk: Walk = { root: schema, matches, references: [] };
  if (!canRefuse(walk, schema, requestShape, '')) throw new Error('it can refuse no request');
}

interface Walk {
  readonly root: SchemaObject;
  readonly matches: (pattern: string, text: string) => boolean;
  /** Those that are being followed, with the place for which they are. */
  readonly references: readonly string[];
}

type Schema = SchemaObject | boolean;

/** Keywords that look at values of one type alone: of another, they are always true. */
const typeOfKeyword: Readonly<Record<string, Shape['is']>> = {
  ...keywordsOf('string', ['pattern', 'minLength', 'maxLength', 'format']),
  ...keywordsOf('number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']),
  ...keywordsOf('array', [
    'items',
    'prefixItems',
    'contains',
    'minContains',
    'maxContains',
    'minItems',
    'maxItems',
  ]),
  ...keywordsOf('array', ['uniqueItems', 'unevaluatedItems']),
  ...keywordsOf('object', ['properties', 'patternProperties', 'additionalProperties', 'required']),
  ...keywordsOf('object', ['propertyNames', 'minProperties', 'maxProperties', 'dependentRequired']),
  ...keywordsOf('object', ['dependentSchemas', 'unevaluatedProperties']),
};

function keywordsOf(type: Shape['is'], keywords: readonly string[]): Readonly<Record<string, Shape['is']>> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, type]));
}

/** Whether some value of this shape could be refused. `place` is such as `subject.commonName`; empty: the whole request. */
function canRefuse(walk: Walk, schema: Schema, shape: Shape, place: string): boolean {
  if (typeof schema === 'boolean') return !schema;
  // Every keyword is looked at, whatever the others say.
  const found = Object.entries(schema).map(([keyword, value]: [string, unknown]) => {
    const type = typeOfKeyword[keyword];
    if (type !== undefined && type !== shape.is) {
      throw new Error(
        `"${keyword}" is about ${inWords[type]}, and ${place || 'the request'} is ${inWords[shape.is]}` +
          (shape.is === 'array' ? ', so say it under "items"' : ''),
      );
    }
    return keywordCanRefuse(walk, { keyword, value, schema }, shape, place);
  });
  return found.some(Boolean);
}

const inWords: Readonly<Record<Shape['is'], string>> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

interface Keyword {
  readonly keyword: string;
  readonly value: unknown;
  /** Where it stands. */
  readonly schema: SchemaObject;
}

function keywordCanRefuse(
  walk: Walk,
  { keyword, value, schema }: Keyword,
  shape: Shape,
  place: string,
): boolean {
  const same = (part: unknown): boolean => canRefuse(walk, part as Schema, shape, place);
  switch (keyword) {
    case 'allOf':
      return (value as readonly Schema[]).map(same).some(Boolean);
    case 'anyOf':
      return (value as readonly Schema[]).map(same).every(Boolean);
    case 'oneOf':
      return (value as readonly Schema[]).map(same).length > 1 || same((value as readonly Schema[])[0]);
    case 'not':
      same(value);
      return true;
    case 'if':
      same(value);
      return false;
    case 'then':
    case 'else':
      return same(value) && schema['if'] !== undefined;
    case '$ref':
      return referenceCanRefuse(walk, String(value), shape, place);
    case '$dynamicRef':
      throw new Error('"$dynamicRef" cannot be followed here; use "$ref"');
    case 'type':
      return !typeFits(value, shape, place);
    case 'items':
    case 'unevaluatedItems':
      return canRefuse(walk, value as Schema, itemsOf(shape), `each ${place}`);
    case 'prefixItems':
      return (value as readonly Schema[])
        .map((part) => canRefuse(walk, part, itemsOf(shape), `each ${place}`))
        .some(Boolean);
    case 'contains':
      canRefuse(walk, value as Schema, itemsOf(shape), `each ${place}`);
      return true;
    case 'properties':
    case 'dependentSchemas':
      return membersCanRefuse(walk, value as Readonly<Record<string, Schema>>, { keyword, shape, place });
    case 'patternProperties':
      return patternsCanRefuse(walk, value as Readonly<Record<string, Schema>>, shape, place);
    case 'required':
      for (const name of value as readonly string[]) memberOf(shape, name, place);
      return (value as readonly string[]).length > 0;
    case 'dependentRequired':
      for (const [name, needed] of Object.entries(value as Readonly<Record<string, readonly string[]>>)) {
        for (const one of [name, ...needed]) memberOf(shape, one, place);
      }
      return true;
    case 'propertyNames':
      return canRefuse(walk, value as Schema, { is: 'string' }, `each name in ${place || 'the request'}`);
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return othersCanRefuse(walk, value as Schema, shape, place);
    case 'uniqueItems':
      return value === true;
    default:
      return keyword in typeOfKeyword || keyword === 'const' || keyword === 'enum';
  }
}

/** Only a pointer into the schema itself can be followed, which is what everybody writes. */
function referenceCanRefuse(walk: Walk, reference: string, shape: Shape, place: string): boolean {
  const followed = `${reference} at ${place}`;
  // One that leads back to itself adds nothing.
  if (walk.references.includes(followed)) return false;
  const target = pointedAt(walk.root, reference);
  return canRefuse({ ...walk, references: [...walk.references, followed] }, target, shape, place);
}

function pointedAt(root: SchemaObject, reference: string): Schema {
  if (!/^#(?:\/.*)?$/s.test(reference)) {
    throw new Error(`"$ref" must be a pointer into the schema, such as #/$defs/NAME, and is ${reference}`);
  }
  const steps = decodeURIComponent(reference.slice(1)).split('/').slice(1);
  return steps.reduce<unknown>(
    (part, step) => (part as SchemaObject)[step.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  ) as Schema;
}

/** Whether what stands there always has the type; throws where it never has. */
function typeFits(value: unknown, shape: Shape, place: string): boolean {
  const types = [value].flat().map(String);
  const own = shape.is === 'number' ? ['number', 'integer'] : [shape.is];
  if (own.some((type) => types.includes(type))) return true;
  throw new Error(
    `${place || 'the request'} is ${inWords[shape.is]}, never of the type ${types.join(' or ')}`,
  );
}

function itemsOf(shape: Shape): Shape {
  return shape.is === 'array' ? shape.items : shape;
}

function memberOf(shape: Shape, name: string, place: string): Shape {
  const found = shape.is === 'object' ? shape.member(name) : undefined;
  if (found === undefined) throw new Error(`no part of a request is called "${joined(place, name)}"`);
  return found;
}

function joined(place: string, name: string): string {
  return place === '' ? name : `${place}.${name}`;
}

function membersCanRefuse(
  walk: Walk,
  schemas: Readonly<Record<string, Schema>>,
  { keyword, shape, place }: { readonly keyword: string; readonly shape: Shape; readonly place: string },
): boolean {
  return Object.entries(schemas)
    .map(([name, schema]) => {
      const member = memberOf(shape, name, place);
      return keyword === 'properties'
        ? canRefuse(walk, schema, member, joined(place, name))
        : canRefuse(walk, schema, shape, place);
    })
    .some(Boolean);
}

function patternsCanRefuse(
  walk: Walk,
  schemas: Readonly<Record<string, Schema>>,
  shape: Shape,
  place: string,
): boolean {
  const names = shape.is === 'object' ? shape.names : [];
  return Object.entries(schemas)
    .map(([pattern, schema]) => {
      const matching = names.filter((name) => walk.matches(pattern, name));
      if (matching.length === 0) {
        throw new Error(`no part of ${place || 'a request'} has a name that fits "${pattern}"`);
      }
      return matching
        .map((name) => canRefuse(walk, schema, memberOf(shape, name, place), joined(place, name)))
        .some(Boolean);
    })
    .some(Boolean);
}

/** What holds for every member that is not named must make sense for one of them. */
function othersCanRefuse(walk: Walk, schema: Schema, shape: Shape, place: string): boolean {
  if (typeof schema === 'boolean') return !schema;
  const names = shape.is === 'object' ? shape.names : [];
  const [first] = names;
  const isUniform = new Set(names.map((name) => memberOf(shape, name, place))).size === 1;
  if (first === undefined || !isUniform) return true;
  return canRefuse(walk, schema, memberOf(shape, first, place), `each of ${place}`);
}
