import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { start } from '../cli/command-line.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolWithBasic,
  enrolment,
  plainCsr,
  renew,
} from '../support/device.ts';
import { startEstServer, sendPkcs7, type TestEstServer } from '../support/est-server.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startChain, type Chain } from './chain.ts';

const relay = ['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll'];

describe('A chain of two gateways, relay mode', () => {
  let chain: Chain;
  beforeAll(async () => {
    chain = await startChain({
      backend: { relay },
      upstream: {
        aliases: { demanding: { wrap: 'none', policy: { keys: ['RSA-3072'], subject: ['commonName'] } } },
      },
      further: ['demanding'],
    });
  });
  afterAll(async () => {
    await chain.stop();
  });

  it.each(['cacerts', 'csrattrs'])('C-05 gives %s of the upstream as it is', async (operation) => {
    const { relay: here, upstream } = chain;
    const ask = async ({ url, trustAnchor: ca }: TestGateway): Promise<Answer> =>
      await send(`${url}/demanding/${operation}`, { ca });
    const [relayed, original] = [await ask(here), await ask(upstream)];
    expect([relayed.status, relayed.body]).toEqual([200, original.body]);
    expect(relayed.headers['content-type']).toBe(original.headers['content-type']);
    expect(relayed.headers['content-transfer-encoding']).toBe('base64');
  });

  it('answers 204 where the upstream has no attributes to ask for', async () => {
    const { relay: here } = chain;
    expect(await send(`${here.url}/csrattrs`, { ca: here.trustAnchor })).toMatchObject({
      status: 204,
      body: '',
    });
  });

  it('E-15 E-22 issues and renews, keeps a record, and gives a repeat the same certificate', async () => {
    const { relay: here, upstream } = chain;
    const device = await enrolDevice(here, 'relayed');
    const csr = await plainCsr('relayed', await generateKeyPair('P-256'));
    const renewed = await renew(here, device, csr);
    expect(renewed.status).toBe(200);
    const [there] = await upstream.store.enrollments.list(1);
    expect((await here.store.enrollments.list(1))[0]).toMatchObject({
      operation: 'simplereenroll',
      state: 'issued',
      serialNumber: there?.serialNumber,
    });
    const again = await renew(here, device, csr);
    expect(await certificateOf(again)).toBe(await certificateOf(renewed));
    expect((await upstream.store.enrollments.list(1))[0]?.id).toBe(there?.id);
  });
});

