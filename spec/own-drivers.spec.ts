import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { access, chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { freePorts, run, start, type Outcome } from './cli/command-line.ts';
import { send } from './support/client.ts';
import { generateKeyPair } from './support/csr.ts';
import { certificateOf, enrolment, plainCsr } from './support/device.ts';
import { openWorkplace, type Workplace } from './support/programs.ts';

const root = join(import.meta.dirname, '..');

/** A folder of somebody else, who has installed the package and follows docs/backends.md. */
describe('docs/backends.md', () => {
  const examples: Record<string, string> = {};
  let place: Workplace;
  let port: number;
  const path = (name: string): string => join(place.directory, name);

  /** Runs a command line of the page. */
  async function command(line: string, file = 'gateway.mjs'): Promise<Outcome> {
    const [, , ...words] = line.split(' ');
    return await run(words, { program: [process.execPath, file], cwd: place.directory });
  }

  beforeAll(async () => {
    const page = await readFile(join(root, 'docs/backends.md'), 'utf8');
    for (const [, language = '', text = ''] of page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
      examples[language] = text;
    }
    await access(join(root, 'dist/index.js')).catch(() => {
      execFileSync('npm', ['run', '--silent', 'build'], { cwd: root });
    });
    place = await openWorkplace();
    port = await freePorts();
    await mkdir(path('node_modules'));
    await symlink(root, path('node_modules/est-gateway'));
    await mkdir(path('ca'));
    await writeFile(path('gateway.mjs'), examples['js'] ?? '');
    await writeFile(
      path('ca/issue.sh'),
      `#!/bin/sh\nexec openssl x509 -req -days 90 -CA ca/root.pem -CAkey ca/root.key -set_serial 0x$(openssl rand -hex 16)\n`,
    );
    await chmod(path('ca/issue.sh'), 0o700);
    const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
    await place.bash(
      `openssl req -x509 ${newKey} -days 90 -subj '/CN=Legacy CA' -keyout ca/root.key -out ca/root.pem
       openssl req -x509 ${newKey} -days 90 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.pem`,
    );
    await writeConfiguration(parse(examples['yaml'] ?? '') as object);
  });
  afterAll(async () => {
    await place.remove();
  });

  async function writeConfiguration(settings: object): Promise<void> {
    const est = { address: '127.0.0.1', port, certificate: 'server.pem', privateKey: 'file:server.key' };
    const store = { driver: 'sqlite', file: 'state.sqlite' };
    await writeFile(path('est-gateway.yaml'), stringify({ listeners: { est }, store, ...settings }));
  }

  it('has a backend that issues, and every command beside it', async () => {
    const [check = '', add = '', serve = ''] = (examples['sh'] ?? '').trim().split('\n');
    expect(await command(check)).toMatchObject({ code: 0, stderr: '' });
    const code = (await command(add)).stdout.trim();
    const [, , ...words] = serve.split(' ');
    const gateway = start(words, { program: [process.execPath, 'gateway.mjs'], cwd: place.directory });
    try {
      await gateway.stdoutWith('EST is served');
      const csr = await plainCsr('device-17', await generateKeyPair('P-256'));
      const Authorization = `Basic ${Buffer.from(`device-17:${code}`).toString('base64')}`;
      const answer = await send(`https://localhost:${port}/.well-known/est/simpleenroll`, {
        ca: await readFile(path('server.pem'), 'utf8'),
        ...enrolment(csr, { Authorization }),
      });
      expect(answer.status).toBe(200);
      await writeFile(path('device.pem'), await certificateOf(answer));
      expect(await place.bash('openssl verify -CAfile ca/root.pem device.pem')).toContain('OK');
    } finally {
      gateway.process.kill('SIGTERM');
    }
    expect((await gateway.outcome).code).toBe(0);
  });

  it('has options whose mistakes are reported with file, line and key', async () => {
    const settings = parse(examples['yaml'] ?? '') as { backends: { legacy: object } };
    await writeConfiguration({
      ...settings,
      backends: { legacy: { ...settings.backends.legacy, comand: 'x' } },
    });
    const { code, stderr } = await command('node gateway.mjs check');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'est-gateway.yaml:15: backends.legacy.comand: unknown key; did you mean "command"?\n',
    );
  });

  it('has a schema for editors', async () => {
    const { stdout } = await command('node gateway.mjs schema');
    expect(stdout).toContain('A program that reads a CSR on standard input');
  });

  it('has no driver that takes the name of a built-in one', async () => {
    await writeFile(path('other.mjs'), (examples['js'] ?? '').replace("name: 'program'", "name: 'local'"));
    const { code, stderr } = await command('node other.mjs check', 'other.mjs');
    expect([code, stderr]).toEqual([1, 'There is already a driver named local; choose another name.\n']);
  });
});
