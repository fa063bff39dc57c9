import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { named } from '../support/certificate.ts';
import { send } from '../support/client.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolWithBasic,
  enrolment,
  issueByHand,
  plainCsr,
  renew,
} from '../support/device.ts';
import { generateKeyPair } from '../support/csr.ts';
import { startEstServer, sendPkcs7, type TestEstServer } from '../support/est-server.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { connectWith, enrolOver, linkedBy } from '../support/linking-client.ts';
import { openssl } from '../support/openssl.ts';
import { startChain, type Chain } from './chain.ts';

describe('A gateway whose upstream is down at the start', () => {
  it('serves the CA certificates that it last gave, and 503 with Retry-After for enrolments', async () => {
    const { relay, upstream } = await startChain();
    try {
      const before = await send(`${relay.url}/cacerts`, { ca: relay.trustAnchor });
      await relay.restart(async () => {
        await upstream.stop();
      });
      const after = await send(`${relay.url}/cacerts`, { ca: relay.trustAnchor });
      expect(after).toMatchObject({ status: 200, body: before.body });
      const csr = await plainCsr('early', await generateKeyPair('P-256'));
      const refused = await enrolWithBasic(relay, csr);
      expect(refused.status).toBe(503);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    } finally {
      await relay.stop();
    }
  });
});

describe('A chain of two gateways, request mode', () => {
  let chain: Chain;

  beforeAll(async () => {
    chain = await startChain({
      upstream: { aliases: { waiting: { backend: 'mock', profile: 'pending' } } },
    });
  });

  afterAll(async () => {
    await chain.stop();
  });

  it('C-05 gives the CA certificates of the upstream', async () => {
    const { relay, upstream } = chain;
    const [here, there] = await Promise.all(
      [relay, upstream].map(async ({ url, trustAnchor: ca }) => await send(`${url}/cacerts`, { ca })),
    );
    expect(here?.status).toBe(200);
    expect(here?.body).toBe(there?.body);
  });

  it('E-15 issues and renews by the upstream, and openssl verifies it', async () => {
    const { relay, upstream } = chain;
    const device = await enrolDevice(relay, 'chained');
    const verified = await openssl('verify -x509_strict -CAfile root.pem -untrusted issuing.pem leaf.pem', {
      'root.pem': upstream.trustAnchor,
      'issuing.pem': upstream.issuingCertificate,
      'leaf.pem': device.cert,
    });
    expect(verified).toContain('leaf.pem: OK');
    const renewed = await renew(relay, device, await plainCsr('chained', await generateKeyPair('P-256')));
    expect(renewed.status).toBe(200);
    const [first] = await upstream.store.enrollments.list(1);
    expect(first).toMatchObject({ operation: 'simplereenroll', state: 'issued', subject: 'CN=chained' });
    expect((await relay.store.enrollments.list(1))[0]).toMatchObject({
      operation: 'simplereenroll',
      state: 'issued',
      serialNumber: first?.serialNumber,
    });
  });

  it('X-12 refuses a CSR with the channel binding of the device, which it has verified and the upstream cannot', async () => {
    const { relay, upstream } = chain;
    const before = (await upstream.store.enrollments.list(1000)).length;
    const socket = await connectWith(relay, 'TLSv1.3');
    const answer = await enrolOver(socket, linkedBy(socket));
    expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*stands behind another TLS connection and cannot verify/);
    expect(await upstream.store.enrollments.list(1000)).toHaveLength(before);
  });

  it('E-22 gives the same certificate to a repeat without asking the upstream again', async () => {
    const { relay, upstream } = chain;
    const csr = await plainCsr('twice', await generateKeyPair('P-256'));
    const first = await enrolWithBasic(relay, csr);
    const before = (await upstream.store.enrollments.list(1000)).length;
    const second = await enrolWithBasic(relay, csr);
    expect(await certificateOf(second)).toBe(await certificateOf(first));
    expect(await upstream.store.enrollments.list(1000)).toHaveLength(before);
  });
});

