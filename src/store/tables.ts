import type { Decision, JournalEntry, KnownCa, Revocation } from './store.ts';

/** The tables, as `migrations.ts` makes them. Times are milliseconds since 1970. */
export interface Tables {
  readonly enrollments: EnrollmentsTable;
  readonly aliases: AliasesTable;
  readonly alias_bindings: AliasBindingsTable;
  readonly users: UsersTable;
  readonly certificates: CertificatesTable;
  readonly compromised_keys: CompromisedKeysTable;
  readonly crl_numbers: CrlNumbersTable;
  readonly crls: CrlsTable;
  readonly certification_authorities: CertificationAuthoritiesTable;
  readonly held_requests: HeldRequestsTable;
  readonly attempts: AttemptsTable;
  readonly occupied_end_entities: OccupiedEndEntitiesTable;
  readonly answers: AnswersTable;
  readonly secrets: SecretsTable;
}

interface EnrollmentsTable {
  id: string;
  fingerprint: string;
  request_id: string;
  alias: string;
  operation: string;
  identity: string;
  subject: string;
  public_key: string;
  /** The id of the user of whom it took a use. */
  counted_user: string | null;
  /** Who asked; null in records of releases that kept it for quotas alone. */
  quota_key: string | null;
  registration_authority: string | null;
  state: JournalEntry['state'];
  /** `MadeFor`; null in records of releases that did not keep it. */
  terms: string | null;
  made_how: string | null;
  /** EstErrorCode of a refusal or a failure. */
  code: string | null;
  reference: string | null;
  certificate: Uint8Array | null;
  serial_number: string | null;
  not_after: number | null;
  /** Of the certificate; null where it had expired before this was kept. */
  names: string | null;
  opened_at: number;
  /** 0: it takes neither a use nor quota, since it is known that nothing was issued. */
  spends: number;
  /** 1: an earlier attempt may have got a certificate. */
  in_doubt: number;
  /** How often it was opened. */
  attempt: number;
  /** While it is open: when it is abandoned; null in records of earlier releases. */
  under_way_until: number | null;
  /** While it is pending: when the CA was last asked. */
  closed_at: number | null;
}

interface AnswersTable {
  question: string;
  /** JSON of an array of base64. */
  answer: string;
}

interface AliasesTable {
  id: string;
  name: string;
  left_at: number | null;
}

interface AliasBindingsTable {
  configuration: string;
  name: string;
  id: string;
}

interface UsersTable {
  /** Another one when the user is removed and added anew. */
  id: string;
  alias: string;
  name: string;
  code_hash: string;
  /** JSON of DigestSecrets. */
  digest_secrets: string | null;
  remaining_uses: number | null;
  expires_at: number | null;
  created_at: number;
}

interface CertificatesTable {
  /** `identifierOfCa`; `backend NAME` where an earlier release knew nothing but that. The same in the tables below. */
  ca: string;
  serial_number: string;
  idempotency_key: string;
  subject: string;
  public_key: string;
  operator_role: string | null;
  not_before: number;
  not_after: number;
  certificate: Uint8Array;
  /** Null: it was issued here. */
  origin: 'imported' | 'shown' | null;
  revoked_at: number | null;
  revocation_reason: Revocation['reason'] | null;
}

/** Keys of certificates that other CAs than those of the store have revoked for a compromise. */
interface CompromisedKeysTable {
  public_key: string;
  learnt_at: number;
}

interface AttemptsTable {
  record: string;
  number: number;
  username: string;
  password: string;
  before: string;
  started_at: number;
}

interface OccupiedEndEntitiesTable {
  backend: string;
  username: string;
  record: string;
  until: number;
}

interface SecretsTable {
  name: string;
  octets: Uint8Array;
}

interface CrlNumbersTable {
  ca: string;
  number: number;
}

interface CrlsTable {
  ca: string;
  number: number;
  crl: Uint8Array;
  contents: string;
  refresh_at: number;
}

interface CertificationAuthoritiesTable {
  ca: string;
  subject: string;
  record: KnownCa['record'];
}

interface HeldRequestsTable {
  ca: string;
  reference: string;
  idempotency_key: string;
  alias: string;
  operation: string;
  identity: string;
  subject: string;
  /** A JSON list of strings. */
  subject_alt_name: string;
  key_type: string;
  public_key: string;
  held_at: number;
  asked_at: number;
  decision: Decision['state'] | null;
  reason: string | null;
}
