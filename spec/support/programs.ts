import { describe, it } from '@jest/globals';
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/**
 * Whether what needs an external program, or a file at a path, is to be tried: it is installed, or REQUIRE_ALL=1 makes its lack
 * a failure.
 */
export function isTriedWith(program: string): boolean {
  const isThere = spawnSync('sh', ['-c', `command -v ${program} || test -f ${program}`]).status === 0;
  return isThere || process.env['REQUIRE_ALL'] === '1';
}

/**
 * A suite that needs an external program, if any. Where the program is missing, the suite says so and skips; with
 * REQUIRE_ALL=1 it runs, and fails.
 */
export function describeWith(program: string | undefined, title: string, suite: () => void): void {
  if (program === undefined || isTriedWith(program)) {
    describe(title, suite);
    return;
  }
  it.skip(`${title}: ${program} is not installed`, () => undefined);
}

/** A folder of a spec, in which it runs programs. */
export interface Workplace {
  readonly directory: string;
  /** Runs a line of bash in the folder; resolves with what it printed on stdout. Any failing part fails the line. */
  bash(line: string): Promise<string>;
  remove(): Promise<void>;
}

/** Makes an empty folder. */
export async function openWorkplace(): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), 'est-interop-'));
  return {
    directory,
    async bash(line) {
      const { stdout } = await execute('bash', ['-euo', 'pipefail', '-c', line], { cwd: directory });
      return stdout;
    },
    async remove() {
      await rm(directory, { recursive: true });
    },
  };
}

/** Whether something listens at a port of this machine. */
export async function answers(port: number): Promise<boolean> {
  const socket = connect(port, 'localhost');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts a program that stays in the foreground, and waits until it listens at the port. Rejects when it ends before. */
export async function startServer(
  program: string,
  words: readonly string[],
  port: number,
): Promise<ChildProcess> {
  const server = spawn(program, words, { stdio: 'inherit' });
  while (!(await answers(port))) {
    if (server.exitCode !== null) throw new Error(`${program} ended: ${server.exitCode}`);
    await setTimeout(20);
  }
  return server;
}

/** Stops it and waits for its end. */
export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  server.kill('SIGTERM');
  await once(server, 'exit');
}
