import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSecret } from '../../src/ops/secret.ts';

describe('readSecret', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  it.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    ['hunter2\n\n', 'hunter2\n'],
    [' hunter2 ', ' hunter2 '],
  ])('reads a file less one trailing line break: %j', async (content, secret) => {
    const file = join(directory, 'secret');
    await writeFile(file, content);
    expect(await readSecret(`file:${file}`)).toBe(secret);
  });

  it('reads an environment variable as it is', async () => {
    process.env['EST_GATEWAY_SPEC'] = 'hunter2\n';
    expect(await readSecret('env:EST_GATEWAY_SPEC')).toBe('hunter2\n');
    delete process.env['EST_GATEWAY_SPEC'];
  });

  it('S-31 does not repeat what is no reference, since it may be the secret', async () => {
    for (const value of ['hunter2', 'file:', 'vault:hunter2', '']) {
      await expect(readSecret(value)).rejects.toThrow(
        'A secret is given as file:PATH or env:NAME, and this is neither.',
      );
    }
  });

  it('says what a reference points to when nothing is there', async () => {
    await expect(readSecret('file:/nowhere/key')).rejects.toThrow(
      'The secret file /nowhere/key cannot be read (ENOENT).',
    );
    await expect(readSecret('env:NO_SUCH_VARIABLE')).rejects.toThrow(
      'The environment variable NO_SUCH_VARIABLE of a secret reference is not set.',
    );
  });
});
