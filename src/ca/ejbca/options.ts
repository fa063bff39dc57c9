import type { SchemaObject } from 'ajv';
import { recordSchema, type RecordOption } from '../record.ts';
import { serviceProperties, wholeNumber, type ServiceOptions } from '../../ops/service-options.ts';

/** Where the gateway's own key and certificate for EJBCA are. */
export interface ClientCertificateOptions {
  /** Path of a PEM file: the certificate, then its intermediates. */
  readonly certificate?: string;
  /** Secret reference to the PEM private key. */
  readonly privateKey?: string;
  /** Path of a PKCS#12 file, in place of the two. */
  readonly pkcs12?: string;
  /** Secret reference. */
  readonly passphrase?: string;
}

/** Where bearer tokens for EJBCA come from: one of the two. */
export interface OAuthOptions {
  /** Secret reference; a file is read anew, since others may renew it. */
  readonly token?: string;
  readonly clientCredentials?: ClientCredentialsOptions;
}

/** The client credentials grant (RFC 6749, section 4.4). */
export interface ClientCredentialsOptions {
  readonly tokenUrl: string;
  readonly clientId: string;
  /** Secret reference. */
  readonly clientSecret: string;
  readonly scope?: string;
  /** Path of a PEM file. */
  readonly trustAnchor: string;
}

/** The options of the driver, as the schema below completes them; times in seconds. */
export interface EjbcaOptions extends ServiceOptions {
  readonly baseUrl: string;
  /** Path of a PEM file. */
  readonly trustAnchor: string;
  readonly clientCertificate?: ClientCertificateOptions;
  readonly oauth?: OAuthOptions;
  readonly retryAfter: number;
  readonly transactionTimeout: number;
  readonly record: RecordOption;
}

/** The most that `transactionTimeout` can be, in seconds. */
export const longestTransaction = 86_400;

const file = (title: string, description: string): SchemaObject => ({
  type: 'string',
  format: 'file',
  title,
  description,
});

const secret = (title: string, description: string): SchemaObject => ({
  type: 'string',
  format: 'secret',
  title,
  description: `${description} file:PATH or env:NAME.`,
});

const text = (title: string, description: string, more: object = {}): SchemaObject => ({
  type: 'string',
  minLength: 1,
  title,
  description,
  ...more,
});

const passphrase = secret('Passphrase', 'Opens the private key. Left out: it is not encrypted.');

/** JSON Schema of the options. */
export const ejbcaOptionsSchema: SchemaObject = {
  type: 'object',
  title: 'EJBCA',
  description:
    "EJBCA 7.10 or newer, Community or Enterprise, over its REST API and its web service. Each alias has its settings below the key 'ejbca'.",
  properties: {
    baseUrl: text('Base URL', 'Where EJBCA is, such as https://ejbca.example/ejbca.', {
      pattern: '^https://[^/?#@\\s]+(/[^/?#\\s]+)*$',
    }),
    trustAnchor: file('Trust anchor', "PEM file: the CAs that EJBCA's TLS certificate may come from."),
    clientCertificate: {
      type: 'object',
      title: 'Client certificate',
      description:
        'The key and certificate by which EJBCA knows the gateway, as PEM files or as one PKCS#12 file.',
      properties: {
        certificate: file('Certificate file', 'PEM: the certificate, then its intermediates.'),
        privateKey: secret('Private key', 'PEM of its key.'),
        pkcs12: file('PKCS#12 file', 'Certificate, intermediates and key in one file.'),
        passphrase,
      },
      additionalProperties: false,
    },
    oauth: {
      type: 'object',
      title: 'OAuth',
      description: 'Bearer tokens by which EJBCA knows the gateway, in place of a client certificate.',
      properties: {
        token: secret('Token', 'The token itself; a file is read anew, since others may renew it.'),
        clientCredentials: {
          type: 'object',
          title: 'Client credentials',
          description: 'The gateway gets its tokens from an identity provider (RFC 6749, section 4.4).',
          properties: {
            tokenUrl: text('Token URL', "The identity provider's token endpoint.", {
              pattern: '^https://\\S+$',
            }),
            clientId: text('Client id', 'By which the identity provider knows the gateway.'),
            clientSecret: secret('Client secret', 'The secret of this client.'),
            scope: text('Scope', 'What is asked for. Left out: what the identity provider gives by itself.'),
            trustAnchor: file(
              'Trust anchor',
              "PEM file: the CAs that the identity provider's TLS certificate may come from.",
            ),
          },
          required: ['tokenUrl', 'clientId', 'clientSecret', 'trustAnchor'],
          additionalProperties: false,
        },
      },
      additionalProperties: false,
    },
    retryAfter: wholeNumber(
      'Retry-After in seconds',
      'When a client whose request waits for approval in EJBCA shall ask again.',
      86_400,
      300,
    ),
    transactionTimeout: wholeNumber(
      'Transaction timeout in seconds',
      'After this time EJBCA ends a transaction that has not come to its end. Where the gateway cannot register end entities before it asks for their certificates, an enrolment whose answer was lost is repeated only then.',
      longestTransaction,
      300,
    ),
    record: recordSchema(
      "The record is EJBCA's database: it is incomplete where a CA or a certificate profile does not store certificates, or where they are deleted there.",
    ),
    ...serviceProperties({ peer: 'EJBCA', answer: 15, maxResponse: 8_388_608 }),
  },
  required: ['baseUrl', 'trustAnchor'],
  additionalProperties: false,
};
