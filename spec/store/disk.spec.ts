import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { compileDisk, type DiskBehaviour } from '../support/disk.ts';
import { describeWith } from '../support/programs.ts';

const source = JSON.stringify(join(process.cwd(), 'src/store/sqlite.ts'));

const lost = 'The store could not be written to the disk; see to the disk, then restart the gateway.';

/** Every so many octets of a file may be on the disk without the others. */
const sector = 512;

describeWith('cc', 'sqlite on a disk', () => {
  let directory: string;
  let environment: (behaviour: DiskBehaviour) => NodeJS.ProcessEnv;
  let count = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
    environment = compileDisk(directory);
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  async function newFolder(): Promise<string> {
    const folder = join(directory, `${(count += 1)}`);
    await mkdir(folder);
    return folder;
  }

  /** Runs lines in a process of its own, with `store`, `write` and what else they need; gives what `report` got. */
  async function run(folder: string, lines: string): Promise<unknown> {
    const fault = join(folder, 'fault');
    const script = `
      import { copyFile, rm, stat, writeFile } from 'node:fs/promises';
      import { DatabaseSync } from 'node:sqlite';
      import { sqlite } from ${source};
      const file = ${JSON.stringify(join(folder, 'a.sqlite'))};
      const store = await sqlite.open({ file });
      const write = async () => await store.certificates.nextCrlNumber('local');
      const outcomesOf = async (all) =>
        (await Promise.allSettled(all)).map(({ value, reason }) => value ?? reason.message);
      const breakDisk = async (what) => await writeFile(${JSON.stringify(fault)}, what);
      const mendDisk = async () => await rm(${JSON.stringify(fault)});
      const date = new Date();
      const names = { ca: 'local', subject: 'CN=a', publicKey: 'k', notBefore: date, notAfter: date };
      const add = async (name) =>
        await store.certificates.add(
          { ...names, serialNumber: name, idempotencyKey: name, certificate: Buffer.alloc(1000) },
          'written',
        );
      const addMany = async (from, to) => {
        for (let n = from; n < to; n += 50)
          await Promise.all(Array.from({ length: 50 }, async (_, i) => await add(String(n + i))));
      };
      const report = (value) => console.log(JSON.stringify(value));
      ${lines}
      await store.close();`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      env: environment({ DISK_FAULT: fault }),
    });
    return JSON.parse(stdout);
  }

  it('fails all that was written since, and all that comes, after an fsync that failed, until it is opened again', async () => {
    const found = await run(
      await newFolder(),
      `
      const before = await write();
      await breakDisk('sync');
      const under = await outcomesOf([write(), write()]);
      await mendDisk();
      const after = await outcomesOf([write(), write()]);
      const reopened = await sqlite.open({ file });
      // What was in the log by then is in the database, too: this is that file alone.
      await copyFile(file, file + '-alone');
      const alone = new DatabaseSync(file + '-alone').prepare('SELECT number FROM crl_numbers').get();
      report({ before, under, after, ...alone, reopened: await reopened.certificates.nextCrlNumber('local') });
      await reopened.close();`,
    );
    expect(found).toEqual({ before: 1, under: [lost, lost], after: [lost, lost], number: 3, reopened: 4 });
  });

  it('fails what a full disk does not take, keeps nothing of it, and goes on when there is room', async () => {
    const found = await run(
      await newFolder(),
      `
      const before = await write();
      await breakDisk('write');
      const full = await outcomesOf([write(), write()]);
      await mendDisk();
      report({ before, full, after: await write() });`,
    );
    expect(found).toEqual({ before: 1, full: Array(2).fill('database or disk is full'), after: 2 });
  });

  it('does not stop the event loop while the disk takes its time, nor for a checkpoint', async () => {
    const found = await run(
      await newFolder(),
      `
      process.env['DISK_SYNC_MILLISECONDS'] = '1000';
      let longest = 0;
      let last = performance.now();
      const clock = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 5);
      const startedAt = performance.now();
      // A checkpoint begins, and then the log begins anew.
      await addMany(0, 2500);
      for (let n = 0; n < 5; n += 1) await write();
      const took = performance.now() - startedAt;
      clearInterval(clock);
      process.env['DISK_SYNC_MILLISECONDS'] = '0';
      report({ waited: took > 5000, stalled: longest > 900 });`,
    );
    expect(found).toEqual({ waited: true, stalled: false });
  });

  it.each([0, 400])(
    'keeps its log short, whatever is written, where an fsync takes %d ms longer',
    async (ms) => {
      const found = await run(
        await newFolder(),
        `
      const sizeOfLog = async () => (await stat(file + '-wal')).size;
      await addMany(0, 2500);
      const first = await sizeOfLog();
      process.env['DISK_SYNC_MILLISECONDS'] = '${ms}';
      await addMany(2500, 20000);
      process.env['DISK_SYNC_MILLISECONDS'] = '0';
      report((await sizeOfLog()) / first < 4);`,
      );
      expect(found).toBe(true);
    },
  );

  it('waits for the disk for every answer of the journal but the one that the CA has yet to be asked', async () => {
    const found = await run(
      await newFolder(),
      `
      const now = new Date();
      const window = { now, issuedSince: now, underWayUntil: now, pendingSince: now };
      const enrollment = {
        requestId: 'r', alias: 'est', operation: 'simpleenroll', identity: 'i', subject: 'CN=a', publicKey: 'k',
        isKeyShown: false, users: [], countedUser: undefined, certificates: [], client: 'c', quotas: [],
        madeFor: { terms: 't', how: '{}' },
      };
      const open = async (fingerprint) =>
        (await store.enrollments.open({ ...enrollment, fingerprint }, window, undefined, 'written')).state;
      const { id } = await store.enrollments.open({ ...enrollment, fingerprint: 'a' }, window);
      await store.enrollments.issued(id, { certificate: Buffer.of(1), serialNumber: '1', notAfter: now, publicKey: 'k', names: 'n' }, now);
      await breakDisk('sync');
      report(await outcomesOf([open('b'), open('a'), open('b')]));`,
    );
    expect(found).toEqual(['opened', lost, lost]);
  });

  /** The files after a loss of power: each sector as it was when it was last synchronised, or as it was written since. */
  async function afterPowerLoss(
    from: { readonly synced: string; readonly written: string },
    to: string,
    isWritten: () => boolean,
  ): Promise<void> {
    for (const name of ['a.sqlite', 'a.sqlite-wal']) {
      const written = await readFile(join(from.written, name));
      const synced = await readFile(join(from.synced, name)).catch(() => written);
      const length = isWritten() ? written.length : Math.min(synced.length, written.length);
      const octets = Buffer.alloc(length);
      for (let at = 0; at < length; at += sector) {
        const source = isWritten() ? written : synced;
        source.subarray(at, Math.min(at + sector, length)).copy(octets, at);
      }
      await writeFile(join(to, name), octets);
    }
  }

  /** Starts the writer, ends it in the midst of its work, and gives what clients have. */
  async function interrupt(folder: string, synced: string, enrolments: number): Promise<readonly string[]> {
    const writer = spawn(
      process.execPath,
      [join(import.meta.dirname, 'disk-writer.ts'), join(folder, 'a.sqlite'), '32'],
      { env: environment({ DISK_SYNCED: synced }), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = once(writer, 'exit');
    const known: string[] = [];
    for await (const line of createInterface({ input: writer.stdout })) {
      known.push(line);
      if (known.length === enrolments) writer.kill('SIGKILL');
    }
    await exited;
    return known;
  }

  /** The serial numbers in a store that is sound: each certificate has its record, and each record took a use. */
  function certificatesIn(folder: string): readonly string[] {
    const database = new DatabaseSync(join(folder, 'a.sqlite'));
    try {
      expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      const rows = database
        .prepare(
          `SELECT certificates.serial_number AS serial FROM enrollments
           JOIN certificates ON idempotency_key = id AND certificates.serial_number = enrollments.serial_number
           WHERE state = 'issued'`,
        )
        .all();
      const records = database.prepare('SELECT count(*) AS number FROM enrollments').get();
      const orphans = database
        .prepare(
          'SELECT serial_number FROM certificates WHERE idempotency_key NOT IN (SELECT id FROM enrollments)',
        )
        .all();
      const left = database.prepare('SELECT remaining_uses AS number FROM users').get();
      expect(orphans).toEqual([]);
      expect(Number(left?.['number']) + Number(records?.['number'])).toBe(1_000_000);
      return rows.map(({ serial }) => String(serial));
    } finally {
      database.close();
    }
  }

  // Before the first checkpoint, after it, and after the log has begun anew.
  it.each([50, 900, 1700])(
    'loses no certificate that a client has, and no use of a code, by a loss of power after %i enrolments',
    async (enrolments) => {
      const [written, synced] = [await newFolder(), await newFolder()];
      const known = await interrupt(written, synced, enrolments);
      for (const share of [0, 0.1, 0.5, 0.9, 1]) {
        const folder = await newFolder();
        await afterPowerLoss({ synced, written }, folder, () => Math.random() < share);
        const serials = certificatesIn(folder);
        expect(known.filter((serial) => !serials.includes(serial))).toEqual([]);
        expect(new Set(serials).size).toBe(serials.length);
      }
    },
  );
});
