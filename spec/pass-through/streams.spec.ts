import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get, type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { start, type RunningCommand } from '../cli/command-line.ts';
import { crlDer } from '../support/crl.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, until, type TestUpstream } from '../support/upstream.ts';

const header = { 'Content-Type': 'application/pkix-crl' };

/** Begins to answer with the first octets of a CRL that is larger, and leaves it at that. */
function beginCrl(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { ...header, 'Content-Length': 1_000_000 });
  response.write(crlDer({ filler: 999_000 }).subarray(0, 100_000));
}

/** The octets of an answer; rejects when it ends before its end. */
async function download(url: string): Promise<number> {
  const [incoming] = (await once(get(url, { agent: false }), 'response')) as [IncomingMessage];
  let octets = 0;
  for await (const chunk of incoming) octets += (chunk as Buffer).length;
  return octets;
}

/** A client that has got the beginning of the answer. */
async function begin(url: string): Promise<ClientRequest> {
  const outgoing = get(url, { agent: false });
  outgoing.on('error', () => undefined);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  incoming.on('error', () => undefined);
  await once(incoming, 'data');
  return outgoing;
}

describe('Documents that are passed through while they come in', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;

  beforeAll(async () => {
    upstream = await startUpstream();
    const paths: readonly (readonly [string, object])[] = [
      'abort',
      'early',
      'share',
      'cut',
      'stop',
      'silent',
      'refused',
      'many',
    ].map((name) => [`/${name}.crl`, { kind: 'crl', upstream: `${upstream.url}/${name}` }]);
    gateway = await startTestGateway({ passThrough: { timeout: 1, paths: Object.fromEntries(paths) } });
  });

  afterAll(async () => {
    await gateway.stop();
    await upstream.down();
  });

  const url = (name: string): string => `${gateway.httpUrl}/${name}.crl`;

  it('ends the upstream request within a second when its only client goes away', async () => {
    upstream.answer(beginCrl);
    const client = await begin(url('abort'));
    expect(upstream.connections.size).toBe(1);
    client.destroy();
    await until(() => upstream.connections.size === 0, 'the upstream request ends', 1);
  });

  it('ends the upstream request as well when the client goes away before the answer begins', async () => {
    const asked = new Promise<ServerResponse>((resolve) => {
      upstream.answer((_request, response) => {
        resolve(response);
      });
    });
    const client = get(url('early'), { agent: false });
    client.on('error', () => undefined);
    const response = await asked;
    client.destroy();
    // Sooner than the timeout would end it.
    await until(() => response.closed, 'the upstream request ends', 0.5);
    expect(response.headersSent).toBe(false);
  });

  it('goes on for the other clients when one goes away', async () => {
    const responses: ServerResponse[] = [];
    const body = crlDer({ filler: 999_000 });
    upstream.answer((_request, response) => {
      responses.push(response);
      response.writeHead(200, { ...header, 'Content-Length': body.length });
      response.write(body.subarray(0, 100_000));
    });
    const first = await begin(url('share'));
    const second = download(url('share'));
    await begin(url('share'));
    first.destroy();
    await once(first, 'close');
    expect(responses).toHaveLength(1);
    responses[0]?.end(body.subarray(100_000));
    expect(await second).toBe(body.length);
  });

  it.each([
    [
      'cut',
      'ends the connection in the middle',
      (response: ServerResponse) => setTimeout(() => response.destroy(), 50),
    ],
    ['stop', 'stops sending in the middle', () => undefined],
  ])('gives the client an error and no hang: %s, an upstream that %s', async (name, _what, after) => {
    upstream.answer((request, response) => {
      beginCrl(request, response);
      after(response);
    });
    await expect(download(url(name))).rejects.toThrow('aborted');
  });

  it('answers 504 when the upstream does not, and 503 when it refuses the connection', async () => {
    upstream.answer(() => undefined);
    const startedAt = performance.now();
    const silent = await fetch(url('silent'));
    expect(silent.status).toBe(504);
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await upstream.down();
    const refused = await fetch(url('refused'));
    await upstream.up();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '10']);
  });

  it('leaks no socket after 1,000 downloads that their clients gave up', async () => {
    upstream.answer(beginCrl);
    for (let round = 0; round < 20; round += 1) {
      const clients = await Promise.all(Array.from({ length: 50 }, async () => await begin(url('many'))));
      const closed = clients.map(async (client) => {
        // One that got another answer, since the machine is busy, may have ended by itself.
        if (client.socket?.destroyed === false) await once(client, 'close');
      });
      for (const client of clients) client.destroy();
      await Promise.all(closed);
    }
    await until(() => upstream.connections.size === 0, 'the upstream has no connection left');
    expect(upstream.requests.length).toBeGreaterThanOrEqual(20);
  });
});

/** Resident memory of a process in megabytes: now, or the most that it ever had. */
async function residentMegabytes(
  process: RunningCommand['process'],
  which: 'VmRSS' | 'VmHWM',
): Promise<number> {
  const status = await readFile(`/proc/${process.pid}/status`, 'utf8');
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

describe('A CRL of 30 MB', () => {
  it('goes to 50 clients at once with flat memory', async () => {
    const upstream = await startUpstream();
    const body = crlDer({ filler: 30_000_000 });
    upstream.answer((_request, response) => {
      response.writeHead(200, { ...header, 'Content-Length': body.length });
      response.end(body);
    });
    // In a process of its own, for the memory of the clients is not the gateway's.
    const configured = await startTestGateway({
      passThrough: { paths: { '/large.crl': { kind: 'crl', upstream: `${upstream.url}/large.crl` } } },
    });
    const gateway = start(['serve', '--config', configured.configurationFile]);
    try {
      const line = await gateway.stdoutWith('EST is served');
      const http = /"http":"([^"]+)"/.exec(line)?.[1] ?? '';
      const before = await residentMegabytes(gateway.process, 'VmRSS');
      expect(await download(`${http}/large.crl`)).toBe(body.length);
      const afterOne = await residentMegabytes(gateway.process, 'VmHWM');
      const sizes = await Promise.all(
        Array.from({ length: 50 }, async () => await download(`${http}/large.crl`)),
      );
      expect(sizes).toEqual(sizes.map(() => body.length));
      const afterFifty = await residentMegabytes(gateway.process, 'VmHWM');
      expect(upstream.requests).toHaveLength(1);
      // 30 MB once, and some for what is on its way; fifty copies would be 1,500.
      expect(afterOne - before).toBeLessThan(120);
      expect(afterFifty - afterOne).toBeLessThan(60);
    } finally {
      gateway.process.kill('SIGKILL');
      await gateway.outcome;
      await configured.stop();
      await upstream.down();
    }
  });
});
