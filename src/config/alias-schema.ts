import type { SchemaObject } from 'ajv';
import type { HttpScheme } from '../auth/http-schemes.ts';
import { attributeTypes } from '../pkix/attribute-types.ts';
import { nameChanges } from '../pkix/name-changes.ts';
import type { GeneralNameType } from '../pkix/general-names.ts';
import { keyKinds, type KeyType } from '../pkix/keys.ts';
import { signatureAlgorithms } from '../pkix/signature.ts';
import { policyWebhookSchema } from '../policy/webhook.ts';
import { quotaSchema } from './quota-schema.ts';
import { registrationAuthoritiesSchema } from './registration-authority-schema.ts';
import { driverChoice } from './driver-choice.ts';
import type { Drivers } from './drivers.ts';
import { requiredSchema } from './required-schema.ts';
import { revocationSchema } from './revocation-schema.ts';
import { serverKeyGenerationSchema } from './server-key-generation-schema.ts';

const keyTypes = [
  'RSA',
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const satisfies readonly KeyType[];

const nameTypes = [
  'dNSName',
  'iPAddress',
  'rfc822Name',
  'uniformResourceIdentifier',
  'directoryName',
  'registeredID',
  'otherName',
] as const satisfies readonly GeneralNameType[];

const policySchema: SchemaObject = {
  type: 'object',
  title: 'Policy',
  description: 'What a client may ask for.',
  default: {},
  properties: {
    subject: {
      type: 'array',
      items: { enum: attributeTypes },
      uniqueItems: true,
      default: [
        ...['commonName', 'serialNumber', 'organizationName', 'organizationalUnitName'],
        ...['countryName', 'stateOrProvinceName', 'localityName'],
      ],
      title: 'Subject attributes',
      description:
        "Attribute types that are copied from the CSR's subject; a CSR with another one is refused.",
    },
    subjectAltName: {
      type: 'array',
      items: { enum: nameTypes },
      uniqueItems: true,
      default: ['dNSName', 'iPAddress'],
      title: 'Types of subjectAltName',
      description:
        "Name types that are copied from the CSR's subjectAltName; a CSR with another one is refused.",
    },
    names: {
      enum: ['certificate', 'identity', 'any'],
      default: 'certificate',
      title: 'Names',
      description:
        'certificate: who shows a certificate of this CA may ask for the subject in it, and for subjectAltNames in it alone. identity: so, and users may ask for their own name alone, holders of vendor certificates for the names in these. any: no such bond.',
    },
    freeSubject: {
      type: 'array',
      items: { enum: attributeTypes.filter((type) => type !== 'commonName') },
      uniqueItems: true,
      default: [],
      title: 'Free subject attributes',
      description:
        'With names: identity: attribute types whose values users and holders of vendor certificates may choose. Other attributes than their own must have a value that the policy fixes (docs/policy.md).',
    },
    keys: {
      type: 'array',
      items: { enum: keyKinds },
      minItems: 1,
      uniqueItems: true,
      default: keyTypes,
      title: 'Keys',
      description:
        'Kinds of keys that are certified. RSA: 2048 to 8192 bits. If it is not all of them, csrattrs asks for the first one.',
    },
    signatureAlgorithms: {
      type: 'array',
      items: { enum: signatureAlgorithms.map(({ name }) => name) },
      minItems: 1,
      uniqueItems: true,
      title: 'Signature algorithms',
      description:
        'How a CSR may be signed; csrattrs asks for the first one that fits the key. Left out: any that fits.',
    },
    linking: {
      enum: ['optional', 'required'],
      default: 'optional',
      title: 'Linking of identity and proof of possession',
      description:
        'required: a CSR must carry the channel binding of its TLS session (RFC 7030, section 3.5). It is verified in either case.',
    },
    otpChallenge: {
      enum: ['unused', 'required'],
      default: 'unused',
      title: 'One-time password in the CSR',
      description:
        'required: the CSR for a first certificate must hold an enrolment code as otpChallenge (RFC 7894): that of the HTTP user, or of the user named by the commonName.',
    },
    required: requiredSchema(attributeTypes, nameTypes),
    rules: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      default: [],
      title: 'Rules',
      description:
        'What ties names to the client, such as "subject.commonName == identity.username" or "subjectAltName.dNSName in *.${identity.subject.organizationalUnitName}.example"; docs/policy.md has the language. A renewal keeps its old names.',
    },
    schema: {
      anyOf: [{ type: 'string', format: 'file' }, { type: 'object' }],
      title: 'Schema of requests',
      description:
        'A JSON Schema (2020-12) that every request must fit, here or in a file (JSON or YAML); docs/policy.md describes what it sees of a request.',
    },
    webhook: policyWebhookSchema,
    changeSubjectName: {
      type: 'boolean',
      default: false,
      title: 'Change of names',
      description:
        'true: the attribute ChangeSubjectName (RFC 6402) may ask for other names than those of the client certificate, under the rules of a first enrolment.',
    },
    renewWithSameKey: {
      type: 'boolean',
      default: true,
      title: 'Renewal with the same key',
      description: 'false: simplereenroll wants a new key each time.',
    },
    renewAfterPercent: {
      type: 'number',
      minimum: 0,
      maximum: 100,
      default: 0,
      title: 'Earliest renewal',
      description: "Percentage of a certificate's validity that must have passed before it may be renewed.",
    },
    renewOtherAliases: {
      type: 'boolean',
      default: false,
      title: 'Renewal of certificates from other aliases',
      description:
        'true: a certificate of the CA that was issued at another alias may be renewed here. It is refused otherwise; where the store does not know at which alias it was issued, every alias of its CA renews it.',
    },
    renewExpiredDays: {
      type: 'number',
      minimum: 0,
      maximum: 3650,
      default: 0,
      title: 'Renewal after the end',
      description:
        'Days in which an expired certificate of the CA may still renew itself, and do nothing else; the log line of each such request has expiredAt.',
    },
    quota: quotaSchema(
      'How many certificates a client may get: a user, also by the certificates that it got, or the holder of any other certificate; of a registration authority, each subject. More: 429 with Retry-After. Repeats of a lost answer do not count. Left out: as many as it likes.',
    ),
  },
  additionalProperties: false,
};

