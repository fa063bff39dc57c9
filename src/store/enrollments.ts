import { randomUUID } from 'node:crypto';
import type { InsertResult, Kysely, Selectable, UpdateResult } from 'kysely';
import type { Database, TransactionalDatabase } from './database.ts';
import { prepared } from './prepared.ts';
import type {
  EnrollmentJournal,
  JournalEntry,
  KeyHolder,
  NewEnrollment,
  OpenedEnrollment,
  PendingLimits,
  Quota,
  RepeatWindow,
} from './store.ts';
import type { Tables } from './tables.ts';
import { sql } from './kysely.ts';

/** The journal over any database that kysely speaks to. */
export function createEnrollmentJournal(database: TransactionalDatabase): EnrollmentJournal {
  const queries = prepareQueries(database.kysely);

  async function closeAndGiveBack(
    id: string,
    state: 'refused' | 'rejected',
    code: string,
    now: Date,
  ): Promise<void> {
    await database.transaction(async (transaction) => {
      const record = await transaction.kysely
        .updateTable('enrollments')
        .set({ state, code, closed_at: now.getTime() })
        .where('id', '=', id)
        .where(isUnfinished)
        .returning(['alias', 'counted_user'])
        .executeTakeFirst();
      if (record !== undefined && record.counted_user !== null) {
        await changeUses(transaction, record.alias, record.counted_user, 1);
      }
    });
  }

  return {
    async open(enrollment, window, limits, until = 'durable') {
      return await database.transaction(
        async (transaction): Promise<OpenedEnrollment> => {
          const earlier = await findEarlier(transaction, queries, enrollment.fingerprint, window);
          if (earlier !== undefined && earlier.state !== 'abandoned') return earlier;
          const full = limits && (await reachedLimit(transaction, enrollment, window, limits));
          if (full !== undefined) return { state: 'too_many_pending', of: full };
          return earlier === undefined
            ? await openNew(transaction, queries, enrollment, window.now)
            : await openAgain(transaction, earlier.id, enrollment, window.now);
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

    async issued(id, { certificate, serialNumber, notAfter, publicKey, names }, now) {
      await queries.issue(database, {
        id,
        certificate,
        serial_number: serialNumber,
        not_after: notAfter.getTime(),
        public_key: publicKey,
        names,
        closed_at: now.getTime(),
      });
    },

    async pending(id, reference, now) {
      await database.kysely
        .updateTable('enrollments')
        .set({ state: 'pending', reference, closed_at: now.getTime() })
        .where('id', '=', id)
        .where(isUnfinished)
        .execute();
    },

    refused: async (id, code, now) => {
      await closeAndGiveBack(id, 'refused', code, now);
    },

    rejected: async (id, code, now) => {
      await closeAndGiveBack(id, 'rejected', code, now);
    },

    async failed(id, code, now) {
      await database.kysely
        .updateTable('enrollments')
        .set({ state: 'failed', code, closed_at: now.getTime() })
        .where('id', '=', id)
        .where('state', '=', 'open')
        .execute();
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
        .where(isIssued)
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

/** In the letters of the partial indexes, since with bound values the planner could not use them. */
const isUnfinished = sql<boolean>`state in ('open', 'pending', 'failed')`;
const isIssued = sql<boolean>`state = 'issued'`;
const isAnswered = sql<boolean>`state in ('issued', 'rejected')`;
const isPending = sql<boolean>`state = 'pending'`;

/** In letters too: with a bound LIMIT, SQLite prepares the statement anew each time that it runs. */
const oneRow = sql.lit(1);

type Row = Selectable<Tables['enrollments']>;
type Queries = ReturnType<typeof prepareQueries>;

/** What every enrolment asks of the database. */
function prepareQueries(database: Kysely<Tables>) {
  return {
    unfinished: prepared<
      Pick<Row, 'fingerprint'>,
      Pick<Row, 'id' | 'state' | 'reference' | 'opened_at' | 'closed_at'>
    >((place) =>
      database
        .selectFrom('enrollments')
        .select(['id', 'state', 'reference', 'opened_at', 'closed_at'])
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
        .where('id', '=', place('id')),
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

interface IssuedRow {
  readonly id: string;
  readonly certificate: Uint8Array;
  readonly serial_number: string;
  readonly not_after: number;
  readonly public_key: string;
  readonly names: string;
  readonly closed_at: number;
}

/** An unfinished record that nobody handles any more. */
interface AbandonedEnrollment {
  readonly state: 'abandoned';
  readonly id: string;
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
  const { id, state, reference, opened_at: openedAt, closed_at: askedAt } = unfinished;
  if (state === 'pending' && reference !== null && (askedAt ?? 0) >= window.pendingSince.getTime()) {
    return { state, id, reference };
  }
  if (state === 'open' && openedAt >= window.openedSince.getTime()) return { state: 'in_progress', id };
  return { state: 'abandoned', id };
}

async function openAgain(
  transaction: Database,
  id: string,
  { requestId }: NewEnrollment,
  now: Date,
): Promise<OpenedEnrollment> {
  await transaction.kysely
    .updateTable('enrollments')
    .set({ state: 'open', request_id: requestId, opened_at: now.getTime() })
    .where('id', '=', id)
    .execute();
  return { state: 'opened', id, attemptedSince: timeOfId(id) };
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
  now: Date,
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
  });
  return { state: 'opened', id };
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
    .where('state', '!=', 'refused')
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

/** Takes a use of a user, or gives it back; false when there is none to take. */
async function changeUses(
  transaction: Database,
  alias: string,
  name: string,
  change: 1 | -1,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction.kysely
    .updateTable('users')
    .set((row) => ({ remaining_uses: row('remaining_uses', '+', change) }))
    .where('alias', '=', alias)
    .where('name', '=', name)
    .where('remaining_uses', '>=', change === -1 ? 1 : 0)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Ordered by time, so that new records stand together in the index. */
function newId(now: Date): string {
  return `${now.getTime().toString(16).padStart(12, '0')}-${randomUUID()}`;
}

function timeOfId(id: string): Date {
  return new Date(Number.parseInt(id, 16));
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
