import { describe, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../cli/command-line.ts';

/** Resolves with all that was printed once it holds the text; reads on, so that the program can print more. */
async function printedUntil(stream: NodeJS.ReadableStream, text: string): Promise<string> {
  let printed = '';
  return await new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes(text)) resolve(printed);
    });
    stream.once('end', () => {
      reject(new Error(`It ended after: ${printed}`));
    });
  });
}

describe('make ejbca-demo', () => {
  it('prints commands that work as they are, and leaves nothing behind', async () => {
    const demo = spawn(process.execPath, ['spec/support/ejbca/demo.ts', '--port', String(await freePorts())]);
    const exited = once(demo, 'exit');
    const printed = await printedUntil(demo.stdout, 'EST is served at');
    const [, file = ''] = /configured by\n(.*)\n/.exec(printed) ?? [];
    const commands = printed.slice(printed.indexOf('# 1.'), printed.indexOf('\n{'));
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands]);
    expect(stdout).toMatch(
      /device-1\.pem: OK\n.*device-1-renewed\.pem: OK\nsubject=CN = meter-1, O = Example, C = SE\n/,
    );
    demo.kill('SIGTERM');
    await exited;
    expect(existsSync(dirname(file))).toBe(false);
  });
});
