import type { TransactionalDatabase } from '../database.ts';
import { sql } from '../kysely.ts';
import type { EnrollmentJournal, JournalEntry } from '../store.ts';
import { createOpening, findEarlier } from './opening.ts';
import { createOutcomes } from './outcomes.ts';
import { prepareQueries, type Row } from './queries.ts';
import { reachedQuota } from './quotas.ts';
import { isIssued } from './states.ts';
import { spentBy } from './uses.ts';

/** The journal over any database that kysely speaks to. */
export function createEnrollmentJournal(database: TransactionalDatabase): EnrollmentJournal {
  const queries = prepareQueries(database.kysely);

  return {
    ...createOutcomes(database, queries.issue),

    open: createOpening(database, queries),

    async isRepeat(fingerprint, window) {
      return (await findEarlier(database, queries, fingerprint, window)) !== undefined;
    },

    async spentCode(user, window) {
      const [limits] = (await queries.user(database, { id: user })).rows;
      return await spentBy(database, user, limits, window);
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
