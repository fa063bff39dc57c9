import type { UpdateResult } from 'kysely';
import type { Database, TransactionalDatabase } from '../database.ts';
import { isUnfinished } from './states.ts';
import { changeUses } from './uses.ts';
import type { PreparedQuery } from '../prepared.ts';
import type { IssuedRow } from './queries.ts';
import { newId } from './record-id.ts';
import type { EnrollmentJournal, IssuedCertificate, IssuedOutcome, RecordAttempt } from '../store.ts';

/** What becomes of the records of the journal. */
export function createOutcomes(
  database: TransactionalDatabase,
  issue: PreparedQuery<IssuedRow, UpdateResult>,
): Pick<
  EnrollmentJournal,
  'issued' | 'pending' | 'refused' | 'rejected' | 'failed' | 'nothingIssued' | 'forget'
> {
  async function closeAndGiveBack(
    of: RecordAttempt,
    state: 'refused' | 'rejected',
    code: string,
    now: Date,
  ): Promise<void> {
    await database.transaction(async (transaction) => {
      const record = await change(transaction, of)
        .set({ state, code, closed_at: now.getTime() })
        .returning('counted_user')
        .executeTakeFirst();
      const user = record?.counted_user ?? undefined;
      if (user !== undefined) await changeUses(transaction, user, 1);
    });
  }

  return {
    async issued(id, { certificate, serialNumber, notAfter, publicKey, names }, now) {
      const row = {
        id,
        certificate,
        serial_number: serialNumber,
        not_after: notAfter.getTime(),
        public_key: publicKey,
        names,
        closed_at: now.getTime(),
      };
      const { numAffectedRows } = await issue(database, row);
      if (numAffectedRows === 1n) return { state: 'recorded' };
      return await database.transaction(async (transaction) => await keepLate(transaction, row, certificate));
    },

    async pending(of, reference, now) {
      await change(database, of).set({ state: 'pending', reference, closed_at: now.getTime() }).execute();
    },

    refused: async (of, code, now) => {
      await closeAndGiveBack(of, 'refused', code, now);
    },

    rejected: async (of, code, now) => {
      await closeAndGiveBack(of, 'rejected', code, now);
    },

    async failed(of, code, now) {
      await change(database, of)
        .set({ state: 'failed', code, closed_at: now.getTime(), in_doubt: 1 })
        .where('state', '=', 'open')
        .execute();
    },

    async nothingIssued(of, code, now) {
      await database.transaction(async (transaction) => {
        const record = await transaction.kysely
          .selectFrom('enrollments')
          .select(['counted_user', 'in_doubt'])
          .where('id', '=', of.id)
          .where('attempt', '=', of.attempt)
          .where('state', '=', 'open')
          .executeTakeFirst();
        if (record === undefined) return;
        const isFree = record.in_doubt === 0;
        await change(transaction, of)
          .set({
            ...{ state: 'failed', code, closed_at: now.getTime() },
            ...(isFree && { spends: 0, counted_user: null }),
          })
          .execute();
        if (isFree && record.counted_user !== null) await changeUses(transaction, record.counted_user, 1);
      });
    },

    forget: async (id, now) =>
      await database.transaction(async (transaction) => await forget(transaction, id, now)),
  };
}

/** A change of a record that is unfinished, and was not opened again since. */
function change({ kysely }: Database, { id, attempt }: RecordAttempt) {
  return kysely
    .updateTable('enrollments')
    .where('id', '=', id)
    .where('attempt', '=', attempt)
    .where(isUnfinished);
}

async function forget(
  transaction: Database,
  id: string,
  now: Date,
): Promise<'forgotten' | 'unknown' | 'in_progress'> {
  const { kysely } = transaction;
  const record = await kysely
    .selectFrom('enrollments')
    .select(['state', 'under_way_until', 'counted_user'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (record === undefined) return 'unknown';
  const { state, under_way_until: until, counted_user: user } = record;
  if (state === 'open' && (until ?? 0) >= now.getTime()) return 'in_progress';
  const isWaiting = state === 'pending';
  await kysely
    .updateTable('enrollments')
    .set({ fingerprint: `forgotten ${id}`, ...(isWaiting && { state: 'refused', closed_at: now.getTime() }) })
    .where('id', '=', id)
    .execute();
  if (isWaiting && user !== null) await changeUses(transaction, user, 1);
  return 'forgotten';
}

/** Of two attempts, the first certificate is the one of the record. */
async function keepLate(
  { kysely }: Database,
  { id, ...issued }: IssuedRow,
  certificate: IssuedCertificate['certificate'],
): Promise<IssuedOutcome> {
  const record = await kysely
    .selectFrom('enrollments')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  const recorded = record.certificate === null ? undefined : Buffer.from(record.certificate);
  if (recorded?.equals(certificate) === true) return { state: 'recorded' };
  const own = { id: newId(new Date(issued.closed_at)), state: 'surplus' } as const;
  const none = { counted_user: null, code: null, reference: null };
  await kysely
    .insertInto('enrollments')
    .values({ ...record, ...issued, ...own, ...none })
    .execute();
  return { state: 'surplus', recorded };
}
