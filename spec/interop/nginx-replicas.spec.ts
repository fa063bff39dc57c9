import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfiguration } from '../../src/config/load.ts';
import { startGateway, type Gateway } from '../../src/server.ts';
import { freePorts } from '../cli/command-line.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, certificateOf, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { recordLog, type RecordedLog } from '../support/log.ts';
import { startNginx } from '../support/nginx.ts';
import { describeWith, stopServer } from '../support/programs.ts';

describeWith('nginx', 'nginx/two-replicas.conf, as shipped', () => {
  let folder: string;
  let one: TestGateway;
  let two: Gateway;
  let nginx: ChildProcess;
  let url: string;
  let sockets: { readonly one: string; readonly two: string };
  const logOfTwo: RecordedLog = recordLog();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nginx-'));
    sockets = { one: join(folder, 'one.sock'), two: join(folder, 'two.sock') };
    one = await startTestGateway({ proxy: { socket: sockets.one, clientCertificate: 'nginx' } });
    two = await startSecond();
    const port = await freePorts();
    url = `https://localhost:${port}/.well-known/est`;
    nginx = await startNginx('nginx/two-replicas.conf', folder, port, {
      '/run/est-gateway/one.sock': sockets.one,
      '/run/est-gateway/two.sock': sockets.two,
      '/etc/est-gateway/tls/': `${one.directory}/`,
    });
  });
  afterAll(async () => {
    await stopServer(nginx);
    await two.stop();
    await one.stop();
    await rm(folder, { recursive: true });
  });

  /** On the same store and all else, but for the socket. */
  async function startSecond(): Promise<Gateway> {
    const file = join(one.directory, 'second.yaml');
    const text = await readFile(one.configurationFile, 'utf8');
    await writeFile(file, text.replace(sockets.one, sockets.two));
    return await startGateway(await loadConfiguration(file), logOfTwo);
  }

  async function enrol(csr: Buffer): Promise<Answer> {
    return await send(`${url}/simpleenroll`, {
      ca: one.trustAnchor,
      ...enrolment(csr, { Authorization: basic }),
    });
  }

  const cacerts = async (): Promise<Answer> => await send(`${url}/cacerts`, { ca: one.trustAnchor });
  const requestsTo = ({ entries }: RecordedLog): number =>
    entries.filter(({ message }) => message === 'request').length;

  it('spreads requests, and renews at one what the other issued', async () => {
    const before = [requestsTo(one.log), requestsTo(logOfTwo)];
    for (let n = 0; n < 4; n += 1) {
      const keyPair = await generateKeyPair('P-256');
      const cert = await certificateOf(await enrol(await plainCsr(`device-${n}`, keyPair)));
      const renewal = await send(`${url}/simplereenroll`, {
        ca: one.trustAnchor,
        ...{ key: privatePem(keyPair.privateKey), cert },
        ...enrolment(await plainCsr(`device-${n}`, await generateKeyPair('P-256'))),
      });
      expect(renewal.status).toBe(200);
    }
    expect([requestsTo(one.log), requestsTo(logOfTwo)]).toEqual(before.map((count) => count + 4));
  });

  it('E-22 gives a repeat the same certificate at the other replica', async () => {
    const csr = await plainCsr('repeats', await generateKeyPair('P-256'));
    const before = [requestsTo(one.log), requestsTo(logOfTwo)];
    const [first, second] = [await enrol(csr), await enrol(csr)];
    expect([first.status, second.body]).toEqual([200, first.body]);
    expect([requestsTo(one.log), requestsTo(logOfTwo)]).toEqual(before.map((count) => count + 1));
  });

  it('sends a request again that only asks, and no POST, when a replica breaks off', async () => {
    await two.stop();
    const broken = createServer((socket) => {
      socket.once('data', () => {
        socket.destroy();
      });
    });
    broken.listen(sockets.two);
    await once(broken, 'listening');
    const before = requestsTo(one.log);
    const csr = await plainCsr('breaks-off', await generateKeyPair('P-256'));
    const posts = [await enrol(csr), await enrol(csr)];
    expect(posts.map(({ status }) => status).toSorted()).toEqual([200, 503]);
    expect(requestsTo(one.log)).toBe(before + 1);
    const questions = [await cacerts(), await cacerts()];
    expect(questions.map(({ status }) => status)).toEqual([200, 200]);
    broken.close();
    two = await startSecond();
  });

  it('serves by the other while one is down, and says so when both are', async () => {
    const fresh = async (): Promise<number> =>
      (await enrol(await plainCsr('device', await generateKeyPair('P-256')))).status;
    await one.restart(async () => {
      expect([await fresh(), await fresh(), await fresh(), await fresh()]).toEqual([200, 200, 200, 200]);
      await two.stop();
      const down = await cacerts();
      expect([down.status, down.headers['content-type'], down.headers['retry-after']]).toEqual([
        503,
        'text/plain',
        '10',
      ]);
    });
  });
});
