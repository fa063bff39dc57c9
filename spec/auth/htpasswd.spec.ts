import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readHtpasswd } from '../../src/auth/credentials/htpasswd-file.ts';
import { addUser } from '../../src/cli/user.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';
import { describeWith, openWorkplace } from '../support/programs.ts';
import { until } from '../support/upstream.ts';

/** What Apache's own program prints for a user. */
async function htpasswd(options: string, name: string, code: string): Promise<string> {
  const workplace = await openWorkplace();
  try {
    return (await workplace.bash(`htpasswd -nb${options} '${name}' '${code}'`)).trim();
  } finally {
    await workplace.remove();
  }
}

describeWith('htpasswd', 'Basic with the users of an htpasswd file', () => {
  const longCode = 'x'.repeat(72);
  let gateway: TestGateway;
  let file: string;
  let lines: readonly string[];

  beforeAll(async () => {
    lines = await Promise.all([
      htpasswd('B', 'anna', 'her own code'),
      htpasswd('BC 6', 'täglich', 'p:q'),
      htpasswd('B', 'long', longCode),
      htpasswd('B', 'both', 'of the file'),
    ]);
    const credentials = [{ driver: 'htpasswd', file: 'users.htpasswd' }];
    gateway = await startTestGateway({
      aliases: {
        file: { authentication: 'basic', credentials },
        chain: { authentication: 'basic', credentials: [{ driver: 'store' }, ...credentials] },
      },
      files: { 'users.htpasswd': ['# users', '', ...lines, ''].join('\n') },
    });
    file = join(gateway.directory, 'users.htpasswd');
    await addUser(gateway.store, {
      alias: 'chain',
      name: 'both',
      code: 'of the store',
      remainingUses: undefined,
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function statusOf(name: string, code: string, alias = 'file'): Promise<number> {
    return (await enrolAs(gateway, { alias, name, code })).status;
  }

  it.each([
    ['anna', 'her own code', 200],
    ['anna', 'her own code ', 401],
    ['anna', '', 401],
    ['Anna', 'her own code', 401],
    ['täglich', 'p:q', 200],
    ['ta\u0308glich', 'p:q', 200],
    ['nobody', 'her own code', 401],
    ['# users', '', 401],
    ['', '', 401],
    ['device', 'correct-horse-battery', 401],
  ])('A-05 A-07 answers to %j with %j: %d', async (name, code, status) => {
    expect(await statusOf(name, code)).toBe(status);
  });

  it('takes no code of which bcrypt would ignore the end', async () => {
    expect(await statusOf('long', longCode)).toBe(200);
    expect(await statusOf('long', `${longCode}y`)).toBe(401);
  });

  it('asks the sources in their order, and the first that knows the name decides', async () => {
    expect(await statusOf('both', 'of the store', 'chain')).toBe(200);
    expect(await statusOf('both', 'of the file', 'chain')).toBe(401);
    expect(await statusOf('anna', 'her own code', 'chain')).toBe(200);
  });

  it('S-24 refuses an unknown name, a wrong code in the first and one in the last source after the same time', async () => {
    async function timeOf(name: string): Promise<number> {
      const startedAt = performance.now();
      await statusOf(name, 'wrong', 'chain');
      return performance.now() - startedAt;
    }
    for (const name of ['nobody', 'both', 'anna']) {
      expect(await timeOf(name)).toBeGreaterThan(490);
    }
  });

  it('reads the file again when it has changed', async () => {
    const [anna = ''] = lines;
    const emil = await htpasswd('B', 'emil', 'new here');
    const weak = await htpasswd('m', 'weak', 'new here');
    await writeFile(`${file}.new`, [emil, weak].join('\n'));
    await rename(`${file}.new`, file);
    expect(await statusOf('emil', 'new here')).toBe(200);
    expect(await statusOf('anna', 'her own code')).toBe(401);
    expect(await statusOf('weak', 'new here')).toBe(401);
    expect(gateway.log.entries).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        fields: { file, reason: expect.stringMatching(/^line 2: apr1 is /) },
      }),
    );
    await writeFile(file, anna);
    expect(await statusOf('anna', 'her own code')).toBe(200);
  });

  it('answers 503 while the file cannot be read, and asks nobody in its place', async () => {
    await rm(file);
    const refused = await enrolAs(gateway, { alias: 'chain', name: 'anna', code: 'her own code' });
    expect(refused).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
    });
    expect(refused.headers['www-authenticate']).toBeUndefined();
    expect(await statusOf('both', 'of the store', 'chain')).toBe(200);
    await writeFile(file, lines.join('\n'));
    expect(await statusOf('anna', 'her own code', 'chain')).toBe(200);
  });

  it.each([
    ['m', /^line 1: apr1 is a thousand rounds of MD5, .*; expected bcrypt/],
    ['s', /^line 1: SHA-1 without a salt /],
    ['d', /^line 1: crypt looks at eight characters alone; /],
    ['2', /^line 1: the hashes of crypt /],
    ['5', /^line 1: the hashes of crypt /],
    ['p', /^line 1: this is no bcrypt hash; /],
    ['BC 15', /^line 1: the cost 15 makes a check take too long; expected at most 14$/],
  ])('refuses what htpasswd -%s writes, with the reason', async (options, reason) => {
    const line = await htpasswd(options, 'anna', 'geheim12');
    const { hashes, problems } = readHtpasswd(line);
    expect([...hashes.keys()]).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(reason)]);
    expect(problems.join()).not.toContain('geheim12');
  });

  it('S-38 leaves no thread behind after a reload', async () => {
    const threads = async (): Promise<number> => (await readdir('/proc/self/task')).length;
    await gateway.reload();
    expect(await statusOf('anna', 'her own code')).toBe(200);
    const before = await threads();
    for (let n = 0; n < 3; n += 1) {
      await gateway.reload();
      expect(await statusOf('anna', 'her own code')).toBe(200);
    }
    await until(async () => (await threads()) <= before, 'the threads of before have ended');
  });

  it('refuses to start with such a line, or with a name that stands there twice', async () => {
    const twice = [lines[0], lines[0]].join('\n');
    const start = (text: string) =>
      startTestGateway({
        aliases: { file: { credentials: [{ driver: 'htpasswd', file: 'users' }] } },
        files: { users: text },
      });
    await expect(start(twice)).rejects.toThrow(
      /^aliases.file: credentials\[0\]: .*users: line 2: this name stands here twice; remove one$/,
    );
    await expect(start('anna:geheim')).rejects.toThrow('line 1: this is no bcrypt hash; expected bcrypt');
  });
});

describe('the order of sources', () => {
  const file = { driver: 'htpasswd', file: 'users' };
  const files = { users: '' };

  it.each([
    ['Digest before the store', { httpAuthentication: ['digest-SHA-256', 'basic'], credentials: [file] }],
    [
      'sources of Basic without Basic',
      { httpAuthentication: ['digest-SHA-256'], credentials: [{ driver: 'store' }, file] },
    ],
  ])('refuses %s', async (_what, alias) => {
    await expect(startTestGateway({ aliases: { wrong: alias }, files })).rejects.toThrow(
      /^aliases.wrong: credentials: /,
    );
  });

  it('keeps its first user after a BOM, which editors of Windows write', () => {
    const hash = `$2b$05$${'.'.repeat(53)}`;
    const { hashes, problems } = readHtpasswd(`\ufefffirst:${hash}\r\nsecond:${hash}\r\n`);
    expect([[...hashes.keys()], problems]).toEqual([['first', 'second'], []]);
  });
});
