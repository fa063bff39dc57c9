import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Files by their names, as they are given to a program. */
export type Files = Readonly<Record<string, string | Buffer>>;

/**
 * Runs the openssl command in a folder of its own that holds the given files, and resolves with all that it
 * printed, errors included. Rejects when it fails.
 */
export async function openssl(commandLine: string, files: Files = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'openssl-'));
  try {
    await Promise.all(
      Object.entries(files).map(async ([name, content]) => {
        await writeFile(join(folder, name), content);
      }),
    );
    return await run(commandLine.split(' '), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(words: readonly string[], cwd: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile('openssl', words, { cwd, encoding: 'utf8', maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout + stderr);
      else reject(new Error(`openssl ${words.join(' ')}: ${stdout}${stderr}`));
    });
  });
}
