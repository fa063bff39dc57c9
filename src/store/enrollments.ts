import type { InsertResult, Kysely, Selectable, UpdateResult } from 'kysely';
import type { Database, TransactionalDatabase } from './database.ts';
import { createOutcomes, type IssuedRow } from './journal/outcomes.ts';
import { changeUses } from './journal/uses.ts';
import { prepared } from './prepared.ts';
import { newId, timeOfId } from './journal/record-id.ts';
import type {
  EnrollmentJournal,
  JournalEntry,
  KeyHolder,
  NewEnrollment,
  OpenedEnrollment,
  PendingLimits,
  Quota,
  RecordAttempt,
  RepeatWindow,
} from './store.ts';
import { isAnswered, isIssued, isPending, isUnfinished } from './journal/states.ts';
import type { Tables } from './tables.ts';
import { sql } from './kysely.ts';

/** The journal over any database that kysely speaks to. */
export function createEnrollmentJournal(database: TransactionalDatabase): EnrollmentJournal {
  const queries = prepareQueries(database.kysely);

  return {
    ...createOutcomes(database, queries.issue),

    async open(enrollment, window, limits, until = 'durable') {
      return await database.transaction(
        async (transaction): Promise<OpenedEnrollment> => {
          const earlier = await findEarlier(transaction, queries, enrollment.fingerprint, window);
          if (earlier !== undefined && earlier.state !== 'abandoned') return earlier;
          const full = limits && (await reachedLimit(transaction, enrollment, window, limits));
          if (full !== undefined) return { state: 'too_many_pending', of: full };
          return earlier === undefined
            ? await openNew(transaction, queries, enrollment, window)
            : await openAgain(transaction, earlier, enrollment, window);
        },
        ({ state }) => (state === 'opened' ? until : 'durable'),
      );
    },

    async isRepeat(fingerprint, window) {
      return (await findEarlier(database, queries, fingerprint, window)) !== undefined;
    },

    async spentCode(alias, countedUser, now) {
      return spentBy(await findLimits(database, alias, countedUser), now);
    },

    reachedQuota: async (alias, quota) => await reachedQuota(database, alias, quota),

    async issuedTo({ certificate, notAfter, publicKey }) {
      const wanted = { certificate, not_after: notAfter.getTime(), public_key: publicKey };
      return (await queries.issuedTo(database, wanted)).rows[0];
    },

    async isKeyOfOther(publicKey, { identity, subject }, now) {
      const holder = { public_key: publicKey, not_after: now.getTime(), identity, subject };
      return (await queries.otherHolder(database, holder)).rows.length > 0;
    },

    async issuedUnder(alias, names, since, after) {
      const query = database.kysely
        .selectFrom('enrollments')
        .select(['id', 'not_after', 'certificate'])
        .where('alias', '=', alias)
        .where('names', '=', names)
        .where(isIssued)
        .where('not_after', '>=', since.getTime())
        .orderBy('not_after', 'desc')
        .orderBy('id', 'desc')
        .limit(100);
      const rows = await (
        after === undefined
          ? query
          : query.where(sql<boolean>`(not_after, id) < (${after.notAfter.getTime()}, ${after.id})`)
      ).execute();
      return rows.map(({ id, not_after: notAfter, certificate }) => ({
        id,
        notAfter: new Date(notAfter ?? 0),
        certificate: Buffer.from(certificate ?? []),
      }));
    },

    async issuedAfter(after, limit) {
      const rows = await database.kysely
        .selectFrom('enrollments')
        .select(['id', 'certificate'])
        .where('id', '>', after)
        .where('state', 'in', ['issued', 'surplus'])
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map(({ id, certificate }) => ({ id, certificate: Buffer.from(certificate ?? []) }));
    },

    async list(limit) {
      const rows = await database.kysely
        .selectFrom('enrollments')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toEntry);
    },
  };
}

/** In letters too: with a bound LIMIT, SQLite prepares the statement anew each time that it runs. */
const oneRow = sql.lit(1);

