import type { SchemaObject } from 'ajv';

/** JSON Schema of a number of certificates in a period. */
export function quotaSchema(description: string): SchemaObject {
  return {
    type: 'object',
    title: 'Quota',
    description,
    properties: {
      certificates: {
        type: 'integer',
        minimum: 1,
        maximum: 1_000_000,
        title: 'Certificates',
        description: 'So many',
      },
      period: {
        type: 'integer',
        minimum: 1,
        maximum: 31_536_000,
        default: 86_400,
        title: 'Period',
        description: 'in so many seconds.',
      },
    },
    required: ['certificates'],
    additionalProperties: false,
  };
}
