import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Certificate } from '../../src/pkix/certificate.ts';
import { identifierOfNames } from '../../src/pkix/names-identifier.ts';
import { sqlite } from '../../src/store/sqlite.ts';
import { certificate } from '../support/certificate.ts';
import { generateKeyPair } from '../support/csr.ts';
import { describeWith } from '../support/programs.ts';
import { stateStoreContract } from './contract.ts';
import { later, openOne, start } from './records.ts';

let directory: string;
let count = 0;
const newFile = (): string => join(directory, `${(count += 1)}.sqlite`);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
});

/** Takes back what the second migration and those after it have done. */
function asBefore0002(file: string): void {
  const database = new DatabaseSync(file);
  database.exec(`
    ALTER TABLE enrollments DROP COLUMN terms;
    ALTER TABLE enrollments DROP COLUMN made_how;
    DROP INDEX enrollments_names;
    ALTER TABLE enrollments DROP COLUMN names;
    CREATE INDEX enrollments_subject ON enrollments (alias, subject) WHERE state = 'issued';
    DROP INDEX enrollments_registration_authority;
    ALTER TABLE enrollments DROP COLUMN registration_authority;
    DROP INDEX enrollments_lapsing;
    ALTER TABLE enrollments DROP COLUMN spends;
    ALTER TABLE enrollments DROP COLUMN in_doubt;
    DROP INDEX users_id;
    ALTER TABLE certificates DROP COLUMN origin;
    ALTER TABLE users DROP COLUMN id;
    DROP INDEX certificates_revoked_serial_number;
    ALTER TABLE enrollments DROP COLUMN attempt;
    ALTER TABLE enrollments DROP COLUMN under_way_until;
    DROP TABLE compromised_keys;
    DROP INDEX enrollments_answered;
    CREATE INDEX enrollments_issued ON enrollments (fingerprint, closed_at) WHERE state = 'issued';
    DROP TABLE certification_authorities;
    DROP TABLE crls;
    DROP TABLE aliases;
    DROP TABLE alias_bindings;
    ALTER TABLE certificates RENAME COLUMN ca TO backend;
    ALTER TABLE crl_numbers RENAME COLUMN ca TO backend;
    ALTER TABLE held_requests RENAME COLUMN ca TO backend;
    DROP TABLE answers;
    DROP TABLE attempts;
    DROP TABLE occupied_end_entities;
    DROP INDEX users_code_hash;
    DROP INDEX certificates_reserved;
    ALTER TABLE certificates DROP COLUMN public_key;
    ALTER TABLE certificates DROP COLUMN operator_role;
    DELETE FROM kysely_migration WHERE name >= '0002'`);
  database.close();
}

