import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { sqlite } from '../../src/store/sqlite.ts';
import { stateStoreContract } from './contract.ts';

let directory: string;
let count = 0;
const newFile = (): string => join(directory, `${(count += 1)}.sqlite`);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

stateStoreContract('sqlite', () => sqlite.open({ file: newFile() }));

describe('sqlite', () => {
  it('S-36 keeps its files readable by their owner alone', async () => {
    const file = newFile();
    const store = await sqlite.open({ file });
    await store.users.list();
    for (const name of [file, `${file}-wal`, `${file}-shm`])
      expect((await stat(name)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('lets a second connection see a change at once, and both write', async () => {
    const file = newFile();
    const first = await sqlite.open({ file });
    const second = await sqlite.open({ file });
    const user = { alias: 'est', name: 'a', codeHash: 'h', remainingUses: undefined, createdAt: new Date() };
    await first.users.add(user);
    expect(await second.users.find('est', 'a')).toEqual(user);
    expect(await second.users.remove('est', 'a')).toBe(true);
    expect(await first.users.find('est', 'a')).toBeUndefined();
    await Promise.all([first.close(), second.close()]);
  });

  it('is opened by several processes at once, which agree on who may use a code', async () => {
    const file = newFile();
    const script = `
      const { sqlite } = await import(${JSON.stringify(join(process.cwd(), 'src/store/sqlite.ts'))});
      const store = await sqlite.open({ file: ${JSON.stringify(file)} });
      await store.users.add({ alias: 'est', name: 'once', codeHash: 'h', remainingUses: 1, createdAt: new Date() });
      const now = new Date();
      const opened = await store.enrollments.open({
        fingerprint: String(process.pid), requestId: 'r', alias: 'est', operation: 'simpleenroll',
        identity: 'user:once', subject: 'CN=a', publicKey: 'k', countedUser: 'once',
      }, { now, issuedSince: now, openedSince: now });
      console.log(opened.state);
      await store.close();`;
    const run = promisify(execFile);
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, ['--input-type=module', '-e', script])),
    );
    expect(answers.map(({ stdout }) => stdout.trim()).sort()).toEqual(['exhausted', 'exhausted', 'opened']);
  });

  it('keeps everything over a restart', async () => {
    const file = newFile();
    const before = await sqlite.open({ file });
    await before.certificates.nextCrlNumber('local');
    await before.close();
    const after = await sqlite.open({ file });
    expect(await after.certificates.nextCrlNumber('local')).toBe(2);
    await after.close();
  });

  it('writes ahead and synchronously', async () => {
    const file = newFile();
    await (await sqlite.open({ file })).close();
    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    database.close();
  });

  it('refuses tables that a newer release has changed', async () => {
    const file = newFile();
    await (await sqlite.open({ file })).close();
    const database = new DatabaseSync(file);
    database.exec("INSERT INTO kysely_migration VALUES ('9999_newer', '2030-01-01')");
    database.close();
    await expect(sqlite.open({ file })).rejects.toThrow('a newer one may have changed them');
  });

  it('says what is wrong with a file that cannot be opened', async () => {
    const file = join(directory, 'missing', 'state.sqlite');
    await expect(sqlite.open({ file })).rejects.toThrow(
      `The SQLite file ${file} cannot be opened; its folder must exist and be writable.`,
    );
  });
});
