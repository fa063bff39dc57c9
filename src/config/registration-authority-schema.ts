import type { SchemaObject } from 'ajv';
import { quotaSchema } from './quota-schema.ts';

/** JSON Schema of `registrationAuthorities` in an alias; what may have patterns are the types of names. */
export function registrationAuthoritiesSchema(typesOfNames: readonly string[]): SchemaObject {
  return {
    type: 'object',
    title: 'Registration authorities',
    description:
      'Who may ask for certificates of others, by names for the log: holders of certificates of the CA itself with the extended key usage id-kp-cmcRA. One that is not here may renew its own certificate and no more.',
    propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'a name for the log' },
    additionalProperties: {
      type: 'object',
      title: 'Registration authority',
      description: 'Which one, and for which names it may ask.',
      properties: {
        commonName: {
          type: 'string',
          minLength: 1,
          title: 'Common name',
          description: 'That of its certificate.',
        },
        names: {
          type: 'object',
          propertyNames: { enum: typesOfNames },
          minProperties: 1,
          additionalProperties: {
            type: 'array',
            items: { type: 'string', maxLength: 256 },
            minItems: 1,
            title: 'Patterns',
            description: '"*" stands for any text, dots included.',
          },
          title: 'Names',
          description:
            'Patterns by type: subject attributes (commonName) and types of subjectAltName (dNSName). Each name of a request must match one; a type that is not here is refused.',
        },
        foreignLinking: {
          type: 'boolean',
          default: false,
          title: 'Foreign linking',
          description:
            'true: its CSRs may carry the channel binding of a device with itself (RFC 7030, section 3.7), which is not verified.',
        },
        quota: quotaSchema(
          'How many certificates it may get for all subjects together, besides policy.quota for each. More: 429 with Retry-After. Left out: as many as it likes.',
        ),
      },
      required: ['commonName', 'names'],
      additionalProperties: false,
    },
    default: {},
  };
}
