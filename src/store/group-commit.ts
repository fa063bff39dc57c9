import { setImmediate, setTimeout } from 'node:timers/promises';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Writing to SQLite in groups that are committed together. */
export interface GroupCommit {
  /**
   * Resolves when it is the caller's turn to write, alone. It must write without waiting for anything but the
   * database, and call `done` of its turn. Rejects when the database stays locked by another process.
   */
  turn(): Promise<Turn>;
  /** Resolves when no group is being written. */
  settled(): Promise<void>;
}

/** The right to write within a group. */
interface Turn {
  /** Ends the turn; resolves when the whole group is durable, rejects when it is lost. */
  done(): Promise<void>;
}

/** Milliseconds in which a group gathers, when the one before it had several writers. */
const gatherTime = 4;

/** How long to ask for the lock that another process holds, and how long to wait in between; milliseconds. */
const lockTimeout = 5000;
const lockPause = 2;

interface Writer {
  readonly begin: PromiseWithResolvers<Turn>;
  readonly end: PromiseWithResolvers<void>;
}

/**
 * Commits together what is written at about the same time: a commit costs an fsync, ten times as much as the
 * statements of an enrolment. Writers gather before the database is locked; it stays locked only while they
 * write, one after the other within one turn of the event loop, so that other processes get their turn too.
 */
export function createGroupCommit(database: DatabaseSync): GroupCommit {
  // Prepared once: these run more often than all others.
  const [begin, commit] = [database.prepare('BEGIN IMMEDIATE'), database.prepare('COMMIT')];
  let waiting: Writer[] = [];
  let running: Promise<void> | undefined;
  let writersBefore = 0;

  async function runGroups(): Promise<void> {
    while (waiting.length > 0) {
      // A lone enrolment does not wait for others.
      await (writersBefore > 1 ? setTimeout(gatherTime) : setImmediate());
      const writers = waiting;
      waiting = [];
      writersBefore = writers.length;
      await runGroup(writers);
    }
    running = undefined;
  }

  async function runGroup(writers: readonly Writer[]): Promise<void> {
    const durable: PromiseWithResolvers<void> = Promise.withResolvers();
    // When every statement of a group failed, nobody waits for its commit.
    durable.promise.catch(() => undefined);
    try {
      await lock(begin);
    } catch (error) {
      for (const { begin } of writers) begin.reject(error);
      return;
    }
    for (const { begin, end } of writers) {
      // A full disk ends the transaction; what is written after that would be alone.
      if (!database.isTransaction) {
        begin.reject(new Error('SQLite gave up the transaction.'));
        continue;
      }
      begin.resolve({
        done: () => {
          end.resolve();
          return durable.promise;
        },
      });
      await end.promise;
    }
    try {
      commit.run();
      durable.resolve();
    } catch (error) {
      durable.reject(error);
      if (database.isTransaction) database.exec('ROLLBACK');
    }
  }

  return {
    async turn() {
      const writer: Writer = { begin: Promise.withResolvers(), end: Promise.withResolvers() };
      waiting.push(writer);
      running ??= runGroups();
      return await writer.begin.promise;
    },
    settled: async () => {
      await running;
    },
  };
}

/** Takes the write lock; while another process has it, the event loop goes on. */
async function lock(begin: StatementSync): Promise<void> {
  const giveUpAt = performance.now() + lockTimeout;
  for (;;) {
    try {
      // A deferred transaction fails when another process writes between its reading and its writing.
      begin.run();
      return;
    } catch (error) {
      if (!isLocked(error) || performance.now() > giveUpAt) throw error;
    }
    await setTimeout(lockPause);
  }
}

/** SQLITE_BUSY: another connection holds the lock. */
function isLocked(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === 5;
}
