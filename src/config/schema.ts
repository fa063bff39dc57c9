import type { SchemaObject } from 'ajv';
import { logFormats, logLevels } from '../ops/log.ts';
import { segmentPattern } from '../ops/path-segment.ts';
import { reservedNames } from '../reserved-names.ts';
import { proxyListenerSchema, proxyProtocolSchema } from './proxy-listener-schema.ts';
import { aliasSchema } from './alias-schema.ts';
import { driverChoice } from './driver-choice.ts';
import { builtInDrivers, type Drivers } from './drivers.ts';
import { fetchSchema } from './revocation-schema.ts';
import { passThroughSchema } from './pass-through-schema.ts';

/**
 * The JSON Schema (draft-07) of the configuration file, with the options of every driver. Every default is
 * here, and the titles and descriptions are the manual.
 */
export function configurationSchema(drivers: Drivers = builtInDrivers): SchemaObject {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'urn:est-gateway:configuration',
    type: 'object',
    title: 'Configuration of est-gateway',
    description:
      'Paths are relative to the configuration file. Secrets are references: file:PATH or env:NAME.',
    properties: {
      listeners: listenersSchema,
      store: {
        ...driverChoice(drivers.stateStores),
        title: 'Store',
        description: 'Where enrolments, users and the certificates of local CAs are kept.',
      },
      backends: {
        type: 'object',
        title: 'CA backends',
        description: 'What issues certificates, by names that aliases refer to.',
        propertyNames: { pattern: namePattern, description: nameDescription },
        minProperties: 1,
        additionalProperties: {
          ...driverChoice(drivers.certificationAuthorities),
          title: 'CA backend',
          description: 'A certificate authority.',
        },
      },
      aliases: aliasesSchema,
      passThrough: passThroughSchema,
      limits: limitsSchema,
      revocation: fetchSchema,
      logging: loggingSchema,
    },
    required: ['listeners', 'store', 'backends', 'aliases'],
    additionalProperties: false,
    definitions: { alias: aliasSchema(drivers) },
  };
}

const namePattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';
const nameDescription =
  'a name of at most 64 letters, digits, ".", "_" and "-" that begins with a letter or digit';

const address: SchemaObject = {
  type: 'string',
  minLength: 1,
  default: '::',
  title: 'Address',
  description: 'IP address or host name to listen on. "::" is every address, IPv4 too.',
};

const port: SchemaObject = {
  type: 'integer',
  minimum: 0,
  maximum: 65535,
  title: 'Port',
  description: 'TCP port. 0: any free port.',
};

const listenersSchema: SchemaObject = {
  type: 'object',
  title: 'Listeners',
  description: 'Where the gateway can be reached.',
  properties: {
    est: {
      type: 'object',
      title: 'EST',
      description: 'HTTPS, for EST only.',
      properties: {
        address,
        port: { ...port, default: 8443 },
        certificate: {
          type: 'string',
          format: 'file',
          title: 'Server certificate',
          description: "PEM file: the server's certificate, then its intermediates.",
        },
        privateKey: {
          type: 'string',
          format: 'secret',
          title: 'Server key',
          description: "Where the PEM of the server's private key is: file:PATH or env:NAME.",
        },
        minimumVersion: {
          enum: ['TLSv1.2', 'TLSv1.3'],
          default: 'TLSv1.2',
          title: 'Oldest TLS version',
          description: 'Older devices need TLSv1.2.',
        },
        ciphers: {
          type: 'string',
          pattern: '^[A-Za-z0-9_+!:-]+$',
          title: 'Cipher suites',
          description:
            "OpenSSL's cipher list for TLS 1.2, with suites of TLS 1.3 by their names, such as TLS_AES_256_GCM_SHA384:ECDHE+AESGCM. For a version about which it says nothing the default stays. Suites without encryption or server certificate, and broken ones, are refused. Left out: the default of Node.",
        },
        proxyProtocol: proxyProtocolSchema,
      },
      required: ['certificate', 'privateKey'],
      additionalProperties: false,
    },
    proxy: proxyListenerSchema,
    http: {
      type: 'object',
      title: 'Plain HTTP',
      description: 'CRLs and CA certificates of local CAs, for relying parties; never EST. Left out: off.',
      properties: { address, port: { ...port, default: 8444 } },
      additionalProperties: false,
    },
  },
  anyOf: [{ required: ['est'] }, { required: ['proxy'] }],
  additionalProperties: false,
};

