import type { SchemaObject } from 'ajv';
import type { RevocationSource } from '../auth/revocation/source.ts';

/** How an alias finds out which client certificates are revoked. */
export interface RevocationConfiguration {
  /** In the order in which they are asked. */
  readonly sources: readonly RevocationSource['name'][];
  /** Paths of CRLs. */
  readonly crlFiles: readonly string[];
  /** For certificates of any CA; or by URL, the path of the certificates of the CA that issues the CRLs there. */
  readonly crlUrls: readonly string[] | Readonly<Record<string, string>>;
  /** By the URL of a responder, the path of the certificate of the CA for which it answers. */
  readonly ocspResponders: Readonly<Record<string, string>>;
  readonly followCertificates: boolean;
  readonly onFailure: 'hard' | 'soft';
  readonly withoutSource: 'accept' | 'refuse';
}

/** Bounds of what is fetched for all aliases. */
export interface FetchConfiguration {
  readonly allowedNetworks: readonly string[];
  /** Seconds. */
  readonly timeout: number;
  readonly maxBytes: number;
  /** Seconds. */
  readonly refresh: number;
}

const url: SchemaObject = { type: 'string', pattern: '^https?://', description: 'an http or https URL' };

/** JSON Schema of `revocation` in an alias. */
export const revocationSchema: SchemaObject = {
  type: 'object',
  title: 'Revocation',
  description:
    'How the gateway finds out, at every request, whether a client certificate or a CA above it is revoked.',
  properties: {
    sources: {
      type: 'array',
      items: { enum: ['backend', 'crl', 'ocsp'] satisfies RevocationSource['name'][] },
      minItems: 1,
      uniqueItems: true,
      default: ['backend'],
      title: 'Sources',
      description:
        'Who is asked, in this order; the first that knows decides. backend: the CA backend, about what it issued. What it says against a certificate of its own CA counts although it is not named here.',
    },
    crlFiles: {
      type: 'array',
      items: { type: 'string', format: 'file' },
      default: [],
      title: 'CRL files',
      description: 'DER or PEM, complete CRLs; a file that was replaced is read again.',
    },
    crlUrls: {
      anyOf: [
        { type: 'array', items: url },
        {
          type: 'object',
          propertyNames: url,
          additionalProperties: {
            type: 'string',
            format: 'file',
            title: 'CA',
            description:
              'PEM file: the certificate of the CA that issues the CRLs; several if the CA has had several keys.',
          },
        },
      ],
      default: [],
      title: 'CRL URLs',
      description:
        'Fetched, kept until nextUpdate at most, and fetched again ahead of it. By URL, the CA for whose certificates it must speak; in a list, every URL is asked about the certificates of all CAs.',
    },
    ocspResponders: {
      type: 'object',
      propertyNames: url,
      additionalProperties: {
        type: 'string',
        format: 'file',
        title: 'CA',
        description: 'PEM file: the certificate of the CA for which the responder answers.',
      },
      default: {},
      title: 'OCSP responders',
      description: 'By their URLs, the CA for whose certificates each is asked.',
    },
    followCertificates: {
      type: 'boolean',
      default: false,
      title: 'Follow certificates',
      description:
        'true: CRLs and responders are also looked for where certificates say (cRLDistributionPoints, authorityInfoAccess), if the backend or this file names the CA that issued them.',
    },
    onFailure: {
      enum: ['hard', 'soft'],
      default: 'hard',
      title: 'On failure',
      description:
        'When a source covers a certificate and does not tell whether it is revoked: hard refuses (503, or 403 for what it will never know); soft accepts, with a line in the log.',
    },
    withoutSource: {
      enum: ['accept', 'refuse'],
      default: 'accept',
      title: 'Without a source',
      description:
        'What becomes of a certificate that nothing covers: no CRL, URL or responder is configured for its CA, and it names none that is followed. One that should tell and does not is a matter of onFailure.',
    },
  },
  additionalProperties: false,
  default: {},
};

/** JSON Schema of `revocation` at the top. */
export const fetchSchema: SchemaObject = {
  type: 'object',
  title: 'Fetching of revocations',
  description:
    'Bounds of what the gateway fetches to find out what is revoked. Redirects are never followed.',
  properties: {
    allowedNetworks: {
      type: 'array',
      items: {
        type: 'string',
        pattern: '^[0-9a-fA-F.:]+/[0-9]{1,3}$',
        description: 'a network such as 10.0.0.0/8 or fd00::/8',
      },
      default: [],
      title: 'Allowed networks',
      description:
        'Networks to connect to besides public addresses, such as 10.0.0.0/8; checked at each connection.',
    },
    timeout: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 60,
      default: 5,
      title: 'Timeout in seconds',
      description: 'For one whole answer.',
    },
    maxBytes: {
      type: 'integer',
      minimum: 1024,
      maximum: 1073741824,
      default: 33554432,
      title: 'Largest answer',
      description: 'Octets of a CRL or an OCSP answer.',
    },
    refresh: {
      type: 'integer',
      minimum: 1,
      maximum: 604800,
      default: 3600,
      title: 'Refresh in seconds',
      description:
        'After this time a CRL is fetched or a responder asked again, although nextUpdate is later.',
    },
  },
  additionalProperties: false,
  default: {},
};
