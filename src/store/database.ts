import type { CompiledQuery, Kysely, QueryResult } from 'kysely';
import type { Until } from './store.ts';
import type { Tables } from './tables.ts';

/** A database, or one transaction of it. */
export interface Database {
  /** For whatever is asked seldom. */
  readonly kysely: Kysely<Tables>;
  /** Runs a query that was compiled before, without kysely's way to a connection, which costs more than SQLite itself. */
  run<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>>;
}

/** A database in which several changes can be made as one. */
export interface TransactionalDatabase extends Database {
  /**
   * Resolves when what the work has changed is durable, or as its result says; when the work rejects, nothing of it
   * remains.
   */
  transaction<Result>(
    work: (transaction: Database) => Promise<Result>,
    until?: (result: Result) => Until,
  ): Promise<Result>;
}
