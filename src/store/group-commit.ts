import { performance } from 'node:perf_hooks';
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

/** Milliseconds in which a group gathers at most. */
const longestGathering = 50;

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

  async function runGroups(): Promise<void> {
    while (waiting.length > 0) {
      await gather();
      const writers = waiting;
      waiting = [];
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

/**
 * Resolves when the event loop has nothing else to do: until then others may be about to write too. So nobody waits
 * while the gateway is idle, and the busier it is, the more share a commit.
 */
async function gather(): Promise<void> {
  const until = performance.now() + longestGathering;
  let before: number;
  do {
    before = eventsHandled();
    await setImmediate();
  } while (eventsHandled() > before && performance.now() < until);
}

/** How many events, such as octets that came in, the event loop has handled since the start. */
function eventsHandled(): number {
  return performance.nodeTiming.uvMetricsInfo.events;
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
