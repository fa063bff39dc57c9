import type { InsertResult, Kysely, Selectable, UpdateResult } from 'kysely';
import { sql } from '../kysely.ts';
import { prepared } from '../prepared.ts';
import { compromises, type KeyHolder, type MadeFor, type NewEnrollment } from '../store.ts';
import { isReserving, isRevoked } from '../certificate-states.ts';
import type { Tables } from '../tables.ts';
import { isAnswered, isUnfinished } from './states.ts';

/** A record of the journal as it is kept. */
export type Row = Selectable<Tables['enrollments']>;

/** In letters too: with a bound LIMIT, SQLite prepares the statement anew each time that it runs. */
export const oneRow = sql.lit(1);

const [no, yes] = [sql.lit(0), sql.lit(1)];

/** Values of a record that its outcome sets. */
type OutcomeColumn =
  'state' | 'code' | 'reference' | 'certificate' | 'serial_number' | 'not_after' | 'names' | 'closed_at';

/** A record when it is opened first. */
export type NewRow = Omit<Row, OutcomeColumn | 'spends' | 'in_doubt'>;

const unfinishedColumns = [
  ...(['id', 'attempt', 'state', 'reference', 'under_way_until'] as const),
  ...(['closed_at', 'counted_user', 'spends', 'terms', 'made_how'] as const),
] as const;

/** What an unfinished record says of the attempts before. */
export type UnfinishedRow = Pick<Row, (typeof unfinishedColumns)[number]>;

/** The columns of `MadeFor`. */
type MadeForColumn = 'terms' | 'made_how';

/** What a record was made for; nothing where its release did not keep it. */
export function madeForOf({ terms, made_how: how }: Pick<Row, MadeForColumn>): {
  readonly madeFor?: MadeFor;
} {
  return terms === null || how === null ? {} : { madeFor: { terms, how } };
}

/** A certificate as its record gets it. */
export type IssuedRow = Pick<Row, 'id'> & {
  readonly [Column in 'serial_number' | 'not_after' | 'public_key' | 'names' | 'closed_at']: NonNullable<
    Row[Column]
  >;
} & { readonly certificate: Uint8Array };

/** What every enrolment asks of the database. */
export type Queries = ReturnType<typeof prepareQueries>;

