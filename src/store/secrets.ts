import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { Tables } from './tables.ts';

/** The secret of this name, 32 octets; of several processes that ask for it first, one makes it. */
export async function findOrMakeSecret(database: Kysely<Tables>, name: string): Promise<Buffer> {
  await database
    .insertInto('secrets')
    .values({ name, octets: randomBytes(32) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const { octets } = await database
    .selectFrom('secrets')
    .select('octets')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return Buffer.from(octets);
}
