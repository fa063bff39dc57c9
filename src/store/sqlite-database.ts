import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { CompiledQuery, DatabaseConnection, Dialect, QueryResult } from 'kysely';
import type { Database, TransactionalDatabase } from './database.ts';
import type { Checkpoints } from './checkpoints.ts';
import { createGroupCommit } from './group-commit.ts';
import type { Until } from './store.ts';
import type { Tables } from './tables.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';
import { Kysely, SelectQueryNode, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from './kysely.ts';

/** Runs one query. */
type Run = <Row>(query: CompiledQuery<Row>) => Promise<QueryResult<Row>>;

/** SQLite as the registries know a database. */
export interface SqliteDatabase extends TransactionalDatabase {
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
}

/** What a database is made of: a connection, and what its file needs besides. */
interface OpenedFile {
  readonly connection: DatabaseSync;
  readonly log: WriteAheadLog;
  readonly checkpoints: Checkpoints;
}

/**
 * SQLite with group commit: what is written at about the same time becomes durable together, and each promise resolves
 * only when its own change is. A failing statement or transaction of one caller leaves the others of its group untouched.
 */
export function sqliteDatabase({ connection, log, checkpoints }: OpenedFile): SqliteDatabase {
  const statements = createStatements(connection);
  const groups = createGroupCommit(connection, log, checkpoints);
  const [savepoint, release] = [connection.prepare('SAVEPOINT work'), connection.prepare('RELEASE work')];

  async function inTurn<Result>(
    work: () => Result | Promise<Result>,
    until: (result: Result) => Until,
  ): Promise<Result> {
    const turn = await groups.turn();
    let waitUntil: Until = 'written';
    try {
      const result = await work();
      waitUntil = until(result);
      return result;
    } finally {
      await turn.done(waitUntil);
    }
  }

  async function runInTurn<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>> {
    if (SelectQueryNode.is(query.query)) return statements.run(query);
    return await inTurn(() => statements.run<Row>(query), untilDurable);
  }

  // Whoever has the turn is alone, so that one serves all transactions.
  const inTransaction = databaseOf(async (query) => await Promise.resolve(statements.run(query)));

  async function runWhole<Result>(work: (transaction: Database) => Promise<Result>): Promise<Result> {
    try {
      savepoint.run();
      const result = await work(inTransaction);
      release.run();
      return result;
    } catch (error) {
      // A full disk has ended the transaction already.
      if (connection.isTransaction) connection.exec('ROLLBACK TO work; RELEASE work');
      throw error;
    }
  }

  return {
    ...databaseOf(runInTurn),
    transaction: async (work, until = untilDurable) => await inTurn(async () => await runWhole(work), until),
    settled: async () => {
      await groups.settled();
    },
  };
}

function untilDurable(): Until {
  return 'durable';
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
