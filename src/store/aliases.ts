import { randomBytes } from 'node:crypto';
import type { Database, TransactionalDatabase } from './database.ts';
import type { AliasRegistry, LeftAlias } from './store.ts';
import { sql } from './kysely.ts';

/** The aliases over any database that kysely speaks to. */
export function createAliasRegistry(database: TransactionalDatabase): AliasRegistry {
  return {
    async identify(name, configuration) {
      const known = await findBound(database, configuration, name);
      if (known !== undefined) return known;
      return await database.transaction(async (transaction) => {
        const id = (await findServed(transaction, name)) ?? (await createAlias(transaction, name));
        await transaction.kysely
          .insertInto('alias_bindings')
          .values({ configuration, name, id })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        return id;
      });
    },

    async find(name) {
      return (await findLast(database, name))?.id;
    },

    async keepOnly(names, configuration, now) {
      const bound = await database.kysely
        .selectFrom('alias_bindings')
        .selectAll()
        .where('configuration', '=', configuration)
        .execute();
      const gone = bound.filter(({ name }) => !names.includes(name));
      if (gone.length === 0) return;
      await database.transaction(async (transaction) => {
        for (const { name, id } of gone) await leave(transaction, { configuration, name, id }, now);
      });
    },

    async rename(from, to, now) {
      return await database.transaction(async (transaction) => {
        const moved = await findLast(transaction, from);
        if (moved === undefined) return { state: 'unknown' };
        const other = await findServed(transaction, to);
        if (other === moved.id) return { state: 'renamed', withoutDigest: 0 };
        const doubled = other === undefined ? [] : await usersOfBoth(transaction, moved.id, other);
        if (doubled.length > 0) return { state: 'doubled', users: doubled };
        if (other !== undefined) await merge(transaction, other, moved.id, now);
        await transaction.kysely
          .updateTable('aliases')
          .set({ name: to, left_at: null })
          .where('id', '=', moved.id)
          .execute();
        await transaction.kysely
          .updateTable('alias_bindings')
          .set({ name: to })
          .where('id', '=', moved.id)
          .execute();
        return { state: 'renamed', withoutDigest: await forgetDigest(transaction, moved.id) };
      });
    },

    async left(names, configuration) {
      const bindings = await database.kysely.selectFrom('alias_bindings').selectAll().execute();
      const isServed = (binding: Binding): boolean =>
        binding.configuration !== configuration || names.includes(binding.name);
      const served = new Set(bindings.filter(isServed).map(({ id }) => id));
      const leaving = bindings.filter(({ id }) => !served.has(id)).map(({ id }) => id);
      const rows = await database.kysely
        .selectFrom('aliases')
        .select(['id', 'name'])
        .where((row) => row.or([row('left_at', 'is not', null), row('id', 'in', leaving)]))
        .orderBy('name')
        .execute();
      const counted = await Promise.all(
        rows.map(async (row) => ({ ...row, ...(await count(database, row)) })),
      );
      return counted.filter(({ users, waiting }) => users + waiting > 0);
    },

    async list() {
      return await database.kysely.selectFrom('aliases').select(['id', 'name']).execute();
    },
  };
}

interface Binding {
  readonly configuration: string;
  readonly name: string;
  readonly id: string;
}

async function findBound(
  { kysely }: Database,
  configuration: string,
  name: string,
): Promise<string | undefined> {
  const row = await kysely
    .selectFrom('alias_bindings')
    .select('id')
    .where('configuration', '=', configuration)
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.id;
}

/** Of the alias that some configuration has under this name, or that an older release wrote of. */
async function findServed({ kysely }: Database, name: string): Promise<string | undefined> {
  const row = await kysely
    .selectFrom('aliases')
    .select('id')
    .where('name', '=', name)
    .where('left_at', 'is', null)
    .executeTakeFirst();
  return row?.id;
}

/** The last one that was left with something, else the one that is served, else the last one that was left. */
async function findLast(database: Database, name: string): Promise<{ readonly id: string } | undefined> {
  const left = await database.kysely
    .selectFrom('aliases')
    .select('id')
    .where('name', '=', name)
    .where('left_at', 'is not', null)
    .orderBy('left_at', 'desc')
    .execute();
  for (const row of left) {
    const { users, waiting } = await count(database, row);
    if (users + waiting > 0) return row;
  }
  const served = await findServed(database, name);
  return served === undefined ? left[0] : { id: served };
}

/** The first alias of a name is known by it; no later one is. */
async function createAlias({ kysely }: Database, name: string): Promise<string> {
  const namesake = await kysely.selectFrom('aliases').select('id').where('id', '=', name).executeTakeFirst();
  const id = namesake === undefined ? name : `${name} ${randomBytes(8).toString('hex')}`;
  await kysely.insertInto('aliases').values({ id, name, left_at: null }).execute();
  return id;
}

/** What another configuration still serves is not left. */
async function leave({ kysely }: Database, { configuration, name, id }: Binding, now: Date): Promise<void> {
  await kysely
    .deleteFrom('alias_bindings')
    .where('configuration', '=', configuration)
    .where('name', '=', name)
    .execute();
  await kysely
    .updateTable('aliases')
    .set({ left_at: now.getTime() })
    .where('id', '=', id)
    .where((row) => row.not(row.exists(row.selectFrom('alias_bindings').select('name').where('id', '=', id))))
    .execute();
}

async function usersOfBoth({ kysely }: Database, one: string, other: string): Promise<readonly string[]> {
  const rows = await kysely
    .selectFrom('users')
    .innerJoin('users as others', 'others.name', 'users.name')
    .select('users.name')
    .where('users.alias', '=', one)
    .where('others.alias', '=', other)
    .execute();
  return rows.map(({ name }) => name);
}

/** What came under the new name before the old alias got it. */
async function merge({ kysely }: Database, from: string, into: string, now: Date): Promise<void> {
  await kysely.updateTable('users').set({ alias: into }).where('alias', '=', from).execute();
  await kysely.updateTable('enrollments').set({ alias: into }).where('alias', '=', from).execute();
  await kysely.updateTable('alias_bindings').set({ id: into }).where('id', '=', from).execute();
  await kysely.updateTable('aliases').set({ left_at: now.getTime() }).where('id', '=', from).execute();
}

async function count(
  { kysely }: Database,
  { id }: Pick<LeftAlias, 'id'>,
): Promise<Pick<LeftAlias, 'users' | 'waiting'>> {
  const { users } = await kysely
    .selectFrom('users')
    .select(({ fn }) => fn.countAll<number>().as('users'))
    .where('alias', '=', id)
    .executeTakeFirstOrThrow();
  const { waiting } = await kysely
    .selectFrom('enrollments')
    .select(({ fn }) => fn.countAll<number>().as('waiting'))
    .where('alias', '=', id)
    .where(sql<boolean>`state = 'pending'`)
    .executeTakeFirstOrThrow();
  return { users, waiting };
}

/** The hashes of Digest hold the name of the alias as their realm. */
async function forgetDigest({ kysely }: Database, alias: string): Promise<number> {
  const { numUpdatedRows } = await kysely
    .updateTable('users')
    .set({ digest_secrets: null })
    .where('alias', '=', alias)
    .where('digest_secrets', 'is not', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
