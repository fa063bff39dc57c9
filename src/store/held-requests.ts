import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { TransactionalDatabase } from './database.ts';
import type { Decision, HeldRequest, HeldRequestRegistry } from './store.ts';
import type { Tables } from './tables.ts';

/** Octets of a reference: short enough to type, long enough for no two to be the same. */
const referenceLength = 5;

/** Held requests over any database that kysely speaks to. */
export function createHeldRequestRegistry(database: TransactionalDatabase): HeldRequestRegistry {
  return {
    async hold(request, now, askedSince) {
      return await database.transaction(async (transaction) => {
        await transaction.kysely
          .deleteFrom('held_requests')
          .where('ca', '=', request.ca)
          .where('asked_at', '<', askedSince.getTime())
          .execute();
        const row = await transaction.kysely
          .insertInto('held_requests')
          .values({
            ca: request.ca,
            reference: randomBytes(referenceLength).toString('hex'),
            idempotency_key: request.idempotencyKey,
            alias: request.alias,
            operation: request.operation,
            identity: request.identity,
            subject: request.subject,
            subject_alt_name: JSON.stringify(request.subjectAltName),
            key_type: request.keyType,
            public_key: request.publicKey,
            held_at: now.getTime(),
            asked_at: now.getTime(),
          })
          .onConflict((conflict) =>
            conflict.columns(['ca', 'idempotency_key']).doUpdateSet({ asked_at: now.getTime() }),
          )
          .returningAll()
          .executeTakeFirstOrThrow();
        return toHeldRequest(row);
      });
    },

    async undecided(ca, askedSince) {
      const rows = await database.kysely
        .selectFrom('held_requests')
        .selectAll()
        .where('ca', '=', ca)
        .where('asked_at', '>=', askedSince.getTime())
        .where('decision', 'is', null)
        .orderBy('held_at')
        .execute();
      return rows.map(toHeldRequest);
    },

    async decide(ca, reference, decision, askedSince) {
      const reason = decision.state === 'denied' ? decision.reason : null;
      const { numUpdatedRows } = await database.kysely
        .updateTable('held_requests')
        .set({ decision: decision.state, reason })
        .where('ca', '=', ca)
        .where('reference', '=', reference)
        .where('asked_at', '>=', askedSince.getTime())
        .where('decision', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows === 1n) return 'decided';
      const row = await database.kysely
        .selectFrom('held_requests')
        .select('decision')
        .where('ca', '=', ca)
        .where('reference', '=', reference)
        .where('asked_at', '>=', askedSince.getTime())
        .executeTakeFirst();
      return row === undefined ? 'unknown' : 'already';
    },
  };
}

type Row = Selectable<Tables['held_requests']>;

function toHeldRequest(row: Row): HeldRequest {
  return {
    ca: row.ca,
    reference: row.reference,
    idempotencyKey: row.idempotency_key,
    alias: row.alias,
    operation: row.operation,
    identity: row.identity,
    subject: row.subject,
    subjectAltName: JSON.parse(row.subject_alt_name) as string[],
    keyType: row.key_type,
    publicKey: row.public_key,
    heldAt: new Date(row.held_at),
    decision: toDecision(row),
  };
}

function toDecision({ decision, reason }: Pick<Row, 'decision' | 'reason'>): Decision | undefined {
  switch (decision) {
    case null:
      return undefined;
    case 'approved':
      return { state: decision };
    case 'denied':
      return { state: decision, reason: reason ?? '' };
  }
}