/** A relay in front of a server that a spec scripts. */
describe('An EST server behind the gateway', () => {
  let server: TestEstServer;
  let gateway: TestGateway;

  beforeAll(async () => {
    server = await startEstServer();
    const backend = {
      driver: 'est',
      url: server.url,
      trustAnchor: 'upstream.pem',
      clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
      basic: { username: 'gateway', password: 'file:password' },
      circuitBreaker: { failures: 1000 },
    };
    gateway = await startTestGateway({
      backends: {
        upstream: { ...backend, timeouts: { answer: 1 } },
        proxied: { ...backend, identity: 'clientCert', renewals: 'simplereenroll', linked: 'send' },
      },
      aliases: { est: { backend: 'upstream' }, proxied: { backend: 'proxied' } },
      files: {
        'upstream.pem': server.trustAnchor,
        'ra.pem': server.client.cert,
        'ra.key': server.client.key,
        password: 'a secret',
      },
    });
  });

  afterAll(async () => {
    await gateway.stop();
    await server.stop();
  });

  async function enrol(): ReturnType<typeof enrolWithBasic> {
    server.requests.length = 0;
    return await enrolWithBasic(gateway, await plainCsr('device', await generateKeyPair('P-256')));
  }

  function status(code: number, headers: Readonly<Record<string, string>> = {}) {
    return (_request: unknown, response: ServerResponse): void => {
      response.writeHead(code, { 'Content-Type': 'text/plain', ...headers }).end('upstream says: s3cret');
    };
  }

  it.each([
    [400, 400, 'warn', 'The CA does not accept this CSR.'],
    [403, 403, 'warn', 'The CA refuses this request.'],
    [401, 502, 'error', 'The CA behind the gateway gave an answer that makes no sense.'],
    [302, 502, 'error', 'The CA behind the gateway gave an answer that makes no sense.'],
    [404, 502, 'error', 'The CA behind the gateway gave an answer that makes no sense.'],
    [415, 502, 'error', 'The CA behind the gateway gave an answer that makes no sense.'],
    [429, 503, 'warn', 'The CA behind the gateway cannot be reached at the moment; try again later.'],
    [500, 502, 'warn', 'The CA behind the gateway gave an answer that makes no sense.'],
    [503, 503, 'warn', 'The CA behind the gateway cannot be reached at the moment; try again later.'],
    [504, 504, 'warn', 'The CA behind the gateway did not answer in time; try again later.'],
  ])('turns %s of the upstream into %s', async (code, expected, level, sentence) => {
    server.answer(status(code, { 'Retry-After': '17' }));
    const seen = gateway.log.entries.length;
    const answer = await enrol();
    server.answer(undefined);
    expect(answer.status).toBe(expected);
    expect(answer.body.startsWith(sentence)).toBe(true);
    expect(answer.body).not.toContain('s3cret');
    expect(answer.headers['retry-after']).toBe([503, 504].includes(expected) ? '17' : undefined);
    const line = gateway.log.entries.slice(seen).find(({ message }) => message.startsWith('The EST server'));
    expect(line).toMatchObject({ level, fields: { backend: 'upstream', answer: 'upstream says: s3cret' } });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['garbage', (response: ServerResponse) => response.writeHead(200).end('no pkcs7')],
    ['nothing', (response: ServerResponse) => response.writeHead(200).end()],
    [
      'a certs-only without the certificate',
      (response: ServerResponse) => {
        sendPkcs7(response, Buffer.from('300b06092a864886f70d010702', 'hex'));
      },
    ],
    [
      'more than maxResponse',
      (response: ServerResponse) => response.writeHead(200).end('A'.repeat(2_000_000)),
    ],
  ])('answers 502 to %s', async (_what, how) => {
    server.answer((_request, response) => {
      how(response);
    });
    const answer = await enrol();
    server.answer(undefined);
    expect(answer.status).toBe(502);
  });

  it('answers 504 when the upstream is silent, and 503 when it ends the connection', async () => {
    server.answer(() => undefined);
    const silent = await enrol();
    server.answer((_request, response) => {
      response.destroy();
    });
    const ended = await enrol();
    server.answer(undefined);
    expect([silent.status, ended.status]).toEqual([504, 503]);
  });

  it('P-01 P-05 lets a request wait, and repeats it to the upstream as it was first', async () => {
    server.answer(status(202, { 'Retry-After': '2' }));
    const key = await generateKeyPair('P-256');
    server.requests.length = 0;
    const first = await enrolWithBasic(gateway, await plainCsr('waits', key));
    server.answer(undefined);
    const second = await enrolWithBasic(gateway, await plainCsr('waits', key));
    expect([first.status, first.headers['retry-after'], second.status]).toEqual([202, '2', 200]);
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.body).toBe(server.requests[0]?.body);
  });

  it('takes BER of indefinite length, as Bouncy Castle writes it', async () => {
    server.answer(async ({ body }, response) => {
      const der = await server.issue(body);
      // ContentInfo and [0] of indefinite length around the same SignedData.
      const oid = der.subarray(der.indexOf(Buffer.from('06092a864886f70d010702', 'hex')));
      const signedData = oid.subarray(11);
      const inner = signedData.subarray(
        signedData.readUInt8(1) < 0x80 ? 2 : 2 + (signedData.readUInt8(1) & 0x7f),
      );
      const end = Buffer.alloc(2);
      const ber = Buffer.concat([
        Buffer.of(0x30, 0x80),
        oid.subarray(0, 11),
        Buffer.of(0xa0, 0x80),
        inner,
        end,
        end,
      ]);
      sendPkcs7(response, ber);
    });
    const answer = await enrol();
    server.answer(undefined);
    expect(answer.status).toBe(200);
  });

  it('shows the upstream its own credentials, and nothing of the header of the client', async () => {
    await send(`${gateway.url}/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(await plainCsr('device', await generateKeyPair('P-256')), {
        Authorization: basic,
        'Client-Cert': ':AAAA:',
        Cookie: 'a=b',
      }),
    });
    const { headers } = server.requests.at(-1) ?? {};
    expect(headers).toMatchObject({
      authorization: `Basic ${Buffer.from('gateway:a secret').toString('base64')}`,
      'content-type': 'application/pkcs10',
      'content-transfer-encoding': 'base64',
    });
    expect(headers).not.toHaveProperty('client-cert');
    expect(headers).not.toHaveProperty('cookie');
    expect(gateway.log.lines().join('')).not.toContain('a secret');
  });

  it('X-01 sends the certificate of the client as Client-Cert, where the upstream takes the gateway for its proxy', async () => {
    const device = await enrolDevice(gateway, 'forwarded', 'proxied');
    expect(server.requests.at(-1)?.headers['client-cert']).toBeUndefined();
    await renew(gateway, device, await plainCsr('forwarded', await generateKeyPair('P-256')), 'proxied');
    const { operation, headers } = server.requests.at(-1) ?? {};
    const der = Buffer.from(device.cert.replace(/-----[^-]+-----/g, ''), 'base64');
    expect([operation, headers?.['client-cert']]).toEqual(['simplereenroll', `:${der.toString('base64')}:`]);
  });
});

describe('A relay that another gateway takes for its proxy', () => {
  it('X-01 renews there with the certificate of the device, which the upstream checks again', async () => {
    const proxies = await startTestGateway();
    const proxy = await enrolDevice(proxies, 'relay');
    const upstream = await startTestGateway({
      proxy: {
        address: '127.0.0.1',
        port: 0,
        clientCertificate: 'rfc9440',
        tls: {
          certificate: 'server.pem',
          privateKey: 'file:server.key',
          trustAnchors: [`${proxies.directory}/root.pem`, `${proxies.directory}/issuing.pem`],
          names: ['relay'],
        },
      },
      aliases: { est: { authentication: 'clientCertificate' } },
    });
    const device = await issueByHand(upstream, { subject: named('device') });
    const relay = await startTestGateway({
      backends: {
        upstream: {
          driver: 'est',
          url: `https://localhost:${new URL(upstream.proxyPlace).port}/.well-known/est`,
          trustAnchor: 'upstream.pem',
          clientCertificate: { certificate: 'proxy.pem', privateKey: 'file:proxy.key' },
          identity: 'clientCert',
          renewals: 'simplereenroll',
        },
      },
      aliases: { est: { backend: 'upstream', authentication: 'clientCertificate' } },
      files: { 'upstream.pem': upstream.trustAnchor, 'proxy.pem': proxy.cert, 'proxy.key': proxy.key },
    });
    const { status } = await renew(relay, device, await plainCsr('device', await generateKeyPair('P-256')));
    const [there] = await upstream.store.enrollments.list(1);
    await Promise.all([relay.stop(), upstream.stop(), proxies.stop()]);
    expect(status).toBe(200);
    expect(there).toMatchObject({ operation: 'simplereenroll', state: 'issued', subject: 'CN=device' });
    expect(there?.identity).toMatch(/^certificate:/);
  });
});
