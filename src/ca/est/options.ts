import type { SchemaObject } from 'ajv';
import { clientCertificateSchema, type ClientCertificateOptions } from '../../ops/client-certificate.ts';
import { serviceProperties, wholeNumber, type ServiceOptions } from '../../ops/service-options.ts';
import { relayedOperations, type RelayedOperation } from '../ca.ts';

/** The options of the driver, as the schema below completes them; times in seconds. */
export interface EstOptions extends ServiceOptions {
  /** Of the upstream's EST, with its alias if it has one, without a slash at the end. */
  readonly url: string;
  /** Path of a PEM file. */
  readonly trustAnchor: string;
  readonly clientCertificate: ClientCertificateOptions;
  /** An HTTP user besides. */
  readonly basic?: {
    readonly username: string;
    /** Secret reference. */
    readonly password: string;
  };
  readonly identity: 'registrationAuthority' | 'clientCert';
  readonly renewals: 'simpleenroll' | 'simplereenroll';
  readonly linked: 'refuse' | 'send';
  /** Whose answers go to the client as they come in; those of the others are read. */
  readonly relay: readonly RelayedOperation[];
  readonly retryAfter: number;
}

/** JSON Schema of the options. */
export const estOptionsSchema: SchemaObject = {
  type: 'object',
  title: 'EST',
  description:
    'A CA that speaks EST elsewhere, in another network, under another name or with another trust.',
  properties: {
    url: {
      type: 'string',
      pattern: '^https://[^/?#@\\s]+/\\.well-known/est(/[^/?#\\s]+)?$',
      title: 'URL',
      description: 'Where its EST is, such as https://ca.example/.well-known/est or .../est/ALIAS.',
    },
    trustAnchor: {
      type: 'string',
      format: 'file',
      title: 'Trust anchor',
      description: "PEM file: the CAs that the upstream's TLS certificate may come from.",
    },
    clientCertificate: clientCertificateSchema('the upstream'),
    basic: {
      type: 'object',
      title: 'HTTP user',
      description: 'A user of HTTP Basic that the gateway is besides, where the upstream wants one.',
      properties: {
        username: {
          type: 'string',
          minLength: 1,
          pattern: '^[^:]+$',
          title: 'User name',
          description: 'Without a colon.',
        },
        password: {
          type: 'string',
          format: 'secret',
          title: 'Password',
          description: 'file:PATH or env:NAME.',
        },
      },
      required: ['username', 'password'],
      additionalProperties: false,
    },
    identity: {
      enum: ['registrationAuthority', 'clientCert'],
      default: 'registrationAuthority',
      title: 'Identity',
      description:
        "registrationAuthority: the upstream knows the gateway alone, and believes it (id-kp-cmcRA). clientCert: the device's certificate goes along in the header field Client-Cert (RFC 9440), for an upstream that takes the gateway for its proxy.",
    },
    renewals: {
      enum: ['simpleenroll', 'simplereenroll'],
      default: 'simplereenroll',
      title: 'Renewals',
      description:
        'The operation that the upstream is asked for a renewal. Some let simplereenroll renew only the certificate that they see themselves, which is that of the gateway unless identity is clientCert: ask those by simpleenroll.',
    },
    linked: {
      enum: ['refuse', 'send'],
      default: 'refuse',
      title: 'Linked requests',
      description:
        'What becomes of a CSR with the channel binding of the session between device and gateway, which the gateway has verified and the upstream cannot: refused with 403, or sent to an upstream that lets it be.',
    },
    relay: {
      type: 'array',
      items: { enum: relayedOperations },
      uniqueItems: true,
      default: [],
      title: 'Relayed operations',
      description:
        "Operations whose answers go to the client octet for octet while they come in: cacerts and csrattrs (else the alias's policy speaks) unread; simpleenroll and simplereenroll with the end held back until the certificate is checked and recorded. Answers of the others are read and written anew.",
    },
    retryAfter: wholeNumber(
      'Retry-After in seconds',
      'When a client shall ask again whose request waits at an upstream that does not say it.',
      86_400,
      300,
    ),
    ...serviceProperties({ peer: 'the upstream', answer: 15, maxResponse: 1_048_576 }),
  },
  required: ['url', 'trustAnchor', 'clientCertificate'],
  additionalProperties: false,
};
