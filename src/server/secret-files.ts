import { stat } from 'node:fs/promises';
import type { Configuration } from '../config/configuration.ts';
import type { Log } from '../ops/log.ts';

/** Others than owner and group may read. */
const readableByAll = 0o004;

/**
 * Warns of each secret of the configuration that lies in a file which every user of the machine can read. That is no
 * reason to refuse: containers mount their secrets so, and have no other users.
 */
export async function warnOfReadableSecrets(
  { drivers, ...settings }: Configuration,
  log: Log,
): Promise<void> {
  for (const file of new Set(secretFilesIn(settings))) {
    const { mode } = await stat(file);
    if ((mode & readableByAll) !== 0) {
      log.warn('Every user of this machine can read a secret file; "chmod o-r" ends that.', { file });
    }
  }
}

/** The paths of all references `file:PATH`, wherever they stand. */
function secretFilesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.startsWith('file:/') ? [value.slice('file:'.length)] : [];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretFilesIn) : [];
}
