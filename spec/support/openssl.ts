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
  const { stdout, stderr } = await runIn(commandLine, files);
  return stdout.toString() + stderr.toString();
}

/** As `openssl`, with the octets of its standard output alone. */
export async function opensslOctets(commandLine: string, files: Files = {}): Promise<Buffer> {
  return (await runIn(commandLine, files)).stdout;
}

interface Output {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

async function runIn(commandLine: string, files: Files): Promise<Output> {
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

async function run(words: readonly string[], cwd: string): Promise<Output> {
  return await new Promise((resolve, reject) => {
    execFile('openssl', words, { cwd, encoding: 'buffer', maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else reject(new Error(`openssl ${words.join(' ')}: ${stdout.toString()}${stderr.toString()}`));
    });
  });
}
