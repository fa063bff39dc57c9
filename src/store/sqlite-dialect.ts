import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import {
  SelectQueryNode,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { createGroupCommit, type Turn } from './group-commit.ts';

/**
 * SQLite for kysely with group commit: what is written at about the same time is committed together, and each
 * promise resolves only when its own change is durable. A commit costs an fsync, which is ten times as much as
 * the statements of an enrolment; under load many enrolments share one. A failing statement or transaction of
 * one caller leaves the others of its group untouched.
 */
export function sqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createDriver: () => createDriver(database),
  };
}

/** SQLite has one connection; what kysely calls so is a caller, with the transaction that it may have begun. */
interface SqliteConnection extends DatabaseConnection {
  begin(): Promise<void>;
  end(how: 'RELEASE work' | 'ROLLBACK TO work; RELEASE work'): Promise<void>;
}

function createDriver(database: DatabaseSync): Driver {
  const statements = createStatements(database);
  const groups = createGroupCommit(database);

  function createConnection(): SqliteConnection {
    /** Of the transaction under way on this connection. */
    let turn: Turn | undefined;
    return {
      async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
        if (turn !== undefined || SelectQueryNode.is(query.query)) return statements.run<Row>(query);
        const own = await groups.turn();
        try {
          return statements.run<Row>(query);
        } finally {
          await own.done();
        }
      },
      async begin() {
        turn = await groups.turn();
        database.exec('SAVEPOINT work');
      },
      async end(how) {
        const ended = turn;
        turn = undefined;
        // Kysely rolls back what could not be committed; then there is no turn any more.
        if (ended === undefined) return;
        if (database.isTransaction) database.exec(how);
        await ended.done();
      },
      streamQuery() {
        throw new Error('The store reads no result as a stream.');
      },
    };
  }

  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(createConnection()),
    beginTransaction: (connection: SqliteConnection) => connection.begin(),
    commitTransaction: (connection: SqliteConnection) => connection.end('RELEASE work'),
    rollbackTransaction: (connection: SqliteConnection) => connection.end('ROLLBACK TO work; RELEASE work'),
    releaseConnection: () => Promise.resolve(),
    async destroy() {
      await groups.settled();
      database.close();
    },
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
