import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The write-ahead log of a SQLite database, as far as it must reach the disk. */
export interface WriteAheadLog {
  /**
   * Resolves when all that was written to the log before this call is on the disk; calls at about the same time share one
   * fdatasync. After one that failed all reject: the kernel reports a loss once, and forgets what it has lost.
   */
  sync(): Promise<void>;
  /** Waits for what is under way. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/**
 * Opens the log of a database that is open in this process: so its file is there, and stays the same one. SQLite holds its
 * locks on the database and on -shm; closing a descriptor of the log ends none of them.
 */
export async function openWriteAheadLog(database: string): Promise<WriteAheadLog> {
  // SQLite does so when it synchronises a new log itself; a file without its name would be lost.
  await syncFolder(dirname(database));
  const file = await open(`${database}-wal`, 'r+');
  let started = Promise.resolve();
  let queued: Promise<void> | undefined;

  // Never after one that failed: what was written behind something lost is lost with it.
  async function syncNow(): Promise<void> {
    if (queued !== undefined) started = queued;
    queued = undefined;
    try {
      await file.datasync();
    } catch (cause) {
      throw new Error(
        'The store could not be written to the disk; see to the disk, then restart the gateway.',
        {
          cause,
        },
      );
    }
  }

  return {
    async sync() {
      // One that has begun already may miss what was written since.
      queued ??= started.then(syncNow);
      await queued;
    },
    async close() {
      await Promise.allSettled([queued ?? started]);
      await file.close();
    },
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
