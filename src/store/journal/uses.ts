import type { Database } from '../database.ts';
import type { RepeatWindow } from '../store.ts';
import type { LimitsRow } from './queries.ts';
import { isPending } from './states.ts';

/** Why a user can have no new certificate. */
export type Spent = 'exhausted' | 'expired';

/** Takes one use of a user, where uses are counted; gives the reason when the user can have no certificate now. */
export async function takeUse(
  transaction: Database,
  id: string,
  limits: LimitsRow | undefined,
  window: RepeatWindow,
): Promise<Spent | undefined> {
  const spent = await spentBy(transaction, id, limits, window);
  if (spent !== undefined || limits?.remaining_uses === null) return spent;
  if (limits?.remaining_uses === 0) await giveBackLapsed(transaction, id, window);
  return (await changeUses(transaction, id, -1)) ? undefined : 'exhausted';
}

/** Why a user can have no certificate now; undefined: it can. */
export async function spentBy(
  database: Database,
  id: string,
  limits: LimitsRow | undefined,
  window: RepeatWindow,
): Promise<Spent | undefined> {
  if (limits === undefined) return 'exhausted';
  if (limits.expires_at !== null && limits.expires_at <= window.now.getTime()) return 'expired';
  if (limits.remaining_uses !== 0) return undefined;
  return (await hasLapsed(database, id, window)) ? undefined : 'exhausted';
}

/** Whether a request lapsed that has taken a use of the user. */
async function hasLapsed({ kysely }: Database, id: string, { pendingSince }: RepeatWindow): Promise<boolean> {
  const lapsed = await kysely
    .selectFrom('enrollments')
    .select('id')
    .where('counted_user', '=', id)
    .where(isPending)
    .where('closed_at', '<', pendingSince.getTime())
    .executeTakeFirst();
  return lapsed !== undefined;
}

/** Of requests that have lapsed, each gives back its use. */
async function giveBackLapsed(
  transaction: Database,
  id: string,
  { pendingSince }: RepeatWindow,
): Promise<void> {
  const { numUpdatedRows } = await transaction.kysely
    .updateTable('enrollments')
    .set({ counted_user: null })
    .where('counted_user', '=', id)
    .where(isPending)
    .where('closed_at', '<', pendingSince.getTime())
    .executeTakeFirst();
  await changeUses(transaction, id, Number(numUpdatedRows));
}

/** Takes a use of a user (-1), or gives uses back; false when there is none to take, or the user is gone. */
export async function changeUses({ kysely }: Database, id: string, change: number): Promise<boolean> {
  const { numUpdatedRows } = await kysely
    .updateTable('users')
    .set((row) => ({ remaining_uses: row('remaining_uses', '+', change) }))
    .where('id', '=', id)
    .where('remaining_uses', '>=', Math.max(0, -change))
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
