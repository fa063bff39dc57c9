import type { SchemaObject } from 'ajv';
import { generatedKeyKinds } from '../pkix/private-keys.ts';

/** JSON Schema of what serverkeygen needs. */
export const serverKeyGenerationSchema: SchemaObject = {
  type: 'object',
  title: 'Server-side keys',
  description:
    'Switches the operation serverkeygen on (RFC 7030, section 4.4): the gateway makes the private key, too. Left out: off.',
  properties: {
    keys: {
      type: 'array',
      items: { enum: [...generatedKeyKinds] },
      minItems: 1,
      uniqueItems: true,
      default: ['P-256'],
      title: 'Kinds of keys',
      description:
        "What is made: the kind of the CSR's key if it is here, or else the first. The policy must allow each of them.",
    },
    encryption: {
      type: 'object',
      title: 'Encryption',
      description: 'Encrypts a key for its client, beyond TLS, when the CSR asks for it. Left out: refused.',
      properties: {
        required: {
          type: 'boolean',
          default: false,
          title: 'Required',
          description: 'true: a CSR that does not ask for encryption is refused.',
        },
        signer: {
          type: 'object',
          title: 'Signer',
          description: 'Signs the keys as their maker, before they are encrypted.',
          properties: {
            certificate: {
              type: 'string',
              format: 'file',
              title: 'Certificate',
              description: 'PEM file: the certificate of the signer, then its intermediates.',
            },
            privateKey: {
              type: 'string',
              format: 'secret',
              title: 'Private key',
              description: 'Where the PEM of its key is: RSA of 2048 to 8192 bits, P-256, P-384 or P-521.',
            },
          },
          required: ['certificate', 'privateKey'],
          additionalProperties: false,
        },
        keyEncryptionKeys: {
          type: 'string',
          format: 'secret',
          title: 'Shared keys',
          description:
            'Where the AES keys are that clients name by DecryptKeyIdentifier: lines of IDENTIFIER:KEY, both in hex.',
        },
        recipients: {
          type: 'array',
          items: { type: 'string', format: 'file' },
          default: [],
          title: 'Certificates of clients',
          description:
            'PEM files: RSA and EC certificates that clients name by AsymmetricDecryptKeyIdentifier, besides the one that they show in TLS.',
        },
      },
      required: ['signer'],
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};
