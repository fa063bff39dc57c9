import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CheckpointStep } from './checkpoint-worker.ts';

/**
 * Moves what is in the write-ahead log of a SQLite database to the database itself, so that the log does not grow without
 * end. That waits for the disk again and again, and so has a thread and a connection of its own.
 */
export interface Checkpoints {
  /** Moves all that is there now. */
  copy(): Promise<void>;
  /** Counts transactions that were written; after many of them a checkpoint begins. */
  written(transactions: number): void;
  /**
   * Resolves when the log may be written to: writers wait while it begins anew, which takes four fsyncs, and for a checkpoint
   * that is slower than they are.
   */
  ready(): Promise<void>;
  /** Ends the thread when it is done with what it has begun. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** Transactions between two checkpoints; each adds about 20 kB to the log. */
const interval = 2000;

/** Transactions that may be written while a checkpoint copies; then writers wait for it, so that the log cannot outgrow it. */
const mostMeanwhile = 2 * interval;

/** Prepares the checkpoints of a database file that is open in this process. */
export function createCheckpoints(database: string): Checkpoints {
  const thread = createThread(database);
  let state: 'waiting' | 'copying' | 'copied' = 'waiting';
  let transactions = 0;
  let copying = Promise.resolve();

  /** What could not be moved stays in the log, and is tried again with the next checkpoint. */
  function warn(error: unknown): void {
    process.emitWarning(
      `The log of the store ${database} cannot be moved to the database, and grows: ${String(error)}`,
    );
  }

  async function copyMeanwhile(): Promise<void> {
    state = 'copying';
    transactions = 0;
    try {
      await thread.take('copy');
      state = 'copied';
    } catch (error) {
      state = 'waiting';
      warn(error);
    }
  }

  return {
    copy: async () => {
      await thread.take('copy');
    },
    written(more) {
      transactions += more;
      if (state === 'waiting' && transactions >= interval) copying = copyMeanwhile();
    },
    async ready() {
      if (state === 'copying' && transactions >= mostMeanwhile) await copying;
      if (state !== 'copied') return;
      state = 'waiting';
      await thread.take('restart').catch(warn);
    },
    close: async () => {
      await thread.close();
    },
  };
}

interface Thread {
  /** Resolves when the step is done; they are done one after the other. */
  take(step: CheckpointStep): Promise<void>;
  close(): Promise<void>;
}

/** The thread begins with the first step, and holds no process open while it has nothing to do. */
function createThread(database: string): Thread {
  let worker: Worker | undefined;
  let last = Promise.resolve();

  function start(): Worker {
    const file = new URL(`./checkpoint-worker${extension}`, import.meta.url);
    // What the process was started with is not for the thread, such as --input-type.
    const started = new Worker(file, { workerData: database, execArgv: [] });
    started.on('error', () => {
      worker = undefined;
    });
    return started;
  }

  async function ask(step: CheckpointStep): Promise<void> {
    worker ??= start();
    worker.ref();
    worker.postMessage(step);
    // Rejects when the thread ends by an error.
    const [error] = (await once(worker, 'message')) as [unknown];
    worker.unref();
    if (error !== undefined) throw error as Error;
  }

  return {
    async take(step) {
      const taken = last.then(async () => {
        await ask(step);
      });
      last = taken.catch(() => undefined);
      await taken;
    },
    async close() {
      await last;
      if (worker === undefined) return;
      worker.ref();
      worker.postMessage('close' satisfies CheckpointStep);
      await once(worker, 'exit');
    },
  };
}

/** That of this file: the sources run without a build, too. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
