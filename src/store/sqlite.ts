import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { SqliteDatabase } from 'kysely';
import { createAliasRegistry } from './aliases.ts';
import { createAnswerRegistry } from './answers.ts';
import { createAttemptRegistry } from './attempts.ts';
import { createCertificateRegistry } from './certificates.ts';
import { createCheckpoints, type Checkpoints } from './checkpoints.ts';
import { createEnrollmentJournal } from './journal/journal.ts';
import { lock } from './group-commit.ts';
import { createHeldRequestRegistry } from './held-requests.ts';
import { migrate } from './migrations.ts';
import { sqliteDatabase } from './sqlite-database.ts';
import type { StateStore, StateStoreDriver } from './store.ts';
import type { Tables } from './tables.ts';
import { findOrMakeSecret } from './secrets.ts';
import { createUserRegistry } from './users.ts';
import { openWriteAheadLog } from './write-ahead-log.ts';
import { Kysely, SqliteDialect } from './kysely.ts';

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
  const hadLog = await holdsOctets(`${file}-wal`);
  await using opened = new AsyncDisposableStack();
  const checkpoints = opened.adopt(createCheckpoints(file), (thread) => thread.close());
  const connection = opened.adopt(connect(file), (open) => {
    open.close();
  });
  await migrateAlone(connection);
  // From here on SQLite waits for the disk with no commit; `group-commit.ts` does.
  connection.exec('PRAGMA synchronous = NORMAL');
  const log = opened.adopt(await openWriteAheadLog(file), (open) => open.close());
  if (hadLog) await copyLog(file, checkpoints);
  const database = sqliteDatabase({ connection, log, checkpoints });
  const running = opened.move();
  return {
    enrollments: createEnrollmentJournal(database),
    aliases: createAliasRegistry(database),
    users: createUserRegistry(database.kysely),
    certificates: createCertificateRegistry(database),
    heldRequests: createHeldRequestRegistry(database),
    attempts: createAttemptRegistry(database),
    answers: createAnswerRegistry(database.kysely),
    secret: async (name) => await findOrMakeSecret(database.kysely, name),
    close: async () => {
      await database.settled();
      await running.disposeAsync();
    },
  };
}

/**
 * What is found in the log may have been lost on its way to the disk, if an earlier process could not synchronise it:
 * whatever is written behind it would be lost with it. In the database it is written anew.
 */
async function copyLog(file: string, checkpoints: Checkpoints): Promise<void> {
  try {
    await checkpoints.copy();
  } catch (cause) {
    throw new Error(`The SQLite file ${file} cannot be used: its log cannot be moved to it.`, { cause });
  }
}

async function holdsOctets(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && found.size > 0;
}

/** Brings the tables up to date in one transaction; another process that opens the same file waits for it. */
async function migrateAlone(connection: DatabaseSync): Promise<void> {
  // Nothing waits for another connection while the event loop stands still.
  connection.exec('PRAGMA busy_timeout = 0');
  await lock(connection.prepare('BEGIN IMMEDIATE'));
  await migrate(
    new Kysely<Tables>({ dialect: new SqliteDialect({ database: asKyselyExpects(connection) }) }),
  );
  connection.exec('COMMIT');
}

/** SQLite gives its -wal and -shm files the mode of the database file. */
function connect(file: string): DatabaseSync {
  try {
    makeIfMissing(file);
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new Error(
      `The SQLite file ${file} cannot be opened; it and its folder must be writable for this user.`,
      { cause },
    );
  }
  try {
    const connection = new DatabaseSync(file);
    connection.exec('PRAGMA busy_timeout = 5000');
    connection.exec('PRAGMA journal_mode = WAL');
    connection.exec('PRAGMA synchronous = FULL');
    connection.exec('PRAGMA cache_size = -16384');
    connection.exec('PRAGMA wal_autocheckpoint = 0');
    return connection;
  } catch (cause) {
    throw new Error(`The SQLite file ${file} cannot be used: ${wordsOf(cause)}.`, { cause });
  }
}

/**
 * A file that exists is never opened here, since closing it would end the locks of this process on it (POSIX), those of an
 * earlier opening by SQLite too: another process would then take the database for unused, and remove its log.
 */
function makeIfMissing(file: string): void {
  try {
    closeSync(openSync(file, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** SQLite's own, which are plain: "file is not a database". */
function wordsOf(error: unknown): string {
  const known = typeof error === 'object' && error !== null && 'errstr' in error;
  return known ? String(error.errstr) : 'the cause is unknown';
}

/** A connection in the form that kysely's own dialect knows. */
function asKyselyExpects(connection: DatabaseSync): SqliteDatabase {
  return {
    prepare(sql) {
      const statement = connection.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
        run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
        iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
      };
    },
    close() {
      connection.close();
    },
  };
}
