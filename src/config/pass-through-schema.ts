import type { SchemaObject } from 'ajv';

/** What can be passed through. */
export const documentKinds = ['crl', 'ocsp', 'certificate', 'page'] as const;

const seconds = (title: string, description: string, most: number, byDefault: number): SchemaObject => ({
  type: 'integer',
  minimum: 0,
  maximum: most,
  default: byDefault,
  title,
  description,
});

/** A path without query, whose parts are not empty and no dots; not that of EST. */
const pathPattern =
  '^/(?!\\.well-known(/|$))([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?$';

const pathSchema: SchemaObject = {
  type: 'object',
  title: 'Path',
  description: 'A public document of a CA elsewhere.',
  properties: {
    kind: {
      enum: documentKinds,
      title: 'Kind',
      description: 'What it is: a CRL, complete or delta; an OCSP responder; a CA certificate; a page.',
    },
    upstream: {
      type: 'string',
      pattern: '^https?://[^/?#@\\s]+(/[^?#\\s]*)?(\\?[^#\\s]*)?$',
      title: 'Upstream',
      description: 'The URL that is asked, and no other: redirects are not followed.',
    },
    trustAnchor: {
      type: 'string',
      format: 'file',
      title: 'Trust anchor',
      description:
        "PEM file: the CAs that the upstream's TLS certificate may come from. Left out: the public ones that Node knows.",
    },
    maxBytes: {
      type: 'integer',
      minimum: 1,
      maximum: 1_073_741_824,
      default: 33_554_432,
      title: 'Largest document',
      description: 'Octets.',
    },
  },
  required: ['kind', 'upstream'],
  additionalProperties: false,
};

/** JSON Schema of `passThrough`. */
export const passThroughSchema: SchemaObject = {
  type: 'object',
  title: 'Pass-through',
  description:
    'Public documents of CAs elsewhere, served on both listeners, for those who reach nothing but the gateway.',
  properties: {
    paths: {
      type: 'object',
      title: 'Paths',
      description: 'All that is passed through, by the path under which it is served here.',
      propertyNames: {
        pattern: pathPattern,
        description: 'a path such as /crl/issuing.crl, without a query and not below /.well-known',
      },
      minProperties: 1,
      additionalProperties: pathSchema,
    },
    allowedNetworks: {
      type: 'array',
      items: { type: 'string', pattern: '^[0-9a-fA-F.:]+/[0-9]{1,3}$' },
      default: [],
      title: 'Allowed networks',
      description:
        'Private networks that the host names of upstreams may lead to, such as 10.0.0.0/8. Public addresses need none.',
    },
    timeout: {
      ...seconds('Timeout', 'Seconds until an answer begins, and between its pieces.', 3600, 15),
      minimum: 1,
    },
    maxAge: seconds(
      'Age',
      'Seconds for which a document is given again if its upstream does not say; never beyond its nextUpdate.',
      31_536_000,
      300,
    ),
    staleFor: seconds(
      'Stale',
      'Seconds for which an older document is given while the upstream is down, unless that forbids it.',
      31_536_000,
      86_400,
    ),
    cacheBytes: {
      type: 'integer',
      minimum: 0,
      maximum: 17_179_869_184,
      default: 67_108_864,
      title: 'Cache',
      description: 'Octets of memory for documents.',
    },
  },
  required: ['paths'],
  additionalProperties: false,
};
