import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyCode } from '../../src/auth/code.ts';
import { isMadeCodeOf, madeCodeKey } from '../../src/auth/made-code.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';
import { output, run } from './command-line.ts';

const { signal } = new AbortController();

describe('est-gateway user, beside a running gateway', () => {
  let gateway: TestGateway;
  let config: readonly string[];

  beforeAll(async () => {
    const httpAuthentication = ['digest-SHA-256', 'basic'];
    gateway = await startTestGateway({
      aliases: {
        plant: {},
        field: { httpAuthentication },
        certificates: { authentication: 'clientCertificate' },
        challenged: { authentication: 'clientCertificate', policy: { otpChallenge: 'required' } },
        elsewhere: { credentials: [{ driver: 'htpasswd', file: 'users.htpasswd' }] },
      },
      files: { 'users.htpasswd': '' },
    });
    config = ['--config', gateway.configurationFile];
  });

  afterAll(async () => {
    await gateway.stop();
  });

  it('prints the generated code alone, and stores its hash', async () => {
    const code = (await output(['user', 'add', 'sensor-1', ...config])).replace(/\n$/, '');
    expect(code).toMatch(/^[0-9A-Z]{5}(-[0-9A-Z]{1,5})+$/);
    const user = await gateway.store.users.find('est', 'sensor-1');
    expect(user?.remainingUses).toBeUndefined();
    expect(isMadeCodeOf(code, await madeCodeKey(gateway.store), user?.codeHash ?? '')).toBe(true);
    expect((await readFile(join(gateway.directory, 'state.sqlite-wal'))).includes(code)).toBe(false);
  });

  it('prints nothing when the code comes from standard input', async () => {
    const words = ['user', 'add', 'sensor-2', '--alias', 'plant', '--once', '--code-stdin', ...config];
    expect(await output(words, { input: 'my own: c0de, ünguessed \n' })).toBe('');
    const user = await gateway.store.users.find('plant', 'sensor-2');
    expect(user?.remainingUses).toBe(1);
    expect(await verifyCode('my own: c0de, ünguessed ', user?.codeHash ?? '', signal)).toBe(true);
  });

  it('A-13 adds a user for so many certificates until a time', async () => {
    const add = ['user', 'add', '--alias', 'plant', ...config];
    await output([...add, 'line-3', '--uses', '40', '--expires', '7d']);
    await output([...add, 'line-4', '--expires', '2130-01-31T12:00+01:00']);
    const [line3, line4] = await Promise.all(
      ['line-3', 'line-4'].map((name) => gateway.store.users.find('plant', name)),
    );
    expect(line3?.remainingUses).toBe(40);
    const days = ((line3?.expiresAt?.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThan(7);
    expect(line4).toMatchObject({ remainingUses: undefined, expiresAt: new Date('2130-01-31T11:00Z') });
    expect(await output(['user', 'list', ...config])).toMatch(
      /^plant +line-4 +any number +2130-01-31T11:00:00Z +no +\d/m,
    );
  });

  it.each([
    [['--uses', '0'], 'Expected a whole number from 1 on.'],
    [['--uses', '1.5'], 'Expected a whole number from 1 on.'],
    [['--expires', '2020-01-31T12:00:00Z'], 'a time to come'],
    [['--expires', '2130-01-31'], 'with its zone'],
    [['--expires', 'tomorrow'], '24h or 7d'],
    [['--once', '--uses', '2'], "option '--once' cannot be used with option '--uses <n>'"],
  ])('refuses %j', async (words, sentence) => {
    const { code, stdout, stderr } = await run(['user', 'add', 'nobody', ...words, ...config]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(await gateway.store.users.find('est', 'nobody')).toBeUndefined();
  });

  it('A-08 keeps what Digest needs where the alias offers it, nowhere else, and never the code', async () => {
    const code = 'none but mine own';
    for (const alias of ['field', 'plant'])
      await output(['user', 'add', 'meter', '--alias', alias, '--code-stdin', ...config], { input: code });
    const hash = (await openssl('dgst -sha256 -r text', { text: `meter:EST field:${code}` })).split(' ')[0];
    expect((await gateway.store.users.find('field', 'meter'))?.digestSecrets).toEqual({ 'SHA-256': hash });
    expect(await gateway.store.users.find('plant', 'meter')).not.toHaveProperty('digestSecrets');
    const listed = await output(['user', 'list', ...config]);
    expect(listed).toMatch(/^field +meter +any number +never +SHA-256 +\d/m);
    expect(listed).not.toContain(hash);
    expect((await readFile(join(gateway.directory, 'state.sqlite-wal'))).includes(code)).toBe(false);
  });

  it('A-06 adds and removes a user without a name', async () => {
    const code = (await output(['user', 'add', '', '--alias', 'plant', ...config])).trim();
    const user = await gateway.store.users.find('plant', '');
    expect(isMadeCodeOf(code, await madeCodeKey(gateway.store), user?.codeHash ?? '')).toBe(true);
    await output(['user', 'remove', '', '--alias', 'plant', ...config]);
    expect(await gateway.store.users.find('plant', '')).toBeUndefined();
  });

  it.each(['', '\n'])('refuses an empty code', async (input) => {
    const { code, stderr } = await run(['user', 'add', 'nobody', '--code-stdin', ...config], { input });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'Standard input holds no code; expected one line.\n',
    });
  });

  it.each(['12345', 'password', 'Passw0rd-2026!', 'sensor-9sensor-9sensor-9', 'plant/plant/plant/plant'])(
    'S-24 refuses the code %j, which is easy to guess',
    async (input) => {
      const words = ['user', 'add', 'sensor-9', '--alias', 'plant', '--code-stdin', ...config];
      expect(await run(words, { input })).toMatchObject({
        code: 1,
        stdout: '',
        stderr:
          'The code is too easy to guess: expected at least 12 characters, where a common word, the name of the user or the alias, a row of keys, a year and a repetition count as one each. Without --code-stdin a code is made and printed.\n',
      });
      expect(await gateway.store.users.find('plant', 'sensor-9')).toBeUndefined();
    },
  );

  it.each([
    ['a colon (RFC 7617, section 2)', 'a:b'],
    ['a control character', 'a\u0007b'],
  ])('refuses %s', async (_what, name) => {
    const { code, stdout, stderr } = await run(['user', 'add', name, ...config]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe('The name of a user may not hold a colon or a control character.\n');
  });

  it('refuses an unknown alias, and names those that there are', async () => {
    const { code, stderr } = await run(['user', 'add', 'x', '--alias', 'plnt', ...config]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'The configuration has no alias plnt; expected one of: est, plant, field, certificates, challenged, elsewhere.\n',
    });
  });

  it.each([
    [
      'certificates',
      'has no users: its clients show certificates alone; see authentication in its configuration.',
    ],
    [
      'elsewhere',
      'asks others about its users; add store to credentials in its configuration, or the user there.',
    ],
  ])('refuses a user whose code the alias %s would never accept', async (alias, reason) => {
    const outcome = await run(['user', 'add', 'useless', '--alias', alias, ...config]);
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: `The alias ${alias} ${reason}\n` });
    expect(await gateway.store.users.find(alias, 'useless')).toBeUndefined();
  });

  it('adds users for otpChallenge to an alias that has no others', async () => {
    await output(['user', 'add', 'sensor-9', '--alias', 'challenged', ...config]);
    expect(await gateway.store.users.find('challenged', 'sensor-9')).toBeDefined();
  });

  it('refuses a user that exists, whose code stays', async () => {
    const before = await gateway.store.users.find('est', 'device');
    const { code, stdout, stderr } = await run(['user', 'add', 'device', ...config]);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'The alias est has a user device already; remove it first.\n',
    });
    expect(await gateway.store.users.find('est', 'device')).toEqual(before);
  });

  it('lists users as a table and as JSON, never with hashes', async () => {
    const table = await output(['user', 'list', ...config]);
    expect(table).toMatch(/^ALIAS +NAME +CERTIFICATES LEFT +EXPIRES +DIGEST +CREATED\n/);
    expect(table).toMatch(/^est +device +any number +never +no +\d{4}-\d\d-\d\dT[\d:]+Z$/m);
    const json = await output(['user', 'list', '--json', ...config]);
    expect(JSON.parse(json)).toContainEqual({
      alias: 'plant',
      name: 'device',
      remainingUses: null,
      expiresAt: null,
      digest: [],
      createdAt: expect.any(String),
    });
    expect(table + json).not.toContain('argon2');
  });

  it('removes a user', async () => {
    await gateway.store.users.add({
      alias: 'est',
      name: 'old',
      codeHash: '',
      remainingUses: undefined,
      createdAt: new Date(),
    });
    expect(await output(['user', 'remove', 'old', ...config])).toBe('');
    expect(await gateway.store.users.find('est', 'old')).toBeUndefined();
    const { code, stderr } = await run(['user', 'remove', 'old', ...config]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'The alias est has no user old; see "est-gateway user list".\n',
    });
  });
});
