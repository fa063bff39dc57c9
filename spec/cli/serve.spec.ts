import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { init } from '../../src/cli/init.ts';
import { openTls, send } from '../support/client.ts';
import {
  closed,
  freePorts,
  listen,
  output,
  run,
  start,
  temporaryFolder,
  type RunningCommand,
} from './command-line.ts';

describe('est-gateway serve', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let file: string;
  let port: number;
  let ca: string;
  let credentials: string;
  let running: RunningCommand | undefined;

  beforeAll(async () => {
    folder = await temporaryFolder();
    file = join(folder.path, 'est-gateway.yaml');
    port = await freePorts();
    await init({ directory: folder.path, hostname: 'localhost', port });
    const code = await output(['user', 'add', 'device', '--config', file]);
    credentials = Buffer.from(`device:${code.trim()}`).toString('base64');
    ca = await readFile(join(folder.path, 'trust-anchor.pem'), 'utf8');
  });

  afterEach(() => {
    running?.process.kill('SIGKILL');
  });

  afterAll(async () => {
    await folder.remove();
  });

  /** The configuration with one text replaced. */
  async function changed(from: string, to: string): Promise<string> {
    const bad = join(folder.path, 'bad.yaml');
    await writeFile(bad, (await readFile(file, 'utf8')).replace(from, to));
    return bad;
  }

  async function serve(): Promise<RunningCommand> {
    running = start(['serve', '--config', file]);
    await running.stdoutWith(`EST is served at https://localhost:${port}`);
    return running;
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('says once that it is ready, and stops on %s', async (signal) => {
    const gateway = await serve();
    const answer = await send(`https://localhost:${port}/.well-known/est/cacerts`, { ca });
    expect(answer.status).toBe(200);
    const before = performance.now();
    gateway.process.kill(signal);
    const { code, stdout, stderr } = await gateway.outcome;
    expect(performance.now() - before).toBeLessThan(1000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/EST is served at/g)).toHaveLength(1);
    expect(stdout).toContain(`Stopping because of ${signal}`);
  });

  it('does not wait for connections without a request, though their handshake is not over', async () => {
    const gateway = await serve();
    const socket = await openTls({ host: 'localhost', port, ca });
    const handshaking = connect(port, 'localhost');
    await once(handshaking, 'connect');
    socket.on('error', () => undefined);
    const before = performance.now();
    gateway.process.kill('SIGINT');
    const { code } = await gateway.outcome;
    expect(performance.now() - before).toBeLessThan(1000);
    expect(code).toBe(0);
    socket.destroy();
    handshaking.destroy();
  });

  it('S-38 takes up the configuration anew on SIGHUP, and says what came of it', async () => {
    const original = await readFile(file, 'utf8');
    const statusOfOther = async (): Promise<number> =>
      (await send(`https://localhost:${port}/.well-known/est/other/cacerts`, { ca })).status;
    const gateway = await serve();
    expect(await statusOfOther()).toBe(400);
    await writeFile(
      file,
      original.replace('\naliases:\n', '\naliases:\n  other: { backend: local, authentication: basic }\n'),
    );
    gateway.process.kill('SIGHUP');
    await gateway.stdoutWith('"The configuration was reloaded."');
    expect(await statusOfOther()).toBe(200);
    await writeFile(file, `nonsense: 1\n${original}`);
    gateway.process.kill('SIGHUP');
    await gateway.stdoutWith('"The reload failed; all is served as before."');
    expect(await statusOfOther()).toBe(200);
    await writeFile(file, original);
    gateway.process.kill('SIGTERM');
    const { code, stdout } = await gateway.outcome;
    expect(code).toBe(0);
    expect(stdout).toMatch(/"reason":"[^"]+est-gateway\.yaml:1: nonsense: unknown key/);
  });

  it('S-38 is not ended by a SIGHUP that comes before it is ready', async () => {
    const upstream = createServer().listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const { port: silent } = upstream.address() as AddressInfo;
    const text = await readFile(file, 'utf8');
    const relay = {
      driver: 'est',
      url: `https://127.0.0.1:${silent}/.well-known/est`,
      trustAnchor: 'trust-anchor.pem',
      clientCertificate: { certificate: 'tls/server.pem', privateKey: 'file:tls/server.key' },
    };
    const waiting = join(folder.path, 'waiting.yaml');
    await writeFile(
      waiting,
      text
        .replace('\nbackends:\n', `\nbackends:\n  relay: ${JSON.stringify(relay)}\n`)
        .replace('\naliases:\n', '\naliases:\n  other: { backend: relay, authentication: basic }\n'),
    );
    const gateway = start(['serve', '--config', waiting]);
    const [connection] = (await once(upstream, 'connection')) as [Socket];
    gateway.process.kill('SIGHUP');
    connection.destroy();
    upstream.close();
    await gateway.stdoutWith('EST is served at');
    gateway.process.kill('SIGTERM');
    expect(await gateway.outcome).toMatchObject({ code: 0, signal: null });
  });

  it('takes a Ctrl-C that arrives twice, from terminal and parent, as one', async () => {
    const gateway = await serve();
    gateway.process.kill('SIGINT');
    gateway.process.kill('SIGINT');
    expect((await gateway.outcome).code).toBe(0);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at once on a second %s, though a request is under way', async (signal, expected) => {
    const gateway = await serve();
    const socket = await openTls({ host: 'localhost', port, ca });
    socket.on('error', () => undefined);
    socket.write(
      'POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n' +
        `Authorization: Basic ${credentials}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n`,
    );
    await once(socket, 'data');
    gateway.process.kill(signal);
    await gateway.stdoutWith('Stopping because of');
    const again = setInterval(() => gateway.process.kill(signal), 100);
    const { code } = await gateway.outcome;
    clearInterval(again);
    expect(code).toBe(expected);
    socket.destroy();
  });

  it.each([0, 1])('says in a sentence that port +%i is in use', async (offset) => {
    const other = await listen(port + offset);
    const { code, stderr } = await run(['serve', '--config', file]);
    await closed(other);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `listeners.${offset === 0 ? 'est' : 'http'}: port ${port + offset} is in use; stop the program that uses it, or choose another port.\n`,
    );
  });

  it('says in a sentence that the folder of the socket is missing', async () => {
    const socket = join(folder.path, 'missing', 'est.sock');
    const bad = await changed(
      '\n  est:\n',
      `\n  proxy: { socket: ${socket}, clientCertificate: nginx }\n  est:\n`,
    );
    const sentence = `listeners.proxy: ${socket}: the folder of this socket must exist, and this user must be allowed to write to it.\n`;
    expect(await run(['serve', '--config', bad])).toMatchObject({ code: 1, stderr: sentence });
    expect(await run(['check', '--config', bad])).toMatchObject({ code: 1, stderr: `${bad}: ${sentence}` });
  });

  it('tells every mistake of the configuration, a line each', async () => {
    const bad = join(folder.path, 'bad.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(
      bad,
      text.replace('\nlimits:', '\nlimits:\n  bodyBites: 1').replace('level: info', 'level: loud'),
    );
    for (const command of ['serve', 'check']) {
      const { code, stdout, stderr } = await run([command, '--config', bad]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
      expect(stderr).toContain('bodyBytes');
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });

  it.each([
    ['ca/issuing.key', 'ca/root.key', /^\S+bad\.yaml: backends\.local: .*\.\n$/],
    [
      'tls/server.key',
      'ca/root.key',
      /^\S+: listeners\.est: privateKey: expected PEM of a private key that is not encrypted; "openssl pkey .*" decrypts it\.\n$/,
    ],
    [
      'tls/server.pem',
      'tls/no.pem',
      /^\S+: listeners\.est: \S+no\.pem: there is no such file or folder\.\n$/,
    ],
  ])('check says what a start would fail at: %s is %s', async (from, to, expected) => {
    const { code, stdout, stderr } = await run(['check', '--config', await changed(from, to)]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(expected);
  });
});
