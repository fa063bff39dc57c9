import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requestsToTry } from '../../src/cli/requests-to-try.ts';
import { freePorts, output, start, temporaryFolder, type RunningCommand } from './command-line.ts';

const bash = promisify(execFile);

/** What stands below the head lines that begin with `#`. */
function commandsIn(text: string): readonly string[] {
  return text
    .split(/^# \d.*\n/m)
    .map((part) => part.split('\n\n')[0] ?? '')
    .slice(1);
}

describe.each(['./data', "./it's a folder/"])('est-gateway quickstart --directory %s', (directory) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let port: number;
  let running: RunningCommand | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    port = await freePorts();
  });

  afterEach(async () => {
    running?.process.kill('SIGINT');
    await running?.outcome;
  });

  afterAll(async () => {
    await folder.remove();
  });

  async function quickstart(words: readonly string[]): Promise<string> {
    running = start(['quickstart', '--directory', directory, ...words], { cwd: folder.path });
    return await running.stdoutWith('EST is served at');
  }

  async function inShell(command: string): Promise<string> {
    const { stdout } = await bash('bash', ['-euo', 'pipefail', '-c', command], { cwd: folder.path });
    return stdout;
  }

  it('creates a gateway, and prints commands that work as they are', async () => {
    const printed = await quickstart(['--port', String(port)]);
    expect(printed).toMatch(/^Created .*:$/m);
    const [caCertificates = '', enrol = '', renew = ''] = commandsIn(printed);
    expect(await inShell(caCertificates)).toMatch(
      /^subject=CN = EST .* Root CA\nsubject=CN = EST .* Issuing CA\n$/,
    );
    expect(await inShell(enrol)).toMatch(/device-1\.pem: OK\n$/);
    expect(await inShell(renew)).toMatch(/device-1-renewed\.pem: OK\n$/);
    const [first, second] = await Promise.all(
      ['device-1.pem', 'device-1-renewed.pem'].map(
        async (name) => new X509Certificate(await readFile(join(folder.path, directory, name))),
      ),
    );
    expect(first?.subject).toBe('CN=device-1');
    expect(second?.serialNumber).not.toBe(first?.serialNumber);
  });

  it('uses what is there on the next start, and says how to make another user', async () => {
    const file = join(folder.path, directory, 'est-gateway.yaml');
    const before = await readFile(file, 'utf8');
    const printed = await quickstart(['--port', '1']);
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(printed).not.toMatch(/^Created/m);
    const [, words = ''] = /npx est-gateway (user add NAME .*)/.exec(printed) ?? [];
    const users = await inShell(`printf '%s\\n' ${words}`);
    const code = await output(users.trim().split('\n'), { cwd: folder.path });
    const [, enrol = ''] = commandsIn(printed);
    expect(enrol).toContain('--user NAME:CODE');
    expect(await inShell(enrol.replace('NAME:CODE', `NAME:${code.trim()}`))).toMatch(/device-1\.pem: OK\n$/);
  });

  it('lets a refusal be seen', async () => {
    const printed = await quickstart([]);
    await writeFile(join(folder.path, 'wrong.sh'), commandsIn(printed)[1] ?? '');
    const failure = await bash('bash', ['wrong.sh'], { cwd: folder.path }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: expect.any(Number), stderr: expect.stringContaining('401') });
    const users = ['user', 'list', '--json', '--config', `${directory}/est-gateway.yaml`];
    expect(JSON.parse(await output(users, { cwd: folder.path }))).toHaveLength(2);
  });
});

describe('requestsToTry()', () => {
  it('has the port of the configuration', () => {
    expect(requestsToTry('data', 10443, 'a:b').match(/https:\/\/localhost:10443\//g)).toHaveLength(3);
  });
});

describe("README's requests", () => {
  it('work as they are printed, with the port and the code of the gateway', async () => {
    const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
    const [requests = ''] = /^ {4}# The CA certificates;(?:.*\n)+?(?=\S)/m.exec(readme) ?? [];
    const [folder, port] = [await temporaryFolder(), await freePorts()];
    const gateway = start(['quickstart', '--directory', 'data', '--port', String(port)], {
      cwd: folder.path,
    });
    try {
      const [, code = ''] =
        /--user '?device:([^\s']+)/.exec(await gateway.stdoutWith('EST is served at')) ?? [];
      const here = requests.replaceAll('localhost:8443', `localhost:${port}`).replace('CODE', code);
      const { stdout } = await bash('bash', ['-euo', 'pipefail', '-c', here], { cwd: folder.path });
      expect(stdout).toBe('renewed.pem: OK\n');
      const [cacerts, device, renewed] = await Promise.all(
        ['cacerts.pem', 'device.pem', 'renewed.pem'].map(
          async (name) => await readFile(join(folder.path, name), 'utf8'),
        ),
      );
      expect(cacerts?.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
      const [first, second] = [device, renewed].map((pem) => new X509Certificate(pem ?? ''));
      expect([first?.subject, second?.subject]).toEqual(['CN=device-1', 'CN=device-1']);
      expect(second?.serialNumber).not.toBe(first?.serialNumber);
    } finally {
      gateway.process.kill('SIGINT');
      await gateway.outcome;
      await folder.remove();
    }
  });
});
