import type { Database } from '../database.ts';
import type { Quota } from '../store.ts';
import { oneRow } from './queries.ts';

/** The time of the oldest record that fills a quota; undefined: there is room for one more. */
export async function reachedQuota(
  database: Database,
  alias: string,
  { of, key, most, since, pendingSince }: Quota,
): Promise<Date | undefined> {
  const filling = await database.kysely
    .selectFrom('enrollments')
    .select('opened_at')
    .where('alias', '=', alias)
    .where(of === 'client' ? 'quota_key' : 'registration_authority', '=', key)
    .where('opened_at', '>', since.getTime())
    .where('state', 'not in', ['refused', 'surplus'])
    .where('spends', '=', 1)
    .where((row) => row.or([row('state', '!=', 'pending'), row('closed_at', '>=', pendingSince.getTime())]))
    .orderBy('opened_at', 'desc')
    .offset(most - 1)
    .limit(oneRow)
    .executeTakeFirst();
  return filling && new Date(filling.opened_at);
}
