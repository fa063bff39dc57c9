import type { SchemaObject } from 'ajv';
import type { CertificateQuota } from '../identity.ts';
import type { WebhookOptions } from '../ops/webhook-options.ts';
import type { GeneralNameType } from '../pkix/general-names.ts';
import type { KeyUsage } from '../pkix/extensions.ts';
import type { KeyKind } from '../pkix/keys.ts';
import type { SignatureAlgorithmName } from '../pkix/signature.ts';

/** What an alias grants and demands, as the configuration says it. */
export interface PolicyOptions {
  /** Attribute types that are copied from the CSR's subject, by their RFC 5280 names; another one is refused. */
  readonly subject: readonly string[];
  /** Name types that are copied from the CSR's subjectAltName; another one is refused. */
  readonly subjectAltName: readonly GeneralNameType[];
  /**
   * `identity`: every name asked for must be the user's name or a name of the client certificate; `certificate`: so where
   * that is one of the alias's own CA.
   */
  readonly names: 'certificate' | 'identity' | 'any';
  /** With `identity`: attribute types of the subject whose values users and holders of vendor certificates may choose. */
  readonly freeSubject: readonly string[];
  /** The preferred kind first. */
  readonly keys: readonly KeyKind[];
  /** The preferred one first; undefined: all that fit the key. */
  readonly signatureAlgorithms?: readonly SignatureAlgorithmName[];
  /** Whether a CSR must carry the channel binding of its TLS session. It is verified wherever it is there. */
  readonly linking: 'optional' | 'required';
  /** Whether the CSR for a first certificate must hold an enrolment code (RFC 7894, section 3.1). */
  readonly otpChallenge: 'unused' | 'required';
  readonly required: RequiredContents;
  /** What ties names to the identity, in the language of docs/policy.md. */
  readonly rules: readonly string[];
  /** JSON Schema of requests, or the path of a file with one. */
  readonly schema?: string | SchemaObject;
  /** A service that is asked when everything else grants a request. */
  readonly webhook?: WebhookOptions;
  /** Whether ChangeSubjectName may ask for other names than those of the client certificate. */
  readonly changeSubjectName: boolean;
  /** Whether simplereenroll may keep the key of the old certificate. */
  readonly renewWithSameKey: boolean;
  /** Share of a certificate's validity, in percent, that must have passed before it may be renewed. */
  readonly renewAfterPercent: number;
  /** Whether certificates that were issued at other aliases may be renewed. */
  readonly renewOtherAliases: boolean;
  /** Days in which an expired certificate may still renew itself. */
  readonly renewExpiredDays: number;
  /** Left out: as many as it likes. */
  readonly quota?: CertificateQuota;
}

/** The only value, all values, or null: any value, which the client fills in. */
export type RequiredValue = string | readonly string[] | null;

/** What a CSR must hold. */
export interface RequiredContents {
  /** By the names of the attribute types. */
  readonly subject: Readonly<Record<string, RequiredValue>>;
  readonly subjectAltName: Readonly<Partial<Record<GeneralNameType, RequiredValue>>>;
  /** Exactly these; for any, name keyUsage in `extensions`. The same for extendedKeyUsage. */
  readonly keyUsage?: readonly KeyUsage[];
  /** By names or dotted object identifiers. */
  readonly extendedKeyUsage?: readonly string[];
  /** By names or dotted object identifiers; the value is the base64 of its DER. */
  readonly extensions: Readonly<Record<string, string | null>>;
  /** Attributes of the CSR, in the same way. */
  readonly attributes: Readonly<Record<string, RequiredValue>>;
}

/** The values to find; empty: any value. */
export function valuesOf(required: RequiredValue): readonly string[] {
  if (required === null) return [];
  return typeof required === 'string' ? [required] : required;
}
