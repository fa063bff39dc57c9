import { createRequire } from 'node:module';
import type * as kysely from 'kysely';

/** Kysely's CommonJS build: Node loads its 260 files in less time than those of the same code as modules. */
export const {
  Kysely,
  Migrator,
  sql,
  SelectQueryNode,
  SqliteAdapter,
  SqliteDialect,
  SqliteIntrospector,
  SqliteQueryCompiler,
} = createRequire(import.meta.url)('kysely') as typeof kysely;
