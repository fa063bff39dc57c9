import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** What the thread is asked, one step at a time; the answer is undefined when it is done, else the error. */
export type CheckpointStep = 'copy' | 'restart' | 'close';

/** Milliseconds to wait for other connections, of this process and of others, while its own writers wait. */
const lockTimeout = 50;

const database = new DatabaseSync(workerData as string, { timeout: lockTimeout });
database.exec('PRAGMA synchronous = FULL');
database.exec('PRAGMA wal_autocheckpoint = 0');

/** Copies what is in the log to the database; readers and writers go on. */
function copy(): void {
  database.exec('PRAGMA wal_checkpoint(PASSIVE)');
}

/**
 * Copies what has come since, and begins the log anew. Its new header must be on the disk before what follows it; SQLite
 * waits for that with the first change, so that one is made here, to what the store does not use. While somebody reads an
 * older state of the database, a backup for example, the log goes on as it is.
 */
function restart(): void {
  const { busy } = database.prepare('PRAGMA wal_checkpoint(RESTART)').get() ?? {};
  if (busy === 0) database.exec('BEGIN IMMEDIATE; PRAGMA user_version = 0; COMMIT');
}

const steps: Readonly<Record<CheckpointStep, () => void>> = {
  copy,
  restart,
  close() {
    parentPort?.close();
    database.close();
  },
};

function take(step: CheckpointStep): unknown {
  try {
    steps[step]();
    return undefined;
  } catch (error) {
    return error;
  }
}

parentPort?.on('message', (step: CheckpointStep) => {
  parentPort?.postMessage(take(step));
});
