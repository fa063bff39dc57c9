import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { freePorts, output, start, type RunningCommand } from '../cli/command-line.ts';
import { openTls } from '../support/client.ts';
import { examplesIn } from '../support/page.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

const root = join(import.meta.dirname, '../..');
const examples = examplesIn(readFileSync(join(root, 'docs/operation.md'), 'utf8'));

describe('docs/operation.md', () => {
  let place: Workplace;
  let directory: string;
  let port: number;
  let gateway: RunningCommand;
  beforeAll(async () => {
    place = await openWorkplace();
    directory = join(place.directory, 'est-gateway');
    port = await freePorts();
    await output(['init', '--directory', directory, '--hostname', 'localhost', '--port', String(port)]);
    gateway = start(['serve', '--config', join(directory, 'est-gateway.yaml')]);
    await gateway.stdoutWith('EST is served at');
  });
  afterAll(async () => {
    gateway.process.kill('SIGTERM');
    await gateway.outcome;
    await place.remove();
  });

  /** The commands of the block that begins so, for a service of this user, in this place and under this name. */
  function commandsFrom(text: string): string {
    const program = `${process.execPath} ${join(root, 'src/main.ts')}`;
    return (examples.find((example) => example.startsWith(text)) ?? 'exit 1')
      .replaceAll('sudo -u est-gateway est-gateway', program)
      .replaceAll('systemctl reload est-gateway', `kill -HUP ${gateway.process.pid ?? 0}`)
      .replaceAll('est.example', 'localhost')
      .replaceAll('/etc/est-gateway', directory)
      .replaceAll('/var/backups', place.directory);
  }

  async function serverCertificate(): Promise<string | undefined> {
    const ca = await readFile(join(directory, 'trust-anchor.pem'));
    const socket = await openTls({ host: 'localhost', port, ca });
    const { serialNumber } = socket.getPeerX509Certificate() ?? {};
    socket.destroy();
    return serialNumber;
  }

  it('S-38 checks, and takes up changes', async () => {
    expect(await place.bash(commandsFrom('sudo -u est-gateway est-gateway check'))).toMatch(/^OK: /);
    await gateway.stdoutWith('The configuration was reloaded.');
  });

  it('renews the TLS server certificate while the gateway runs', async () => {
    const before = await serverCertificate();
    const reloads = async (): Promise<number> =>
      ((await gateway.stdoutWith('')).match(/The configuration was reloaded/g) ?? []).length;
    const done = await reloads();
    await place.bash(commandsFrom('cd /etc/est-gateway/tls'));
    while ((await reloads()) === done)
      await new Promise((resolve) => gateway.process.stdout?.once('data', resolve));
    const after = await serverCertificate();
    expect(after).toMatch(/^[0-9A-F]{32}$/);
    expect(after).not.toBe(before);
  });

  describeWith('sqlite3', 'on a backup', () => {
    it('makes a whole one, for its owner alone', async () => {
      await output(['user', 'add', 'kept', '--config', join(directory, 'est-gateway.yaml')]);
      await place.bash(commandsFrom('(umask'));
      const [name = ''] = (await readdir(place.directory)).filter((entry) => entry.endsWith('.sqlite'));
      expect(name).toMatch(/^est-gateway-[\d-]+\.sqlite$/);
      const backup = join(place.directory, name);
      expect((await stat(backup)).mode & 0o777).toBe(0o600);
      const database = new DatabaseSync(backup);
      expect(database.prepare('select name from users').all()).toMatchObject([{ name: 'kept' }]);
      database.close();
    });
  });
});

describeWith('systemd-analyze', 'deploy/est-gateway.service', () => {
  it('is what systemd expects, with a user and programs that there are', async () => {
    const place = await openWorkplace();
    const shipped = await readFile(join(root, 'deploy/est-gateway.service'), 'utf8');
    const unit = shipped
      .replace('/usr/local/bin/est-gateway', process.execPath)
      .replaceAll(/^(User|Group)=.*$/gm, '$1=root');
    const file = join(place.directory, 'est-gateway.service');
    await writeFile(file, unit);
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', file]);
    expect(stdout + stderr).toBe('');
    await place.remove();
  });
});