const fullCmcSchema: SchemaObject = {
  type: 'object',
  title: 'Full CMC',
  description: 'Switches the operation fullcmc on (RFC 7030, section 4.3). Left out: off.',
  properties: {
    signer: {
      type: 'object',
      title: 'Signer',
      description: 'What signs the answers: never the key of the CA.',
      properties: {
        certificate: {
          type: 'string',
          format: 'file',
          title: 'Certificate file',
          description:
            'PEM: a certificate with the extended key usage id-kp-cmcRA or id-kp-cmcCA, then its intermediates.',
        },
        privateKey: {
          type: 'string',
          format: 'secret',
          title: 'Private key',
          description: 'PEM of its key: RSA of 2048 to 8192 bits, P-256 or P-384.',
        },
      },
      required: ['certificate', 'privateKey'],
      additionalProperties: false,
    },
    passThrough: {
      type: 'boolean',
      default: false,
      title: 'Pass through',
      description:
        'true: the CA backend speaks CMC itself and gets each request as it came, after all checks; its answer goes to the client.',
    },
  },
  required: ['signer'],
  additionalProperties: false,
};

/**
 * JSON Schema of one alias, with what it can say about backends that listen to it. Throws an Error when one of these
 * has the name of another key.
 */
export function aliasSchema({ certificationAuthorities, credentials }: Drivers): SchemaObject {
  const schema = ownSchema(credentials);
  const own = schema['properties'] as Readonly<Record<string, SchemaObject>>;
  const listening = certificationAuthorities.filter((driver) => 'aliasSettings' in driver);
  const clash = listening.find(({ name }) => name in own);
  if (clash !== undefined)
    throw new Error(`A driver cannot be named ${clash.name}: every alias has a key of this name.`);
  const settings = listening.map(({ name, aliasSettings }) => [name, aliasSettings.schema] as const);
  return { ...schema, properties: { ...own, ...Object.fromEntries(settings) } };
}

