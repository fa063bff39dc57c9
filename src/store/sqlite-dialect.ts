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

function createDriver(database: DatabaseSync): Driver {
  const statements = createStatements(database);
  /** The connection whose transaction is under way; SQLite has one connection, so that others wait. */
  let busy: DatabaseConnection | undefined;
  let free: PromiseWithResolvers<void> | undefined;
  const group = createGroup(database, () => busy !== undefined);

  /** Callers check this and go on in the same turn, so that nobody comes in between. */
  function mustWait(connection: DatabaseConnection): boolean {
    return busy !== undefined && busy !== connection;
  }

  function endTransaction(): void {
    busy = undefined;
    free?.resolve();
  }

  function createConnection(): DatabaseConnection {
    const connection: DatabaseConnection = {
      async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
        while (mustWait(connection)) await free?.promise;
        if (!SelectQueryNode.is(query.query)) group.begin();
        const result = statements.run<Row>(query);
        if (busy !== connection) await group.committed();
        return result;
      },
      streamQuery() {
        throw new Error('The store reads no result as a stream.');
      },
    };
    return connection;
  }

  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(createConnection()),
    async beginTransaction(connection) {
      while (mustWait(connection)) await free?.promise;
      busy = connection;
      free = Promise.withResolvers();
      group.begin();
      database.exec('SAVEPOINT work');
    },
    async commitTransaction() {
      database.exec('RELEASE work');
      endTransaction();
      await group.committed();
    },
    rollbackTransaction() {
      database.exec('ROLLBACK TO work; RELEASE work');
      endTransaction();
      return Promise.resolve();
    },
    releaseConnection: () => Promise.resolve(),
    async destroy() {
      await group.committed();
      database.close();
    },
  };
}

/** The changes that are committed together. */
interface Group {
  /** Opens a group unless one is open. */
  begin(): void;
  /** Resolves when the open group, if any, is durable. */
  committed(): Promise<void> | undefined;
}

/** Milliseconds that a group waits for more changes, when the one before held several. */
const gatherTime = 4;

function createGroup(database: DatabaseSync, isBusy: () => boolean): Group {
  let open: PromiseWithResolvers<void> | undefined;
  let changes = 0;
  let changesBefore = 0;

  function commit(): void {
    if (isBusy()) {
      setImmediate(commit);
      return;
    }
    const group = open;
    open = undefined;
    changesBefore = changes;
    try {
      database.exec('COMMIT');
      group?.resolve();
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      group?.reject(error);
    }
  }

  return {
    begin() {
      changes += 1;
      if (open !== undefined) return;
      changes = 1;
      // A deferred transaction fails when another process writes between its reading and its writing.
      database.exec('BEGIN IMMEDIATE');
      open = Promise.withResolvers();
      // When the only statement of a group failed, nobody else waits for its commit.
      open.promise.catch(() => undefined);
      // A lone enrolment does not wait; under load an fsync for each change would cost more than all the rest.
      if (changesBefore > 1) setTimeout(commit, gatherTime);
      else setImmediate(commit);
    },
    committed: () => open?.promise,
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
