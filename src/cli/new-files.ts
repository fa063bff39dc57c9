import { lstat, mkdir, mkdtemp, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file to create; what is secret is for its owner alone. */
export interface NewFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly text: string;
  readonly secret: boolean;
}

/**
 * Creates files in a folder, and the folder if need be: all or none. They are written aside and then moved in, in
 * their order, so what refers to others comes last. Throws an Error with a sentence when one exists already.
 */
export async function createFiles(directory: string, files: readonly NewFile[]): Promise<void> {
  const created = await mkdir(directory, { recursive: true, mode: 0o700 });
  try {
    await moveIn(directory, files);
  } catch (error) {
    if (created !== undefined) await rmdir(directory);
    throw error;
  }
}

/** Whether there is anything at the path. */
export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

async function moveIn(directory: string, files: readonly NewFile[]): Promise<void> {
  const entries = [...new Set(files.map(({ name }) => name.replace(/\/.*/, '')))];
  for (const entry of entries) {
    const path = join(directory, entry);
    if (await exists(path)) throw new Error(`${path} exists already; nothing was changed.`);
  }
  const aside = await mkdtemp(join(directory, '.new-'));
  try {
    for (const file of files) await write(aside, file);
    for (const entry of entries) await rename(join(aside, entry), join(directory, entry));
  } finally {
    await rm(aside, { recursive: true });
  }
}

async function write(directory: string, { name, text, secret }: NewFile): Promise<void> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, text, { mode: secret ? 0o600 : 0o644 });
}