/** What stands in every alias, whatever its backend. */
function ownSchema(credentials: Drivers['credentials']): SchemaObject {
  return {
    type: 'object',
    title: 'Alias',
    description: 'Which CA backend issues what to whom.',
    properties: {
      backend: { type: 'string', title: 'CA backend', description: 'One of the names below "backends".' },
      profile: {
        type: 'string',
        minLength: 1,
        title: 'Certificate profile',
        description:
          'What to ask the CA backend for; the backend knows the names. Left out: its only one, if any.',
      },
      authentication: {
        enum: ['clientCertificate', 'basic', 'either', 'both'],
        title: 'Authentication',
        description:
          'What a client that enrols must show: a TLS client certificate, a user name and its code, either of them, or both.',
      },
      httpAuthentication: {
        type: 'array',
        items: { enum: ['basic', 'digest-SHA-256', 'digest-MD5'] satisfies readonly HttpScheme[] },
        minItems: 1,
        uniqueItems: true,
        default: ['basic'],
        title: 'HTTP authentication',
        description:
          'How users may prove their codes: basic (RFC 7617), digest-SHA-256, digest-MD5 (RFC 7616). Digest is for users that were added while it stood here. MD5 is broken; it is for clients that know nothing better.',
      },
      credentials: {
        type: 'array',
        items: {
          ...driverChoice(credentials),
          title: 'Source of credentials',
          description: 'Somebody who knows users and their codes.',
        },
        minItems: 1,
        default: [{ driver: 'store' }],
        title: 'Credentials',
        description:
          'Who knows the users of HTTP Basic and their codes, in this order: the first that knows the name decides, and one that is out of order is replaced by nobody (503). Digest is for users of the store.',
      },
      explicitTrustAnchors: {
        type: 'array',
        items: { type: 'string', format: 'file' },
        default: [],
        title: 'Explicit trust anchors',
        description: "PEM files: CAs whose client certificates are accepted, besides the backend's own.",
      },
      additionalCaCertificates: {
        type: 'array',
        items: { type: 'string', format: 'file' },
        default: [],
        title: 'Additional CA certificates',
        description:
          "PEM files: what cacerts gives besides the chain of the backend's CA: around a change of the root the old root and the cross certificates (RFC 7030, section 4.1.3), or a root that the CA leaves out.",
      },
      implicitTrustAnchors: {
        type: 'array',
        items: { type: 'string', format: 'file' },
        default: [],
        title: 'Implicit trust anchors',
        description:
          'PEM files: CAs of vendors whose client certificates are accepted for simpleenroll, never for simplereenroll (RFC 7030, section 3.1).',
      },
      implicitCertificatePolicies: {
        type: 'array',
        items: {
          type: 'string',
          pattern: String.raw`^[012](\.\d{1,10}){1,20}$`,
          description: 'an object identifier such as 1.3.6.1.4.1.99999.1',
        },
        default: [],
        title: 'Certificate policies of implicit trust anchors',
        description:
          'Client certificates that lead to implicit trust anchors must be valid under one of these policies (RFC 5280, section 6.1). Empty: any, or none.',
      },
      revocation: revocationSchema,
      knownKeys: {
        type: 'array',
        items: { type: 'string', format: 'file' },
        default: [],
        title: 'Known keys',
        description:
          "Lists of keys that anybody knows, which are never certified, beside those that the gateway knows itself: lines with the SHA-256 of a SubjectPublicKeyInfo in hex, or as in Debian's openssl-blacklist (CVE-2008-0166).",
      },
      compatibility: {
        enum: ['rfc', 'ejbca'],
        default: 'rfc',
        title: 'Compatibility',
        description:
          "Whose way is followed where EJBCA's own EST and the RFCs differ: statuses and form of errors, media types of requests, csrattrs. docs/compatibility.md has the list.",
      },
      strict: {
        type: 'boolean',
        default: false,
        title: 'Strict bodies',
        description: 'true: a request must be base64 of DER (RFC 8951); PEM and plain DER are refused.',
      },
      wrap: {
        enum: ['auto', '64', 'none'],
        default: 'auto',
        title: 'Line form of replies',
        description:
          'Base64 in lines of 64 characters, in one line (none), or as the client seems to need it (auto).',
      },
      registrationAuthorities: registrationAuthoritiesSchema([...attributeTypes, ...nameTypes]),
      fullCmc: fullCmcSchema,
      serverKeyGeneration: serverKeyGenerationSchema,
      policy: policySchema,
      issuedNames: {
        type: 'array',
        items: { enum: nameChanges },
        uniqueItems: true,
        title: 'Names in issued certificates',
        description:
          'How the CA may change the names that were approved; a certificate with other changes is not delivered, and is revoked where the CA can. Left out: not at all, but for what the mode of the backend does (docs/policy.md).',
      },
    },
    required: ['backend'],
    additionalProperties: false,
  };
}
