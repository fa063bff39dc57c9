import { randomUUID } from 'node:crypto';
import type { Kysely, Selectable } from 'kysely';
import type { DigestSecrets, User, UserRegistry } from './store.ts';
import type { Tables } from './tables.ts';

/** The users over any database that kysely speaks to. */
export function createUserRegistry(database: Kysely<Tables>): UserRegistry {
  const codeHashes = (alias: string) =>
    database.selectFrom('users').select('code_hash').where('alias', '=', alias).limit(1);

  return {
    async add({ alias, name, codeHash, digestSecrets, remainingUses, expiresAt, createdAt }) {
      const result = await database
        .insertInto('users')
        .values({
          id: randomUUID(),
          alias,
          name,
          code_hash: codeHash,
          digest_secrets: digestSecrets === undefined ? null : JSON.stringify(digestSecrets),
          remaining_uses: remainingUses ?? null,
          expires_at: expiresAt?.getTime() ?? null,
          created_at: createdAt.getTime(),
        })
        .onConflict((conflict) => conflict.columns(['alias', 'name']).doNothing())
        .executeTakeFirst();
      return result.numInsertedOrUpdatedRows === 1n;
    },

    async remove(alias, name) {
      const { numDeletedRows } = await database
        .deleteFrom('users')
        .where('alias', '=', alias)
        .where('name', '=', name)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },

    async find(alias, name) {
      const row = await database
        .selectFrom('users')
        .selectAll()
        .where('alias', '=', alias)
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toUser(row);
    },

    async replaceCodeHash(alias, name, expected, codeHash) {
      const { numUpdatedRows } = await database
        .updateTable('users')
        .set({ code_hash: codeHash })
        .where('alias', '=', alias)
        .where('name', '=', name)
        .where('code_hash', '=', expected)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async hasOtherCodeHash(alias, prefix) {
      const beforeOrAfter = await Promise.all([
        codeHashes(alias).where('code_hash', '<', prefix).executeTakeFirst(),
        codeHashes(alias).where('code_hash', '>=', `${prefix}${lastCharacter}`).executeTakeFirst(),
      ]);
      return beforeOrAfter.some((row) => row !== undefined);
    },

    async list() {
      const rows = await database.selectFrom('users').selectAll().orderBy('alias').orderBy('name').execute();
      return rows.map(toUser);
    },
  };
}

/** Sorts after all that hashes are written in. */
const lastCharacter = '\u{7f}';

function toUser(row: Selectable<Tables['users']>): User {
  return {
    id: row.id,
    alias: row.alias,
    name: row.name,
    codeHash: row.code_hash,
    ...(row.digest_secrets !== null && { digestSecrets: JSON.parse(row.digest_secrets) as DigestSecrets }),
    remainingUses: row.remaining_uses ?? undefined,
    ...(row.expires_at !== null && { expiresAt: new Date(row.expires_at) }),
    createdAt: new Date(row.created_at),
  };
}