/** Keeps the event loop busy: each round sends an octet to ourselves, until `goOn` of the round's number is false. */
async function exchangeOctets(goOn: (round: number) => boolean): Promise<void> {
  const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  for (let round = 1; goOn(round); round += 1) {
    socket.write('.');
    await once(socket, 'data');
  }
  socket.end();
  server.close();
  await once(server, 'close');
}

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
    expect(await second.users.find('est', 'a')).toMatchObject(user);
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
      const { id } = await store.users.find('est', 'once');
      const now = new Date();
      const opened = await store.enrollments.open({
        fingerprint: String(process.pid), requestId: 'r', alias: 'est', operation: 'simpleenroll',
        identity: 'user:once', subject: 'CN=a', publicKey: 'k', isKeyShown: false, certificates: [],
        users: [id], countedUser: id, client: 'user:once', quotas: [], madeFor: { terms: 't', how: '{}' },
      }, { now, issuedSince: now, underWayUntil: now, pendingSince: now });
      console.log(opened.state);
      await store.close();`;
    const run = promisify(execFile);
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => run(process.execPath, ['--input-type=module', '-e', script])),
    );
    expect(answers.map(({ stdout }) => stdout.trim()).sort()).toEqual(['exhausted', 'exhausted', 'opened']);
  });

  it('lets another process write beside one that never stops writing', async () => {
    const file = newFile();
    const store = await sqlite.open({ file });
    const script = `
      const { sqlite } = await import(${JSON.stringify(join(process.cwd(), 'src/store/sqlite.ts'))});
      const store = await sqlite.open({ file: ${JSON.stringify(file)} });
      const compute = () => { for (const end = performance.now() + 2; performance.now() < end;); };
      const write = async () => {
        for (;;) {
          await store.certificates.nextCrlNumber('busy');
          await new Promise(setImmediate);
          compute();
        }
      };
      for (let n = 0; n < 16; n += 1) void write();
      setTimeout(() => console.log('busy'), 200);`;
    const busy = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(busy.stdout, 'data');
      for (let n = 0; n < 100; n += 1) await store.certificates.nextCrlNumber('patient');
      expect(await store.certificates.nextCrlNumber('patient')).toBe(101);
      expect(await store.certificates.nextCrlNumber('busy')).toBeGreaterThan(10);
    } finally {
      busy.kill();
      await once(busy, 'close');
      await store.close();
    }
  });

  it('waits for the lock of another process without stopping the event loop', async () => {
    const file = newFile();
    const store = await sqlite.open({ file });
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const written = store.certificates.nextCrlNumber('local');
    await setTimeout(20);
    other.exec('COMMIT');
    expect(await written).toBe(1);
    other.close();
    await store.close();
  });

  it('waits for the lock of another process without stopping the event loop when it is opened, too', async () => {
    const file = newFile();
    await (await sqlite.open({ file })).close();
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    let isOpen = false;
    const opening = sqlite.open({ file }).finally(() => {
      isOpen = true;
    });
    for (let tick = 0; tick < 20; tick += 1) await setTimeout(5);
    expect(isOpen).toBe(false);
    other.exec('COMMIT');
    other.close();
    await (await opening).close();
  });

  it('commits together what is written while the event loop is busy', async () => {
    const file = newFile();
    const store = await sqlite.open({ file });
    const reader = new DatabaseSync(file, { readOnly: true });
    const count = reader.prepare('SELECT count(*) AS written FROM crl_numbers');
    const written: Promise<number>[] = [];
    const seen: unknown[] = [];
    await exchangeOctets((round) => {
      if (round % 2 === 0) written.push(store.certificates.nextCrlNumber(`${round}`));
      seen.push(count.get()?.['written']);
      return round < 7;
    });
    expect(new Set(seen)).toEqual(new Set([0]));
    expect(await Promise.all(written)).toEqual([1, 1, 1]);
    expect(count.get()).toEqual({ written: 3 });
    reader.close();
    await store.close();
  });

  it('commits though the event loop never rests', async () => {
    const store = await sqlite.open({ file: newFile() });
    let isWritten = false;
    const written = store.certificates.nextCrlNumber('local').finally(() => {
      isWritten = true;
    });
    await exchangeOctets(() => !isWritten);
    expect(await written).toBe(1);
    await store.close();
  });

  it('keeps what was written beside a statement that fails', async () => {
    const store = await sqlite.open({ file: newFile() });
    const certificate = {
      ca: 'local',
      serialNumber: '01',
      idempotencyKey: 'a',
      subject: 'CN=a',
      publicKey: 'k',
      notBefore: new Date(0),
      notAfter: new Date(1),
      certificate: Buffer.of(1),
    };
    const written = await Promise.allSettled([
      store.certificates.add(certificate),
      store.certificates.add({ ...certificate, idempotencyKey: 'b' }),
      store.certificates.add({ ...certificate, serialNumber: '02', idempotencyKey: 'c' }),
    ]);
    expect(written.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.certificates.list('local')).map(({ serialNumber }) => serialNumber).sort()).toEqual([
      '01',
      '02',
    ]);
    await store.close();
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

  it('S-17 knows the keys of certificates that an older release has recorded', async () => {
    const file = newFile();
    const device = await certificate({ key: await generateKeyPair('P-256') });
    const authority = await certificate({ key: await generateKeyPair('P-256') });
    const dates = { subject: 'CN=a', notBefore: start, notAfter: later(60), publicKey: '' };
    const before = await sqlite.open({ file });
    for (const [serialNumber, idempotencyKey, { der }] of [
      ['01', 'device', device],
      ['02', 'registration-authority 02', authority],
    ] as const) {
      const names = { ca: 'local', serialNumber, idempotencyKey };
      await before.certificates.add({ ...names, ...dates, certificate: der });
    }
    await before.certificates.revoke('local', '01', 'keyCompromise', start);
    await before.close();
    asBefore0002(file);
    const after = await sqlite.open({ file });
    const reservationOf = async ({ spki }: Certificate): Promise<unknown> =>
      await after.certificates.reservationOf(createHash('sha256').update(spki).digest('hex'), start);
    expect([await reservationOf(device), await reservationOf(authority)]).toEqual([
      'compromised',
      'operator',
    ]);
    // Nobody knows yet which CA it was.
    expect(await after.certificates.list('local')).toEqual([]);
    expect(await after.certificates.list('backend local')).toHaveLength(2);
    await after.close();
  });

  it('R-17 finds certificates by their names that an older release has issued', async () => {
    const file = newFile();
    const device = await certificate({ key: await generateKeyPair('P-256') });
    const before = await sqlite.open({ file });
    for (const [fingerprint, notAfter] of [
      ['f1', new Date(Date.now() + 86_400_000)],
      ['f2', new Date(Date.now() - 86_400_000)],
    ] as const) {
      const issued = { certificate: device.der, serialNumber: '01', notAfter, publicKey: 'k1', names: 'n1' };
      await before.enrollments.issued(await openOne(before, { fingerprint }), issued, later(1));
    }
    await before.close();
    asBefore0002(file);
    const after = await sqlite.open({ file });
    const found = await after.enrollments.issuedUnder('est', identifierOfNames(device), start);
    expect(found.map(({ certificate: der }) => der)).toEqual([device.der]);
    await after.close();
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
      `The SQLite file ${file} cannot be opened; it and its folder must be writable for this user.`,
    );
    const text = newFile();
    await writeFile(text, 'Shopping list: eggs, flour, and nothing that SQLite has ever written.');
    await expect(sqlite.open({ file: text })).rejects.toThrow(
      `The SQLite file ${text} cannot be used: file is not a database.`,
    );
  });
});

describeWith('sqlite3', 'sqlite, opened once more in the same process', () => {
  it('S-38 keeps its locks, so that no other program takes the database for unused and removes its log', async () => {
    const file = newFile();
    const first = await sqlite.open({ file });
    const second = await sqlite.open({ file });
    const namesElsewhere = async (): Promise<string> =>
      (await promisify(execFile)('sqlite3', [file, 'select name from users'])).stdout;
    expect(await namesElsewhere()).toBe('');
    const user = { alias: 'est', name: 'a', codeHash: 'h', remainingUses: undefined, createdAt: new Date() };
    await first.users.add(user);
    expect(await namesElsewhere()).toBe('a\n');
    await first.close();
    await second.users.add({ ...user, name: 'b' });
    expect(await namesElsewhere()).toBe('a\nb\n');
    await second.close();
  });
});
