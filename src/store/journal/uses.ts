import type { Database } from '../database.ts';
import type { LimitsRow } from './queries.ts';

/** Why a user can have no new certificate. */
export type Spent = 'exhausted' | 'expired';

/** Takes one use of a user, where uses are counted; gives the reason when the user can have no certificate now. */
export async function takeUse(
  transaction: Database,
  id: string,
  limits: LimitsRow | undefined,
  now: Date,
): Promise<Spent | undefined> {
  const spent = spentBy(limits, now);
  if (spent !== undefined || limits?.remaining_uses === null) return spent;
  return (await changeUses(transaction, id, -1)) ? undefined : 'exhausted';
}

/** Why a user can have no certificate now; undefined: it can. */
export function spentBy(limits: LimitsRow | undefined, now: Date): Spent | undefined {
  if (limits === undefined) return 'exhausted';
  if (limits.expires_at !== null && limits.expires_at <= now.getTime()) return 'expired';
  return limits.remaining_uses === 0 ? 'exhausted' : undefined;
}

/** Takes a use of a user, or gives it back; false when there is none to take, or the user is gone. */
export async function changeUses({ kysely }: Database, id: string, change: 1 | -1): Promise<boolean> {
  const { numUpdatedRows } = await kysely
    .updateTable('users')
    .set((row) => ({ remaining_uses: row('remaining_uses', '+', change) }))
    .where('id', '=', id)
    .where('remaining_uses', '>=', change === -1 ? 1 : 0)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
