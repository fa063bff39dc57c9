import type { Database } from '../database.ts';

/** Takes a use of a user, or gives it back; false when there is none to take. */
export async function changeUses(
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
