import type { SchemaObject } from 'ajv';

const file = (title: string, description: string): SchemaObject => ({
  type: 'string',
  format: 'file',
  title,
  description,
});

/** JSON Schema of `listeners.est.proxyProtocol`. */
export const proxyProtocolSchema: SchemaObject = {
  type: 'object',
  title: 'PROXY protocol',
  description:
    "For a proxy that passes TCP on as it is: each connection begins with a header of HAProxy's PROXY protocol, version 1 or 2, which gives the client's address; all other connections are closed. The header must be complete within limits.handshakeTimeout. Left out: off.",
  properties: {
    trustedAddresses: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      minItems: 1,
      title: 'Trusted addresses',
      description: 'IP addresses of the proxies, or their networks, such as 10.0.0.0/8.',
    },
  },
  required: ['trustedAddresses'],
  additionalProperties: false,
};

/** JSON Schema of `listeners.proxy`. */
export const proxyListenerSchema: SchemaObject = {
  type: 'object',
  title: 'EST behind a proxy',
  description:
    'HTTP for a proxy that ends TLS, such as nginx: over a Unix socket, over a loopback address, or over TLS with a client certificate of the proxy. Left out: off.',
  properties: {
    socket: file('Unix socket', 'Path of the socket, for its owner and group. In place of address and port.'),
    address: {
      type: 'string',
      minLength: 1,
      title: 'Address',
      description: 'IP address to listen on; without tls a loopback address.',
    },
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65535,
      title: 'Port',
      description: 'TCP port. 0: any free port.',
    },
    tls: {
      type: 'object',
      title: 'TLS to the proxy',
      description: 'The proxy must show a client certificate.',
      properties: {
        certificate: file(
          'Server certificate',
          "PEM file: the gateway's certificate for the proxy, then its intermediates.",
        ),
        privateKey: {
          type: 'string',
          format: 'secret',
          title: 'Server key',
          description: 'Where the PEM of its private key is: file:PATH or env:NAME.',
        },
        trustAnchors: {
          type: 'array',
          items: { type: 'string', format: 'file' },
          minItems: 1,
          title: 'Trust anchors',
          description:
            'PEM files: the CAs of the proxies. Whoever has a certificate of theirs with one of the names can pass for any device.',
        },
        names: {
          type: 'array',
          items: { type: 'string', minLength: 1 },
          minItems: 1,
          title: 'Names',
          description:
            "Names of the proxies, such as nginx.plant.example: one must be in the proxy's certificate, as dNSName or, where it has none, as commonName. No device may have them.",
        },
      },
      required: ['certificate', 'privateKey', 'trustAnchors', 'names'],
      additionalProperties: false,
    },
    clientCertificate: {
      enum: ['rfc9440', 'nginx', 'haproxy', 'envoy'],
      title: 'Client certificate',
      description:
        'How the proxy hands the client certificate on: Client-Cert and Client-Cert-Chain (RFC 9440); X-SSL-Client-Cert as PEM, percent-encoded (nginx) or as base64 of DER (haproxy); X-Forwarded-Client-Cert (envoy).',
    },
    clientAddress: {
      enum: ['X-Forwarded-For', 'Forwarded'],
      default: 'X-Forwarded-For',
      title: 'Client address',
      description:
        'The field whose last entry that is not of trustedAddresses is the client address: for the log, the wait after wrong codes, and the policy. The proxy must add to it in every request.',
    },
    trustedAddresses: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      default: [],
      title: 'Trusted addresses',
      description:
        'Addresses or networks of further proxies, which stand between the clients and the one that comes here: an entry of theirs is passed over, and the one before it taken. Let no client stand in these networks.',
    },
    linking: {
      enum: ['refuse', 'trust'],
      default: 'refuse',
      title: 'Linking',
      description:
        'What becomes of a CSR with the channel binding of a TLS session that ended at the proxy (RFC 7030, section 3.5). refuse: 403. trust: the proxy is trusted to keep its clients apart, and the value is not verified.',
    },
    cipherSuite: {
      type: 'string',
      pattern: '^[A-Za-z0-9-]+$',
      title: 'Cipher suite',
      description:
        "The field in which the proxy names the cipher suite of the device's TLS session, as OpenSSL does. The proxy must set it for every request, or devices could. Left out: serverkeygen gives no keys, since nobody knows how well TLS protects them.",
    },
    headerBytes: {
      type: 'integer',
      minimum: 16_384,
      maximum: 1_048_576,
      default: 98_304,
      title: 'Header size',
      description:
        'Octets of the header of a request, the client certificate included: percent-encoded, one with ML-DSA-87 takes 11 KB, with SLH-DSA 12 to 75 KB. For more: 431.',
    },
  },
  required: ['clientCertificate'],
  additionalProperties: false,
};