type Row = Selectable<Tables['enrollments']>;
type Queries = ReturnType<typeof prepareQueries>;

/** What every enrolment asks of the database. */
function prepareQueries(database: Kysely<Tables>) {
  return {
    unfinished: prepared<
      Pick<Row, 'fingerprint'>,
      Pick<Row, 'id' | 'attempt' | 'state' | 'reference' | 'under_way_until' | 'closed_at'>
    >((place) =>
      database
        .selectFrom('enrollments')
        .select(['id', 'attempt', 'state', 'reference', 'under_way_until', 'closed_at'])
        .where('fingerprint', '=', place('fingerprint'))
        .where(isUnfinished),
    ),
    answered: prepared<
      { fingerprint: string; since: number },
      Pick<Row, 'certificate' | 'code' | 'closed_at'>
    >((place) =>
      database
        .selectFrom('enrollments')
        .select(['certificate', 'code', 'closed_at'])
        .where('fingerprint', '=', place('fingerprint'))
        .where(isAnswered)
        .where('closed_at', '>=', place('since'))
        .orderBy('closed_at', 'desc')
        .limit(oneRow),
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
        state: 'open',
        opened_at: place('opened_at'),
        attempt: place('attempt'),
        under_way_until: place('under_way_until'),
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

type NewRow = Omit<
  Row,
  'state' | 'code' | 'reference' | 'certificate' | 'serial_number' | 'not_after' | 'names' | 'closed_at'
>;

/** An unfinished record that nobody handles any more. */
interface AbandonedEnrollment extends RecordAttempt {
  readonly state: 'abandoned';
}

/** What an earlier enrolment with the same fingerprint means for this one; undefined: there is none that counts. */
async function findEarlier(
  transaction: Database,
  queries: Queries,
  fingerprint: string,
  window: RepeatWindow,
): Promise<OpenedEnrollment | AbandonedEnrollment | undefined> {
  const [unfinished] = (await queries.unfinished(transaction, { fingerprint })).rows;
  if (unfinished === undefined) {
    const since = window.issuedSince.getTime();
    const [answered] = (await queries.answered(transaction, { fingerprint, since })).rows;
    if (answered === undefined) return undefined;
    const { certificate, code, closed_at: closedAt } = answered;
    return certificate === null
      ? { state: 'rejected', code: code ?? 'ca_bad_answer' }
      : { state: 'issued', certificate: Buffer.from(certificate), issuedAt: new Date(closedAt ?? 0) };
  }
  const { id, attempt, state, reference, under_way_until: until, closed_at: askedAt } = unfinished;
  if (state === 'pending' && reference !== null && (askedAt ?? 0) >= window.pendingSince.getTime()) {
    return { state, id, attempt, reference };
  }
  if (state === 'open' && (until ?? 0) >= window.now.getTime()) return { state: 'in_progress', id };
  return { state: 'abandoned', id, attempt };
}

async function openAgain(
  transaction: Database,
  { id, attempt: last }: RecordAttempt,
  { requestId }: NewEnrollment,
  { now, underWayUntil }: RepeatWindow,
): Promise<OpenedEnrollment> {
  const attempt = last + 1;
  await transaction.kysely
    .updateTable('enrollments')
    .set({
      ...{ state: 'open', request_id: requestId, opened_at: now.getTime() },
      ...{ attempt, under_way_until: underWayUntil.getTime() },
    })
    .where('id', '=', id)
    .execute();
  return { state: 'opened', id, attempt, attemptedSince: timeOfId(id) };
}

/** Whose limit of pending requests is reached; undefined: one more may wait. */
async function reachedLimit(
  transaction: Database,
  { alias, identity }: NewEnrollment,
  { pendingSince }: RepeatWindow,
  { perIdentity, perAlias }: PendingLimits,
): Promise<'identity' | 'alias' | undefined> {
  const pending = await transaction.kysely
    .selectFrom('enrollments')
    .select(({ fn }) => [
      fn.countAll().as('all'),
      fn.countAll().filterWhere('identity', '=', identity).as('own'),
    ])
    .where('alias', '=', alias)
    .where('closed_at', '>=', pendingSince.getTime())
    .where(isPending)
    .executeTakeFirstOrThrow();
  if (Number(pending.own) >= perIdentity) return 'identity';
  return Number(pending.all) >= perAlias ? 'alias' : undefined;
}

async function openNew(
  transaction: Database,
  queries: Queries,
  enrollment: NewEnrollment,
  { now, underWayUntil }: RepeatWindow,
): Promise<OpenedEnrollment> {
  const { alias, countedUser } = enrollment;
  for (const quota of enrollment.quotas) {
    const oldest = await reachedQuota(transaction, alias, quota);
    if (oldest !== undefined) return { state: 'quota_reached', quota, oldest };
  }
  const refusal = countedUser && (await takeUse(transaction, alias, countedUser, now));
  if (refusal) return { state: refusal };
  const id = newId(now);
  await queries.insert(transaction, {
    id,
    fingerprint: enrollment.fingerprint,
    request_id: enrollment.requestId,
    alias,
    operation: enrollment.operation,
    identity: enrollment.identity,
    subject: enrollment.subject,
    // No key has an empty hash.
    public_key: enrollment.publicKey ?? '',
    counted_user: countedUser ?? null,
    quota_key: enrollment.client,
    registration_authority: enrollment.registrationAuthority ?? null,
    opened_at: now.getTime(),
    attempt: 1,
    under_way_until: underWayUntil.getTime(),
  });
  return { state: 'opened', id, attempt: 1 };
}

/** The time of the oldest record that fills a quota; undefined: there is room for one more. */
async function reachedQuota(
  database: Database,
  alias: string,
  { of, key, most, since }: Quota,
): Promise<Date | undefined> {
  const filling = await database.kysely
    .selectFrom('enrollments')
    .select('opened_at')
    .where('alias', '=', alias)
    .where(of === 'client' ? 'quota_key' : 'registration_authority', '=', key)
    .where('opened_at', '>', since.getTime())
    .where('state', 'not in', ['refused', 'surplus'])
    .orderBy('opened_at', 'desc')
    .offset(most - 1)
    .limit(oneRow)
    .executeTakeFirst();
  return filling && new Date(filling.opened_at);
}

/** Takes one use of a user, where uses are counted; gives the reason when the user can have no certificate now. */
async function takeUse(
  transaction: Database,
  alias: string,
  name: string,
  now: Date,
): Promise<'exhausted' | 'expired' | undefined> {
  const user = await findLimits(transaction, alias, name);
  const spent = spentBy(user, now);
  if (spent !== undefined || user?.remaining_uses === null) return spent;
  return (await changeUses(transaction, alias, name, -1)) ? undefined : 'exhausted';
}

type Limits = Pick<Selectable<Tables['users']>, 'remaining_uses' | 'expires_at'>;

async function findLimits(database: Database, alias: string, name: string): Promise<Limits | undefined> {
  return await database.kysely
    .selectFrom('users')
    .select(['remaining_uses', 'expires_at'])
    .where('alias', '=', alias)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** Why a user can have no certificate now; undefined: it can. */
function spentBy(user: Limits | undefined, now: Date): 'exhausted' | 'expired' | undefined {
  if (user === undefined) return 'exhausted';
  if (user.expires_at !== null && user.expires_at <= now.getTime()) return 'expired';
  return user.remaining_uses === 0 ? 'exhausted' : undefined;
}

function toEntry(row: Row): JournalEntry {
  return {
    id: row.id,
    requestId: row.request_id,
    alias: row.alias,
    operation: row.operation,
    identity: row.identity,
    subject: row.subject,
    state: row.state,
    serialNumber: row.serial_number ?? undefined,
    openedAt: new Date(row.opened_at),
  };
}
