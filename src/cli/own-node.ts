import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Runs this program again on the Node of the package `node`, and ends as it ends: same exit code, same signal.
 * This file is loaded by older versions of Node too.
 */
export function runOnOwnNode(words: readonly string[]): void {
  const child = spawn(ownNode(), words, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', ({ message }) => {
    process.stderr.write(`Node 24 of the package "node" does not start: ${message}. Install again.\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
    } else {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    }
  });
}

function ownNode(): string {
  const description = createRequire(import.meta.url).resolve('node/package.json');
  return join(dirname(description), 'bin/node');
}