describe('A relayed EST server', () => {
  let server: TestEstServer;
  let gateway: TestGateway;
  beforeAll(async () => {
    server = await startEstServer();
    gateway = await startTestGateway({
      backends: {
        upstream: {
          driver: 'est',
          url: server.url,
          trustAnchor: 'upstream.pem',
          clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
          circuitBreaker: { failures: 1000 },
          timeouts: { answer: 1 },
          relay,
        },
      },
      aliases: { est: { backend: 'upstream' } },
      files: {
        'upstream.pem': server.trustAnchor,
        'ra.pem': server.client.cert,
        'ra.key': server.client.key,
      },
    });
  });
  afterEach(() => {
    server.answer(undefined);
  });
  afterAll(async () => {
    await gateway.stop();
    await server.stop();
  });

  async function enrol(commonName = 'device'): Promise<Answer> {
    return await enrolWithBasic(gateway, await plainCsr(commonName, await generateKeyPair('P-256')));
  }

  async function outcome(): Promise<string | undefined> {
    return (await gateway.store.enrollments.list(1))[0]?.state;
  }

  it('gives the octets of the upstream, and of its header what describes them', async () => {
    let sent = '';
    server.answer(async ({ body }, response) => {
      sent = (await server.issue(body)).toString('base64').replace(/.{20}/g, '$&\r\n');
      response.setHeader('Content-Type', 'application/pkcs7-mime; smime-type=certs-only; name=x');
      response.setHeader('Set-Cookie', 'a=b');
      response.setHeader('Location', 'https://elsewhere.example/');
      response.write(sent.slice(0, 100));
      response.end(sent.slice(100));
    });
    const answer = await enrol();
    expect([answer.status, answer.body]).toEqual([200, sent]);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/pkcs7-mime; smime-type=certs-only; name=x',
      'cache-control': 'no-store',
    });
    expect(answer.headers).not.toHaveProperty('set-cookie');
    expect(answer.headers).not.toHaveProperty('location');
    expect(await outcome()).toBe('issued');
  });

  it('P-01 P-05 lets a request wait, and repeats it to the upstream as it was first', async () => {
    server.answer((_request, response) => {
      response.writeHead(202, { 'Retry-After': '2' }).end();
    });
    const key = await generateKeyPair('P-256');
    server.requests.length = 0;
    const first = await enrolWithBasic(gateway, await plainCsr('waits', key));
    server.answer(undefined);
    const second = await enrolWithBasic(gateway, await plainCsr('waits', key));
    expect([first.status, first.headers['retry-after'], second.status]).toEqual([202, '2', 200]);
    expect(server.requests.map(({ body }) => body)).toEqual(Array(2).fill(server.requests[0]?.body));
  });

  it.each([
    [400, 400, 'refused'],
    [403, 403, 'refused'],
    [302, 502, 'failed'],
    [401, 502, 'failed'],
    [503, 503, 'failed'],
    [504, 504, 'failed'],
  ])('turns %s of the upstream into %s', async (code, expected, state) => {
    server.answer((_request, response) => {
      response.writeHead(code).end('upstream says: s3cret');
    });
    const answer = await enrol();
    expect(answer.status).toBe(expected);
    expect(answer.body).not.toContain('s3cret');
    expect(await outcome()).toBe(state);
  });

  it.each([
    ['garbage', 'failed', (response: ServerResponse) => response.end('no pkcs7')],
    ['nothing', 'failed', (response: ServerResponse) => response.end()],
    [
      'a certificate for another key',
      'rejected',
      async (response: ServerResponse) => {
        const other = await plainCsr('device', await generateKeyPair('P-256'));
        sendPkcs7(response, await server.issue(other.toString('base64')));
      },
    ],
  ])('answers 502 to %s', async (_what, state, how) => {
    server.answer(async (_request, response) => {
      await how(response);
    });
    expect((await enrol()).status).toBe(502);
    expect(await outcome()).toBe(state);
  });

  it('answers 502 to an answer in several pieces whose certificate cannot be believed', async () => {
    server.answer(async (_request, response) => {
      const other = await plainCsr('device', await generateKeyPair('P-256'));
      const text = (await server.issue(other.toString('base64'))).toString('base64');
      response.write(text.slice(0, 500), () => response.end(text.slice(500)));
    });
    expect((await enrol()).status).toBe(502);
    expect(await outcome()).toBe('rejected');
  });

  it('gives nothing of a certificate away that is not recorded, when the upstream is cut just before the end', async () => {
    server.answer(async ({ body }, response) => {
      const text = (await server.issue(body)).toString('base64');
      const length = String(text.length);
      response.writeHead(200, { 'Content-Type': 'application/pkcs7-mime', 'Content-Length': length });
      response.write(text.slice(0, -2));
      setTimeout(() => response.write(text.slice(-2, -1), () => response.destroy()), 50);
    });
    const { status, body } = await enrol();
    expect([status, body]).toEqual([503, expect.stringMatching(/^The CA behind the gateway /)]);
    expect(await outcome()).toBe('failed');
    const line = gateway.log.entries.findLast(({ message }) => message === 'request');
    expect(line).toMatchObject({ level: 'error', fields: { outcome: 'ca_unavailable' } });
  });

  it('answers 502 to an answer that does not end', async () => {
    server.answer((_request, response) => {
      response.write('A'.repeat(1_048_577));
    });
    expect((await enrol()).status).toBe(502);
  });

  it('answers 504 when the upstream is silent, and 503 when it falls silent', async () => {
    server.answer(() => undefined);
    expect((await enrol()).status).toBe(504);
    server.answer((_request, response) => {
      response.write('A'.repeat(1000));
      setTimeout(() => response.write('A'), 50);
    });
    expect((await enrol()).status).toBe(503);
  });

  it('answers 503 when the upstream ends the connection', async () => {
    server.answer((_request, response) => {
      response.destroy();
    });
    expect((await enrol()).status).toBe(503);
  });

  /**
   * The client goes away when the upstream has the request, or has sent a part of the answer, of which the client has the
   * beginning where it goes on at once. Gives the milliseconds until the request to the upstream ends.
   */
  async function goAway(
    agent: Agent,
    path: string,
    options: object,
    when: 'asked' | 'answered',
  ): Promise<number> {
    const asked = new Promise<ServerResponse>((resolve) => {
      server.answer((_request, response) => {
        if (when === 'asked') resolve(response);
        else
          response.write('A'.repeat(1000), () => {
            resolve(response);
          });
      });
    });
    const { body, ...rest } = { body: '', ...options };
    const outgoing = request(`${gateway.url}/${path}`, { agent, ca: gateway.trustAnchor, ...rest });
    outgoing.on('error', () => undefined);
    outgoing.end(body);
    const upstream = await asked;
    if (when === 'answered' && path === 'csrattrs') await once(outgoing, 'response');
    const goneAt = performance.now();
    outgoing.destroy();
    if (!upstream.closed) await once(upstream, 'close');
    return performance.now() - goneAt;
  }

  it.each(['asked', 'answered'] as const)(
    'ends the request to the upstream when the client goes away (%s)',
    async (when) => {
      const agent = new Agent();
      const csr = await plainCsr('leaves', await generateKeyPair('P-256'));
      const enrolling = enrolment(csr, { Authorization: basic });
      expect(await goAway(agent, 'simpleenroll', enrolling, when)).toBeLessThan(1000);
      expect(await goAway(agent, 'csrattrs', {}, when)).toBeLessThan(1000);
    },
  );

  it('leaks no socket when 200 clients go away', async () => {
    const agent = new Agent();
    for (let n = 0; n < 20; n += 1) {
      for (let m = 0; m < 10; m += 1) await goAway(agent, 'csrattrs', {}, 'answered');
    }
    expect(server.connections.size).toBeLessThanOrEqual(2);
  });
});

