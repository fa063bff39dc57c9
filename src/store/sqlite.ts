import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { createCertificateRegistry } from './certificates.ts';
import { createEnrollmentJournal } from './enrollments.ts';
import { migrate } from './migrations.ts';
import type { StateStore, StateStoreDriver } from './store.ts';
import type { Tables } from './tables.ts';
import { createUserRegistry } from './users.ts';

interface SqliteOptions {
  readonly file: string;
}

/** State in one SQLite file: no server needed; several processes of one machine may share it. */
export const sqlite: StateStoreDriver<SqliteOptions> = {
  name: 'sqlite',
  optionsSchema: {
    type: 'object',
    title: 'SQLite',
    description:
      'State in one file. Several processes on one machine may share it, several machines may not.',
    properties: {
      file: {
        type: 'string',
        format: 'file',
        title: 'Database file',
        description: 'Made on first use, readable by its owner alone.',
      },
    },
    required: ['file'],
    additionalProperties: false,
  },
  open: openSqlite,
};

async function openSqlite({ file }: SqliteOptions): Promise<StateStore> {
  const connection = connect(file);
  const database = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: asKyselyExpects(connection) }),
  });
  try {
    // One process migrates; another one that opens the same file waits for it here.
    connection.exec('BEGIN IMMEDIATE');
    await migrate(database);
    connection.exec('COMMIT');
  } catch (error) {
    connection.close();
    throw error;
  }
  return {
    enrollments: createEnrollmentJournal(database),
    users: createUserRegistry(database),
    certificates: createCertificateRegistry(database),
    close: async () => {
      await database.destroy();
    },
  };
}

/** SQLite gives its -wal and -shm files the mode of the database file. */
function connect(file: string): DatabaseSync {
  try {
    closeSync(openSync(file, 'a', 0o600));
    const connection = new DatabaseSync(file);
    connection.exec('PRAGMA busy_timeout = 5000');
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec('PRAGMA synchronous = FULL');
    return connection;
  } catch (error) {
    throw new Error(`The SQLite file ${file} cannot be opened; its folder must exist and be writable.`, {
      cause: error,
    });
  }
}

/** A connection in the form that kysely's SQLite dialect knows; every statement is prepared once. */
function asKyselyExpects(connection: DatabaseSync): SqliteDatabase {
  const prepared = new Map<string, SqliteStatement>();
  return {
    prepare(sql) {
      const known = prepared.get(sql);
      if (known !== undefined) return known;
      // A deferred transaction that turns from reading to writing fails when another process wrote meanwhile.
      const statement = toStatement(connection.prepare(sql === 'begin' ? 'begin immediate' : sql));
      prepared.set(sql, statement);
      return statement;
    },
    close() {
      connection.close();
    },
  };
}

function toStatement(statement: StatementSync): SqliteStatement {
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...toValues(parameters)),
    run: (parameters) => statement.run(...toValues(parameters)),
    iterate: (parameters) => statement.iterate(...toValues(parameters)),
  };
}

/** Kysely's types say unknown; the tables hold nothing but strings, numbers, null and octets. */
function toValues(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[];
}
