import { describe, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

describe('node spec/support/ejbca/main.ts', () => {
  it('prints commands that work as they are, and leaves nothing behind', async () => {
    const child = spawn(process.execPath, [
      'spec/support/ejbca/main.ts',
      '--port',
      '0',
      '--version',
      '9.1.1',
    ]);
    const [printed] = (await once(child.stdout, 'data')) as [Buffer];
    const lines = printed.toString().split('\n');
    const command = lines.find((line) => line.endsWith('/v1/certificate/status')) ?? 'false';
    const { stdout } = await promisify(execFile)('bash', ['-c', command]);
    expect(stdout).toBe('{"status":"OK","version":"1.0","revision":"EJBCA 9.1.1 Enterprise (working copy)"}');
    const [, directory = ''] = /--cacert (\S+)\/management-ca\.pem/.exec(command) ?? [];
    expect(existsSync(directory)).toBe(true);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(existsSync(directory)).toBe(false);
  });
});
