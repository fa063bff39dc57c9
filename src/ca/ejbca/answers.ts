/** What EJBCA answers, as far as the gateway uses it. Unknown members are no fault, since versions differ. */
import { Ajv } from 'ajv';

const ajv = new Ajv();
const text = { type: 'string' } as const;

/** `/v1/certificate/status`, `/v2/certificate/status` */
export const isStatus = ajv.compile<{ readonly revision: string }>({
  type: 'object',
  properties: { status: { const: 'OK' }, revision: text },
  required: ['status', 'revision'],
});

/** `/v1/ca` */
export const isCaList = ajv.compile<{
  readonly certificate_authorities: readonly { readonly name: string; readonly subject_dn: string }[];
}>({
  type: 'object',
  properties: {
    certificate_authorities: {
      type: 'array',
      items: {
        type: 'object',
        properties: { name: text, subject_dn: text },
        required: ['name', 'subject_dn'],
      },
    },
  },
  required: ['certificate_authorities'],
});

/** `getLatestCrl` */
export const isCrl = ajv.compile<{ readonly crl: string | null }>({
  type: 'object',
  properties: { crl: { type: ['string', 'null'] } },
  required: ['crl'],
});

/** `revocationstatus` */
export const isRevocation = ajv.compile<{
  readonly revoked: boolean;
  readonly revocation_reason?: string;
  readonly revocation_date?: string;
}>({
  type: 'object',
  properties: { revoked: { type: 'boolean' }, revocation_reason: text, revocation_date: text },
  required: ['revoked'],
});

/** `/v2/certificate/profile/NAME` */
export const isProfile = ajv.compile<{ readonly available_cas: readonly string[] }>({
  type: 'object',
  properties: { available_cas: { type: 'array', items: text } },
  required: ['available_cas'],
});

/** `pkcs10enroll`, `certificaterequest`, `finalize` */
export const isIssued = ajv.compile<{ readonly certificate: string }>({
  type: 'object',
  properties: { certificate: text },
  required: ['certificate'],
});

/** A row of EJBCA's certificates. */
export interface FoundRow {
  readonly username: string | null;
  readonly base64Cert: string;
  readonly status: number;
}

/** `/v2/certificate/search` */
export const isFound = ajv.compile<{ readonly certificates: readonly FoundRow[] }>({
  type: 'object',
  properties: {
    certificates: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          username: { type: ['string', 'null'] },
          base64Cert: text,
          status: { type: 'integer' },
        },
        required: ['username', 'base64Cert', 'status'],
      },
    },
  },
  required: ['certificates'],
});

/** `/v1/certificate/search` */
export const isFoundByV1 = ajv.compile<{
  readonly certificates: readonly {
    readonly certificate: string;
    readonly certificate_profile?: string | null;
    readonly end_entity_profile?: string | null;
  }[];
}>({
  type: 'object',
  properties: {
    certificates: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          certificate: text,
          certificate_profile: { type: ['string', 'null'] },
          end_entity_profile: { type: ['string', 'null'] },
        },
        required: ['certificate'],
      },
    },
  },
  required: ['certificates'],
});
