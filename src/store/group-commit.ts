import { performance } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Checkpoints } from './checkpoints.ts';
import type { Until } from './store.ts';
import type { WriteAheadLog } from './write-ahead-log.ts';

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
  /** Ends the turn; resolves when the whole group is written or durable, rejects when it is lost. */
  done(until: Until): Promise<void>;
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
 * Writes together what is written at about the same time, and lets one fdatasync make it durable, off the event loop:
 * SQLite itself waits for the disk with no commit. Groups are written while the disk is busy with earlier ones. Writers
 * gather before the database is locked; it stays locked only while they write, one after the other within one turn of the
 * event loop, so that other processes get their turn too.
 */
export function createGroupCommit(
  database: DatabaseSync,
  log: WriteAheadLog,
  checkpoints: Checkpoints,
): GroupCommit {
  // Prepared once: these run more often than all others.
  const [begin, commit] = [database.prepare('BEGIN IMMEDIATE'), database.prepare('COMMIT')];
  let waiting: Writer[] = [];
  let running: Promise<void> | undefined;
  let loss: { readonly error: unknown } | undefined;

  async function runGroups(): Promise<void> {
    while (waiting.length > 0) {
      await gather();
      await checkpoints.ready();
      const writers = waiting;
      waiting = [];
      await runGroup(writers);
      checkpoints.written(writers.length);
    }
    running = undefined;
  }

  async function runGroup(writers: readonly Writer[]): Promise<void> {
    try {
      // What cannot become durable must not be seen either.
      if (loss !== undefined) throw loss.error;
      await lock(begin);
    } catch (error) {
      for (const { begin } of writers) begin.reject(error);
      return;
    }
    const written: PromiseWithResolvers<void> = Promise.withResolvers();
    // Perhaps nobody waits for it.
    written.promise.catch(() => undefined);
    let durable: Promise<void> | undefined;
    for (const { begin, end } of writers) {
      // A full disk ends the transaction; what is written after that would be alone.
      if (!database.isTransaction) {
        begin.reject(new Error('SQLite gave up the transaction.'));
        continue;
      }
      begin.resolve({
        done: async (until) => {
          end.resolve();
          // A group for which nobody waits has no fdatasync, which others would have to wait for.
          await (until === 'written' ? written.promise : (durable ??= written.promise.then(makeDurable)));
        },
      });
      await end.promise;
    }
    try {
      commit.run();
      written.resolve();
    } catch (error) {
      written.reject(error);
      if (database.isTransaction) database.exec('ROLLBACK');
    }
  }

  async function makeDurable(): Promise<void> {
    try {
      await log.sync();
    } catch (error) {
      loss = { error };
      throw error;
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

/** Takes the write lock by `BEGIN IMMEDIATE`; while another connection has it, the event loop goes on. */
export async function lock(begin: StatementSync): Promise<void> {
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
