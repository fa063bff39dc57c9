import type { Selectable } from 'kysely';
import type { TransactionalDatabase } from './database.ts';
import type { Attempt, AttemptRegistry } from './store.ts';
import type { Tables } from './tables.ts';

/** Attempts and occupied end entities over any database that kysely speaks to. */
export function createAttemptRegistry(database: TransactionalDatabase): AttemptRegistry {
  return {
    async begin(record, { username, password, before }, now) {
      return await database.transaction(async ({ kysely }) => {
        const next = { username, password, started_at: now.getTime() };
        const row = await kysely
          .insertInto('attempts')
          .values({ record, number: 1, before, ...next })
          .onConflict((conflict) =>
            conflict
              .column('record')
              .doUpdateSet((row) => ({ number: row('attempts.number', '+', 1), ...next })),
          )
          .returningAll()
          .executeTakeFirstOrThrow();
        return toAttempt(row);
      });
    },

    async latest(record) {
      const row = await database.kysely
        .selectFrom('attempts')
        .selectAll()
        .where('record', '=', record)
        .executeTakeFirst();
      return row && toAttempt(row);
    },

    async end(record) {
      await database.kysely.deleteFrom('attempts').where('record', '=', record).execute();
    },

    async forget(before) {
      await database.kysely.deleteFrom('attempts').where('started_at', '<', before.getTime()).execute();
      await database.kysely
        .deleteFrom('occupied_end_entities')
        .where('until', '<', before.getTime())
        .execute();
    },

    async occupy({ backend, username }, record, now, until) {
      const taken = { record, until: until.getTime() };
      const row = await database.kysely
        .insertInto('occupied_end_entities')
        .values({ backend, username, ...taken })
        .onConflict((conflict) =>
          conflict
            .columns(['backend', 'username'])
            .doUpdateSet(taken)
            .where((row) =>
              row('occupied_end_entities.record', '=', record).or(
                'occupied_end_entities.until',
                '<=',
                now.getTime(),
              ),
            ),
        )
        .returning('record')
        .executeTakeFirst();
      return row !== undefined;
    },

    async vacate({ backend, username }, record) {
      await database.kysely
        .deleteFrom('occupied_end_entities')
        .where('backend', '=', backend)
        .where('username', '=', username)
        .where('record', '=', record)
        .execute();
    },

    async serialNumbersOf(publicKey, before) {
      const rows = await database.kysely
        .selectFrom('enrollments')
        .select('serial_number')
        .where('public_key', '=', publicKey)
        .where('state', '=', 'issued')
        .where('closed_at', '<', before.getTime())
        .execute();
      return rows.flatMap(({ serial_number: serialNumber }) => serialNumber ?? []);
    },
  };
}

function toAttempt(row: Selectable<Tables['attempts']>): Attempt {
  const { number, username, password, before } = row;
  return { number, username, password, before, startedAt: new Date(row.started_at) };
}
