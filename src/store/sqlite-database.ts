import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  Kysely,
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type QueryResult,
} from 'kysely';
import type { Database, TransactionalDatabase } from './database.ts';
import { createGroupCommit } from './group-commit.ts';
import type { Tables } from './tables.ts';

/** Runs one query. */
type Run = <Row>(query: CompiledQuery<Row>) => Promise<QueryResult<Row>>;

/** SQLite as the registries know a database. */
export interface SqliteDatabase extends TransactionalDatabase {
  close(): Promise<void>;
}

/**
 * SQLite with group commit: what is written at about the same time is committed together, and each promise resolves
 * only when its own change is durable. A commit costs an fsync, which is ten times as much as the statements of an
 * enrolment; under load many enrolments share one. A failing statement or transaction of one caller leaves the others
 * of its group untouched.
 */
export function sqliteDatabase(connection: DatabaseSync): SqliteDatabase {
  const statements = createStatements(connection);
  const groups = createGroupCommit(connection);
  const [savepoint, release] = [connection.prepare('SAVEPOINT work'), connection.prepare('RELEASE work')];

  async function runInTurn<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>> {
    if (SelectQueryNode.is(query.query)) return statements.run(query);
    const turn = await groups.turn();
    try {
      return statements.run(query);
    } finally {
      await turn.done();
    }
  }

  // Whoever has the turn is alone, so that one serves all transactions.
  const inTransaction = databaseOf(async (query) => await Promise.resolve(statements.run(query)));

  return {
    ...databaseOf(runInTurn),
    async transaction(work) {
      const turn = await groups.turn();
      try {
        savepoint.run();
        const result = await work(inTransaction);
        release.run();
        return result;
      } catch (error) {
        // A full disk has ended the transaction already.
        if (connection.isTransaction) connection.exec('ROLLBACK TO work; RELEASE work');
        throw error;
      } finally {
        await turn.done();
      }
    },
    async close() {
      await groups.settled();
      connection.close();
    },
  };
}

function databaseOf(run: Run): Database {
  return { kysely: new Kysely<Tables>({ dialect: dialectOf(run) }), run };
}

/** SQLite has one connection for all; kysely is given what runs its queries. */
function dialectOf(run: Run): Dialect {
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(query: CompiledQuery) => await run(query as CompiledQuery<Row>),
    streamQuery() {
      throw new Error('The store reads no result as a stream.');
    },
  };
  const refuse = (): never => {
    throw new Error('Transactions of the store begin with transaction() of its database.');
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createDriver: () => ({
      init: () => Promise.resolve(),
      acquireConnection: () => Promise.resolve(connection),
      beginTransaction: refuse,
      commitTransaction: refuse,
      rollbackTransaction: refuse,
      releaseConnection: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
    }),
  };
}

interface PreparedStatement {
  readonly statement: StatementSync;
  readonly givesRows: boolean;
}

/** Statements, each prepared once. */
function createStatements(database: DatabaseSync): { run<Row>(query: CompiledQuery): QueryResult<Row> } {
  const prepared = new Map<string, PreparedStatement>();

  function prepare(sql: string): PreparedStatement {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    const fresh = { statement, givesRows: statement.columns().length > 0 };
    prepared.set(sql, fresh);
    return fresh;
  }

  return {
    run<Row>({ sql, parameters }: CompiledQuery): QueryResult<Row> {
      const { statement, givesRows } = prepare(sql);
      // Kysely's types say unknown; the tables hold nothing but strings, numbers, null and octets.
      const values = parameters as SQLInputValue[];
      if (givesRows) return { rows: statement.all(...values) as Row[] };
      const { changes } = statement.run(...values);
      return { numAffectedRows: BigInt(changes), rows: [] };
    },
  };
}
