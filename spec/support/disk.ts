import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** What the disk of a process is like: the variables of `disk.c`. */
export interface DiskBehaviour {
  /** So much longer does each fsync and fdatasync take. */
  readonly DISK_SYNC_MILLISECONDS?: string;
  /** A file; while it is there, what it says fails: `sync` or `write`. */
  readonly DISK_FAULT?: string;
  /** A folder that keeps a copy of each file as it was when it was last synchronised. */
  readonly DISK_SYNCED?: string;
}

/** Compiles the library in a folder; gives the environment in which a program meets such a disk. Needs `cc`. */
export function compileDisk(folder: string): (behaviour: DiskBehaviour) => NodeJS.ProcessEnv {
  const library = join(folder, 'disk.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(import.meta.dirname, 'disk.c')]);
  return (behaviour) => ({ ...process.env, LD_PRELOAD: library, ...behaviour });
}
