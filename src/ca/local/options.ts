import type { SchemaObject } from 'ajv';
import type { KeyUsage } from '../../pkix/extensions.ts';
import { recordSchema, type RecordOption } from '../record.ts';

/** Where relying parties find what the CA publishes. */
export interface PublicationUrls {
  readonly crl: readonly string[];
  readonly caIssuers: readonly string[];
}

/** Which requests wait for a person's approval. */
export type Approval = 'none' | 'newNames' | 'all';

/** One certificate profile, as the configuration has it. */
export interface ProfileOptions {
  readonly validityDays: number;
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsage: readonly string[];
  readonly crlUrls?: readonly string[];
  readonly caIssuersUrls?: readonly string[];
  readonly approval: Approval;
}

/** The options of the local CA; every default is in the schema. */
export interface LocalOptions {
  readonly certificate: string;
  readonly privateKey: string;
  readonly passphrase?: string;
  readonly chain: readonly string[];
  readonly backdate: number;
  readonly retryAfter: number;
  readonly record: RecordOption;
  readonly crl: { readonly validityHours: number; readonly urls: readonly string[] };
  readonly caIssuersUrls: readonly string[];
  readonly profiles: Readonly<Record<string, ProfileOptions>>;
}

/** The names that `extendedKeyUsage` knows; any other purpose goes by its object identifier. */
const purposes = [
  'clientAuth',
  'serverAuth',
  'emailProtection',
  'ipsecIKE',
  'eapOverLAN',
  'smartcardLogon',
  'secureShellClient',
  'secureShellServer',
];

// RFC 5280, sections 4.2.1.13 and 8: CRLs and certificates protect themselves, and https would need them first.
const urls: SchemaObject = {
  type: 'array',
  items: { type: 'string', pattern: String.raw`^http://[!-;=?-~]+$` },
  uniqueItems: true,
};

const files: SchemaObject = {
  type: 'array',
  items: { type: 'string', format: 'file' },
  default: [],
};

const profileSchema: SchemaObject = {
  type: 'object',
  title: 'Certificate profile',
  description: 'What certificates are issued with.',
  properties: {
    validityDays: {
      type: 'integer',
      minimum: 1,
      maximum: 36525,
      default: 365,
      title: 'Validity in days',
      description: 'How long a certificate is valid from now; never longer than the CA itself.',
    },
    keyUsage: {
      type: 'array',
      items: {
        enum: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement'],
      },
      minItems: 1,
      uniqueItems: true,
      default: ['digitalSignature', 'keyEncipherment'],
      title: 'Key usage',
      description:
        'The most that is granted. A CSR may ask for less. What a kind of key cannot do is left out: keyEncipherment and dataEncipherment are for RSA, keyAgreement is for P-256, P-384 and P-521. So is what no purpose of the certificate wants (RFC 5280, section 4.2.1.12): clientAuth wants digitalSignature and keyAgreement alone; serverAuth and emailProtection want keyEncipherment too.',
    },
    extendedKeyUsage: {
      type: 'array',
      items: {
        anyOf: [
          { enum: purposes },
          { type: 'string', pattern: String.raw`^[012]\.[1-3]?\d(\.(0|[1-9]\d{0,8})){1,20}$` },
        ],
      },
      uniqueItems: true,
      default: ['clientAuth'],
      title: 'Extended key usage',
      description: `The most that is granted: ${purposes.join(', ')}, or object identifiers. A CSR may ask for less. Empty: the certificate says nothing of it.`,
    },
    approval: {
      enum: ['none', 'newNames', 'all'],
      default: 'none',
      title: 'Approval',
      description:
        'Which requests wait for "est-gateway ca approve": none; newNames: all but renewals under the same names; all.',
    },
    crlUrls: {
      ...urls,
      title: 'CRL URLs',
      description: "Where the CRL is found, instead of the backend's crl.urls.",
    },
    caIssuersUrls: {
      ...urls,
      title: 'Issuer URLs',
      description: "Where the issuing certificate is found, instead of the backend's caIssuersUrls.",
    },
  },
  additionalProperties: false,
};

/** JSON Schema of LocalOptions. */
export const localOptionsSchema: SchemaObject = {
  type: 'object',
  title: 'Local CA',
  description: 'A CA whose key the gateway holds: it issues by itself.',
  properties: {
    certificate: {
      type: 'string',
      format: 'file',
      title: 'CA certificate',
      description: 'PEM file of the issuing certificate; the certificates above it may follow in it.',
    },
    privateKey: {
      type: 'string',
      format: 'secret',
      title: 'CA private key',
      description:
        'Where the PEM of the private key is: file:PATH or env:NAME. RSA of 2048 to 8192 bits, P-256 or P-384; may be encrypted.',
    },
    passphrase: {
      type: 'string',
      format: 'secret',
      title: 'Passphrase of the private key',
      description: 'Where the passphrase is: file:PATH or env:NAME. Needed when the key is encrypted.',
    },
    chain: {
      ...files,
      title: 'Chain',
      description:
        'PEM files of the certificates above the issuing one, up to the self-signed root, in any order.',
    },
    backdate: {
      type: 'integer',
      minimum: 0,
      maximum: 86400,
      default: 60,
      title: 'Backdate in seconds',
      description:
        'How long ago a new certificate became valid, and a new CRL was issued, for relying parties whose clock is behind.',
    },
    retryAfter: {
      type: 'integer',
      minimum: 1,
      maximum: 86400,
      default: 300,
      title: 'Retry-After in seconds',
      description: 'When a client whose request waits for approval shall ask again.',
    },
    record: recordSchema(
      'The record is in the store: it is incomplete where the key has signed certificates elsewhere, or after the backup from which the store was restored.',
    ),
    crl: {
      type: 'object',
      title: 'Certificate revocation list',
      description: 'How long a CRL is valid, and where it is found.',
      properties: {
        validityHours: {
          type: 'integer',
          minimum: 1,
          maximum: 8784,
          default: 168,
          title: 'Validity in hours',
          description: 'A new CRL is made when a third of this has passed, and at once after a revocation.',
        },
        urls: {
          ...urls,
          default: [],
          title: 'CRL URLs',
          description:
            'http URLs of the CRL, written into certificates. The http listener serves it as /crl/BACKEND.crl. Empty: certificates name no CRL.',
        },
      },
      additionalProperties: false,
      default: {},
    },
    caIssuersUrls: {
      ...urls,
      default: [],
      title: 'Issuer URLs',
      description:
        'http URLs of the issuing certificate, written into certificates. The http listener serves it as /ca/BACKEND.cer. Empty: certificates name none.',
    },
    profiles: {
      type: 'object',
      title: 'Certificate profiles',
      description: 'By names that aliases refer to. With a single profile an alias need not name it.',
      propertyNames: {
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
        description:
          'a name of at most 64 letters, digits, ".", "_" and "-" that begins with a letter or digit',
      },
      additionalProperties: profileSchema,
      minProperties: 1,
      default: { device: {} },
    },
  },
  required: ['certificate', 'privateKey'],
  additionalProperties: false,
};