export function prepareQueries(database: Kysely<Tables>) {
  const compromised = (publicKey: string) =>
    database
      .selectFrom('compromised_keys')
      .select(why('compromised'))
      .where('public_key', '=', publicKey)
      .unionAll(
        database
          .selectFrom('certificates')
          .select(why('compromised'))
          .where('public_key', '=', publicKey)
          .where(isReserving)
          .where('revocation_reason', 'in', compromises),
      );

  return {
    unfinished: prepared<Pick<Row, 'fingerprint'>, UnfinishedRow>((place) =>
      database
        .selectFrom('enrollments')
        .select([...unfinishedColumns])
        .where('fingerprint', '=', place('fingerprint'))
        .where(isUnfinished),
    ),
    answered: prepared<
      { fingerprint: string; since: number },
      Pick<Row, 'certificate' | 'code' | 'closed_at' | MadeForColumn>
    >((place) =>
      database
        .selectFrom('enrollments')
        .select(['certificate', 'code', 'closed_at', 'terms', 'made_how'])
        .where('fingerprint', '=', place('fingerprint'))
        .where(isAnswered)
        .where('closed_at', '>=', place('since'))
        // In the order of their records, since gateways on one store may have clocks that differ.
        .orderBy(sql`rowid`, 'desc')
        .limit(oneRow),
    ),
    user: prepared<{ id: string }, LimitsRow>((place) =>
      database.selectFrom('users').select(['remaining_uses', 'expires_at']).where('id', '=', place('id')),
    ),
    insert: prepared<NewRow, InsertResult>((place) =>
      database.insertInto('enrollments').values({
        id: place('id'),
        fingerprint: place('fingerprint'),
        request_id: place('request_id'),
        alias: place('alias'),
        operation: place('operation'),
        identity: place('identity'),
        subject: place('subject'),
        public_key: place('public_key'),
        counted_user: place('counted_user'),
        quota_key: place('quota_key'),
        registration_authority: place('registration_authority'),
        terms: place('terms'),
        made_how: place('made_how'),
        state: 'open',
        opened_at: place('opened_at'),
        attempt: place('attempt'),
        under_way_until: place('under_way_until'),
        spends: yes,
        in_doubt: no,
      }),
    ),
    issue: prepared<IssuedRow, UpdateResult>((place) =>
      database
        .updateTable('enrollments')
        .set({
          state: 'issued',
          certificate: place('certificate'),
          serial_number: place('serial_number'),
          not_after: place('not_after'),
          public_key: place('public_key'),
          names: place('names'),
          closed_at: place('closed_at'),
        })
        .where('id', '=', place('id'))
        .where(isUnfinished),
    ),
    issuedTo: prepared<
      { certificate: Uint8Array; public_key: string; not_after: number },
      Pick<NewEnrollment, 'alias' | 'client'>
    >((place) =>
      database
        .selectFrom('enrollments')
        .select(['alias', sql<string>`quota_key`.as('client')])
        .where('quota_key', 'is not', null)
        .where('public_key', '=', place('public_key'))
        .where('not_after', '=', place('not_after'))
        .where('certificate', '=', place('certificate'))
        .limit(oneRow),
    ),
    /** Why a certificate that was shown does not count any more. */
    shown: prepared<ShownRow, Objection>((place) =>
      compromised(place('public_key')).unionAll(
        database
          .selectFrom('certificates')
          .select(why('revoked'))
          .where('serial_number', '=', place('serial_number'))
          .where('certificate', '=', place('certificate'))
          .where(isRevoked),
      ),
    ),
    /** Why a key may not be certified. */
    key: prepared<KeyHolder & { public_key: string; now: number; pending_since: number }, Objection>(
      (place) =>
        compromised(place('public_key'))
          .unionAll(
            database
              .selectFrom('certificates')
              .select(why('operator'))
              .where('public_key', '=', place('public_key'))
              .where(isReserving)
              .where('operator_role', 'is not', null)
              .where('not_after', '>', place('now')),
          )
          .unionAll(
            database
              .selectFrom('enrollments')
              .select(why('other'))
              .where('public_key', '=', place('public_key'))
              .where('identity', '!=', place('identity'))
              .where('subject', '!=', place('subject'))
              .where((row) =>
                row.or([
                  row('not_after', '>', place('now')),
                  row.and([
                    row('not_after', 'is', null),
                    isUnfinished,
                    row('spends', '=', yes),
                    row.or([row('state', '!=', 'pending'), row('closed_at', '>=', place('pending_since'))]),
                  ]),
                ]),
              ),
          ),
    ),
    otherHolder: prepared<KeyHolder & { public_key: string; not_after: number }, Pick<Row, 'id'>>((place) =>
      database
        .selectFrom('enrollments')
        .select('id')
        .where('public_key', '=', place('public_key'))
        .where('not_after', '>', place('not_after'))
        .where('identity', '!=', place('identity'))
        .where('subject', '!=', place('subject'))
        .limit(oneRow),
    ),
  };
}

/** What speaks against a certificate or a key. */
export interface Objection {
  readonly why: 'compromised' | 'revoked' | 'operator' | 'other';
}

function why(reason: Objection['why']) {
  return sql.lit(reason).as('why');
}

interface ShownRow {
  readonly serial_number: string;
  readonly certificate: Uint8Array;
  readonly public_key: string;
}

/** What bounds a user. */
export type LimitsRow = Pick<Selectable<Tables['users']>, 'remaining_uses' | 'expires_at'>;