const aliasesSchema: SchemaObject = {
  type: 'object',
  title: 'Aliases',
  description: 'EST configurations by name (RFC 7030 says label): /.well-known/est/NAME/OPERATION.',
  propertyNames: {
    pattern: segmentPattern,
    maxLength: 64,
    description:
      'a name of at most 64 characters, as it stands in paths: letters, digits and -._~!$&\'()*+,;=:@, others percent-encoded in upper case; not "." or ".."',
    not: { enum: [...reservedNames] },
  },
  properties: {
    est: {
      $ref: '#/definitions/alias',
      title: 'the alias that is served without a name in the path',
      description: 'Serves /.well-known/est/OPERATION, which is always there (RFC 7030, section 3.2.2).',
    },
  },
  required: ['est'],
  additionalProperties: { $ref: '#/definitions/alias' },
};

function wholeNumber(
  title: string,
  description: string,
  bounds: { min: number; max: number; default: number },
): SchemaObject {
  return {
    type: 'integer',
    minimum: bounds.min,
    maximum: bounds.max,
    default: bounds.default,
    title,
    description,
  };
}

const limitsSchema: SchemaObject = {
  type: 'object',
  title: 'Limits',
  description: 'Bounds of the EST listener.',
  default: {},
  properties: {
    bodyBytes: wholeNumber('Body size', 'Octets of a request body as sent.', {
      min: 1024,
      max: 16_777_216,
      default: 65_536,
    }),
    headersTimeout: wholeNumber('Header timeout', 'Seconds until the header of a request must be complete.', {
      min: 1,
      max: 3600,
      default: 10,
    }),
    requestTimeout: wholeNumber('Request timeout', 'Seconds that a request may take, the CA included.', {
      min: 1,
      max: 3600,
      default: 30,
    }),
    handshakeTimeout: wholeNumber('Handshake timeout', 'Seconds until a TLS handshake must be complete.', {
      min: 1,
      max: 3600,
      default: 10,
    }),
    connections: wholeNumber('Connections', 'Connections at once; more are closed at once.', {
      min: 1,
      max: 1_000_000,
      default: 10_000,
    }),
    connectionsPerAddress: wholeNumber(
      'Connections of one address',
      'Of these, those of one address (IPv6: of one /64), which may be that of a whole site; more are closed at once. A network /24 (IPv6: /56) has as many, or half of all; a /16 (/48) as many, or three quarters of all. What comes to listeners.proxy counts for no address.',
      { min: 1, max: 1_000_000, default: 2500 },
    ),
    repeatWindow: wholeNumber(
      'Repeat window',
      'Seconds in which a repeat of the same request gets the same certificate while it is good, so that a lost reply costs nothing.',
      { min: 0, max: 31_536_000, default: 3600 },
    ),
    pendingPerIdentity: wholeNumber(
      'Pending requests of one client',
      'Requests of one user or client certificate that may wait for the CA at one alias; for more: 429.',
      { min: 1, max: 1_000_000, default: 100 },
    ),
    pendingPerAlias: wholeNumber(
      'Pending requests',
      'Requests that may wait for the CA at one alias; for more: 503.',
      { min: 1, max: 1_000_000, default: 10_000 },
    ),
    pendingExpiry: wholeNumber(
      'Expiry of pending requests',
      'Seconds after which a waiting request that its client does not repeat has lapsed, approved or not; at least the retryAfter of every backend that lets requests wait.',
      { min: 1, max: 31_536_000, default: 604_800 },
    ),
    wrongCodes: wholeNumber(
      'Wrong codes',
      'Different wrong codes for one user from one address that cost nothing; after each further one that user waits there, 1 second and ever longer: 429.',
      { min: 1, max: 1000, default: 5 },
    ),
    wrongCodeWait: wholeNumber('Longest wait', 'Seconds that one client waits at most after wrong codes.', {
      min: 1,
      max: 3600,
      default: 900,
    }),
  },
  additionalProperties: false,
};

const loggingSchema: SchemaObject = {
  type: 'object',
  title: 'Logging',
  description: 'One line per request, on standard output.',
  default: {},
  properties: {
    level: {
      enum: logLevels,
      default: 'info',
      title: 'Level',
      description: 'This level and the more urgent ones are written.',
    },
    format: {
      enum: logFormats,
      default: 'auto',
      title: 'Format',
      description: 'auto is text on a terminal, and JSON otherwise.',
    },
  },
  additionalProperties: false,
};
