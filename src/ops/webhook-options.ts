import type { SchemaObject } from 'ajv';
import { clientCertificateSchema, type ClientCertificateOptions } from './client-certificate.ts';
import { serviceProperties, type ServiceOptions } from './service-options.ts';

/** Where a webhook is and how it is asked, as the schema below completes it; times in seconds. */
export interface WebhookOptions extends ServiceOptions {
  readonly url: string;
  /** Path of a PEM file; undefined only for plain HTTP. */
  readonly trustAnchor?: string;
  readonly clientCertificate?: ClientCertificateOptions;
  /** Secret reference. */
  readonly token?: string;
}

/** JSON Schema of the options. */
export const webhookOptionsSchema = {
  type: 'object',
  properties: {
    url: {
      type: 'string',
      pattern: '^https?://[^/?#@\\s]+(/[^?#\\s]*)?$',
      title: 'URL',
      description:
        'What is asked, by POST, such as https://inventory.example/est. Plain http only on this machine: localhost, 127.0.0.1, [::1].',
    },
    trustAnchor: {
      type: 'string',
      format: 'file',
      title: 'Trust anchor',
      description:
        "PEM file: the CAs that the service's TLS certificate may come from. Needed unless the URL is http.",
    },
    clientCertificate: clientCertificateSchema('the service'),
    token: {
      type: 'string',
      format: 'secret',
      title: 'Token',
      description:
        'A bearer token by which the service knows the gateway (RFC 6750), read at the start. file:PATH or env:NAME.',
    },
    ...serviceProperties({ peer: 'the service', answer: 5, maxResponse: 65_536 }),
  },
  required: ['url'],
  additionalProperties: false,
} as const satisfies SchemaObject;
