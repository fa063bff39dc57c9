import { describe, expect, it } from '@jest/globals';
import type { SchemaObject } from 'ajv';
import { createRequestSchema } from '../../src/policy/request-schema.ts';

const texts = { items: { pattern: '^x' } };

describe('policy.schema', () => {
  it.each<readonly [what: string, schema: SchemaObject, reason: string]>([
    // What can refuse nothing.
    ['nothing', {}, 'can refuse no request'],
    ['words alone', { title: 'Devices', description: 'All', $comment: 'none' }, 'can refuse no request'],
    ['the type that a request has', { type: 'object' }, 'can refuse no request'],
    ['members of which nothing is said', { properties: { key: { properties: { bits: {} } } } }, 'no request'],
    ['true', { properties: { alias: true }, allOf: [true, {}] }, 'can refuse no request'],
    [
      'a choice that is always met',
      { anyOf: [{ properties: { alias: { const: 'est' } } }, {}] },
      'no request',
    ],
    ['a condition without consequence', { if: { properties: { alias: { const: 'x' } } } }, 'without "then"'],
    ['an empty list of members', { required: [] }, 'can refuse no request'],
    ['definitions that nothing uses', { $defs: { bits: { minimum: 3072 } } }, 'can refuse no request'],
    ['a reference that leads to itself', { $ref: '#' }, 'can refuse no request'],
    // What no request has.
    ['a member of another place', { properties: { commonName: texts } }, 'called "commonName"'],
    [
      'a member of no place',
      { properties: { subject: { properties: { comonName: texts } } } },
      '"subject.comonName"',
    ],
    ['a member inside another', { properties: { key: { properties: { subject: {} } } } }, '"key.subject"'],
    ['a path', { properties: { 'subject.commonName': texts } }, '"subject.commonName"'],
    [
      'a name of another list',
      { properties: { subject: { properties: { dNSName: texts } } } },
      '"subject.dNSName"',
    ],
    [
      'an object identifier that has a name',
      { properties: { subject: { properties: { '2.5.4.3': texts } } } },
      '"subject.2.5.4.3"',
    ],
    ['a needed member', { required: ['username'] }, '"username"'],
    ['a needed member below', { properties: { identity: { required: ['user'] } } }, '"identity.user"'],
    ['a member in a choice', { anyOf: [{ required: ['alias'] }, { required: ['alais'] }] }, '"alais"'],
    ['a member in a condition', { if: { required: ['alais'] }, then: false }, '"alais"'],
    ['a member in a denial', { not: { required: ['alais'] } }, '"alais"'],
    ['a member by dependence', { dependentRequired: { alias: ['alais'] } }, '"alais"'],
    ['a member by dependent schema', { dependentSchemas: { alais: { required: ['alias'] } } }, '"alais"'],
    ['a member behind a reference', { $ref: '#/$defs/a', $defs: { a: { required: ['alais'] } } }, '"alais"'],
    ['a pattern of members', { patternProperties: { '^comon': texts } }, 'fits "^comon"'],
    [
      'a pattern of members below',
      { properties: { subject: { patternProperties: { '^dNS': texts } } } },
      'no part of subject has a name that fits "^dNS"',
    ],
    // What is about values of another type.
    [
      'an expression for a list',
      { properties: { keyUsage: { pattern: '^x' } } },
      '"pattern" is about a text',
    ],
    [
      'an expression for a list of names',
      { properties: { subject: { properties: { commonName: { pattern: '^pump' } } } } },
      'subject.commonName is a list, so say it under "items"',
    ],
    ['a length for a list', { properties: { keyUsage: { minLength: 1 } } }, '"minLength" is about a text'],
    ['a list for a text', { properties: { alias: { items: {} } } }, '"items" is about a list'],
    ['a number for a text', { properties: { alias: { minimum: 1 } } }, '"minimum" is about a number'],
    [
      'an expression for a number',
      { properties: { key: { properties: { bits: { pattern: '1' } } } } },
      'a number',
    ],
    ['members of a text', { properties: { alias: { properties: {} } } }, '"properties" is about an object'],
    ['another type', { properties: { keyUsage: { type: 'string' } } }, 'keyUsage is a list, never'],
    ['another type below', { properties: { key: { type: ['array', 'null'] } } }, 'key is an object, never'],
    [
      'an expression for every list',
      { properties: { subject: { additionalProperties: { pattern: 'x' } } } },
      'a list',
    ],
    [
      'a dynamic reference',
      { $dynamicRef: '#/$defs/a', $defs: { a: { required: ['alias'] } } },
      'use "$ref"',
    ],
  ])('S-29 does not start with %s', (_what, schema, reason) => {
    expect(() => createRequestSchema(schema)).toThrow(/^policy\.schema: /);
    expect(() => createRequestSchema(schema)).toThrow(reason);
  });

  it.each<readonly [what: string, schema: SchemaObject]>([
    ['members that only some requests have', { required: ['clientAddress'] }],
    ['members at their places', { properties: { subject: { properties: { commonName: texts } } } }],
    ['an unnamed object identifier', { properties: { subject: { properties: { '1.2.3.4': texts } } } }],
    ['a decoded otherName', { properties: { subjectAltName: { properties: { userPrincipalName: texts } } } }],
    ['an otherName by its type', { properties: { subjectAltName: { properties: { '1.2.3.4': texts } } } }],
    ['names by a pattern', { properties: { subject: { patternProperties: { Name$: texts } } } }],
    [
      'unnamed object identifiers by a pattern',
      { properties: { subject: { patternProperties: { '^1\\.': texts } } } },
    ],
    [
      'no other names',
      { properties: { subject: { properties: { commonName: true }, additionalProperties: false } } },
    ],
    ['names of members', { properties: { subject: { propertyNames: { enum: ['commonName'] } } } }],
    [
      'a number as integer',
      { properties: { key: { properties: { bits: { type: 'integer' } } } }, required: ['key'] },
    ],
    ['a list', { properties: { keyUsage: { contains: { const: 'digitalSignature' }, maxItems: 2 } } }],
    ['a condition', { if: { required: ['clientAddress'] }, then: { properties: { alias: { const: 'a' } } } }],
    ['a reference', { properties: { keyUsage: { $ref: '#/$defs/none' } }, $defs: { none: { maxItems: 0 } } }],
    [
      'a reference in a circle beside more',
      {
        allOf: [{ $ref: '#/$defs/a' }],
        $defs: { a: { required: ['alias'], allOf: [{ $ref: '#/$defs/a' }] } },
      },
    ],
    [
      'one of several',
      { oneOf: [{ properties: { alias: { const: 'a' } } }, { properties: { alias: { const: 'b' } } }] },
    ],
  ])('S-29 starts with %s', (_what, schema) => {
    expect(() => createRequestSchema(schema)).not.toThrow();
  });
});