describe('A relay as a process', () => {
  it('writes its log and nothing else', async () => {
    const { relay: gateway, ...chain } = await startChain({ backend: { relay } });
    const process = start(['serve', '--config', gateway.configurationFile]);
    const line = await process.stdoutWith('EST is served at');
    const url = /https:[^ "]*/.exec(line)?.[0] ?? '';
    const { status } = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
    process.process.kill('SIGTERM');
    const { code, stderr } = await process.outcome;
    await chain.stop();
    expect([status, code, stderr]).toEqual([200, 0, '']);
  });
});

describe('A relay whose upstream is not there any more', () => {
  it('answers 503 when nobody listens, and 502 when somebody else does', async () => {
    const server = await startEstServer();
    const gateway = await startTestGateway({
      backends: {
        upstream: {
          driver: 'est',
          url: server.url,
          trustAnchor: 'upstream.pem',
          clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
          relay,
        },
      },
      aliases: { est: { backend: 'upstream' } },
      files: {
        'upstream.pem': server.trustAnchor,
        'ra.pem': server.client.cert,
        'ra.key': server.client.key,
      },
    });
    const ask = async (): Promise<number> =>
      (await send(`${gateway.url}/csrattrs`, { ca: gateway.trustAnchor })).status;
    const whileThere = await ask();
    await server.stop();
    const whileDown = await ask();
    const impostor = await startEstServer(Number(new URL(server.url).port));
    const replaced = await ask();
    await impostor.stop();
    await gateway.stop();
    expect([whileThere, whileDown, replaced]).toEqual([204, 503, 502]);
    expect(impostor.requests).toEqual([]);
  });
});
