import { randomBytes } from 'node:crypto';
import { sql, type Kysely, type Selectable, type Transaction, type Updateable } from 'kysely';
import type {
  EnrollmentJournal,
  JournalEntry,
  NewEnrollment,
  OpenedEnrollment,
  RepeatWindow,
} from './store.ts';
import type { Tables } from './tables.ts';

/** The journal over any database that kysely speaks to. */
export function createEnrollmentJournal(database: Kysely<Tables>): EnrollmentJournal {
  async function close(id: string, change: Updateable<Tables['enrollments']>): Promise<void> {
    await database.updateTable('enrollments').set(change).where('id', '=', id).execute();
  }

  return {
    async open(enrollment, window) {
      return await database.transaction().execute(async (transaction) => {
        const earlier = await answerOfEarlier(transaction, enrollment, window);
        return earlier ?? (await openNew(transaction, enrollment, window.now));
      });
    },

    async issued(id, { certificate, serialNumber, notAfter }, now) {
      await close(id, {
        state: 'issued',
        certificate,
        serial_number: serialNumber,
        not_after: notAfter.getTime(),
        closed_at: now.getTime(),
      });
    },

    async pending(id, reference, now) {
      await close(id, { state: 'pending', reference, closed_at: now.getTime() });
    },

    async refused(id, code, now) {
      await database.transaction().execute(async (transaction) => {
        const record = await transaction
          .updateTable('enrollments')
          .set({ state: 'refused', code, closed_at: now.getTime() })
          .where('id', '=', id)
          .where(isUnfinished)
          .returning(['alias', 'counted_user'])
          .executeTakeFirst();
        if (record !== undefined && record.counted_user !== null) {
          await changeUses(transaction, record.alias, record.counted_user, 1);
        }
      });
    },

    async failed(id, code, now) {
      await close(id, { state: 'failed', code, closed_at: now.getTime() });
    },

    async holdersOfKey(publicKey, now) {
      return await database
        .selectFrom('enrollments')
        .select(['identity', 'subject'])
        .distinct()
        .where('public_key', '=', publicKey)
        .where('not_after', '>', now.getTime())
        .execute();
    },

    async list(limit) {
      const rows = await database
        .selectFrom('enrollments')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toEntry);
    },
  };
}

/** In the letters of the partial index, since with bound values the planner could not use it. */
const isUnfinished = sql<boolean>`state in ('open', 'pending', 'failed')`;

/** What an earlier enrolment with the same fingerprint means for this one; undefined: there is none that counts. */
async function answerOfEarlier(
  transaction: Transaction<Tables>,
  enrollment: NewEnrollment,
  window: RepeatWindow,
): Promise<OpenedEnrollment | undefined> {
  const unfinished = await transaction
    .selectFrom('enrollments')
    .select(['id', 'state', 'reference', 'opened_at'])
    .where('fingerprint', '=', enrollment.fingerprint)
    .where(isUnfinished)
    .executeTakeFirst();
  if (unfinished === undefined)
    return await issuedWithin(transaction, enrollment.fingerprint, window.issuedSince);
  const { id, state, reference, opened_at: openedAt } = unfinished;
  if (state === 'pending' && reference !== null) return { state, id, reference };
  if (state === 'open' && openedAt >= window.openedSince.getTime()) return { state: 'in_progress' };
  await transaction
    .updateTable('enrollments')
    .set({ state: 'open', request_id: enrollment.requestId, opened_at: window.now.getTime() })
    .where('id', '=', id)
    .execute();
  return { state: 'opened', id };
}

async function issuedWithin(
  transaction: Transaction<Tables>,
  fingerprint: string,
  since: Date,
): Promise<OpenedEnrollment | undefined> {
  const issued = await transaction
    .selectFrom('enrollments')
    .select('certificate')
    .where('fingerprint', '=', fingerprint)
    .where('state', '=', sql.lit('issued'))
    .where('closed_at', '>=', since.getTime())
    .orderBy('closed_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (issued === undefined || issued.certificate === null) return undefined;
  return { state: 'issued', certificate: Buffer.from(issued.certificate) };
}

async function openNew(
  transaction: Transaction<Tables>,
  enrollment: NewEnrollment,
  now: Date,
): Promise<OpenedEnrollment> {
  const { alias, countedUser } = enrollment;
  if (countedUser !== undefined && !(await changeUses(transaction, alias, countedUser, -1))) {
    return { state: 'exhausted' };
  }
  const id = newId(now);
  await transaction
    .insertInto('enrollments')
    .values({
      id,
      fingerprint: enrollment.fingerprint,
      request_id: enrollment.requestId,
      alias,
      operation: enrollment.operation,
      identity: enrollment.identity,
      subject: enrollment.subject,
      public_key: enrollment.publicKey,
      counted_user: countedUser ?? null,
      state: 'open',
      opened_at: now.getTime(),
    })
    .execute();
  return { state: 'opened', id };
}

/** Takes a use of a user, or gives it back; false when there is none to take. */
async function changeUses(
  transaction: Transaction<Tables>,
  alias: string,
  name: string,
  change: 1 | -1,
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
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
  return now.getTime().toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
}

function toEntry(row: Selectable<Tables['enrollments']>): JournalEntry {
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
