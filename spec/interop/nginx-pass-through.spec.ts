import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { freePorts } from '../cli/command-line.ts';
import { openTls, send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, certificateOf, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { enrolOver, linkedBy } from '../support/linking-client.ts';
import { startNginx } from '../support/nginx.ts';
import { describeWith, stopServer } from '../support/programs.ts';

describeWith('nginx', 'nginx/tcp-pass-through.conf, as shipped', () => {
  let folder: string;
  let gateway: TestGateway;
  let nginx: ChildProcess;
  let port: number;
  let url: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nginx-'));
    gateway = await startTestGateway({
      est: { proxyProtocol: { trustedAddresses: ['127.0.0.1'] } },
      aliases: {
        linked: { policy: { linking: 'required' } },
        keys: { serverKeyGeneration: { keys: ['P-384'] } },
      },
    });
    port = await freePorts();
    url = `https://localhost:${port}/.well-known/est`;
    nginx = await startNginx('nginx/tcp-pass-through.conf', folder, port, {
      '127.0.0.1:9443': `127.0.0.1:${gateway.port}`,
    });
  });
  afterAll(async () => {
    await stopServer(nginx);
    await gateway.stop();
    await rm(folder, { recursive: true });
  });

  const lastRequest = () => gateway.log.entries.findLast(({ message }) => message === 'request')?.fields;
  const connect = async (version: 'TLSv1.2' | 'TLSv1.3'): Promise<TLSSocket> =>
    await openTls({ port, ca: gateway.trustAnchor, minVersion: version, maxVersion: version });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'enrols by user and code, and renews, over %s',
    async (version) => {
      const keyPair = await generateKeyPair('P-256');
      const tls = { ca: gateway.trustAnchor, minVersion: version, maxVersion: version };
      const enrolled = await send(`${url}/simpleenroll`, {
        ...tls,
        ...enrolment(await plainCsr(version, keyPair), { Authorization: basic }),
      });
      const credentials = { key: privatePem(keyPair.privateKey), cert: await certificateOf(enrolled) };
      const renewed = await send(`${url}/simplereenroll`, {
        ...{ ...tls, ...credentials },
        ...enrolment(await plainCsr(version, await generateKeyPair('P-256'))),
      });
      expect([enrolled.status, renewed.status]).toEqual([200, 200]);
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'L-01 L-08 verifies the channel binding of the device over %s',
    async (version) => {
      const [socket, other, third] = [await connect(version), await connect(version), await connect(version)];
      expect(await enrolOver(socket, linkedBy(socket), { alias: 'linked' })).toMatch(/^HTTP\/1\.1 200 /);
      expect(await enrolOver(other, linkedBy(third), { alias: 'linked' })).toMatch(/^HTTP\/1\.1 400 /);
      third.destroy();
    },
  );

  it('K-06 makes keys, since the gateway knows the cipher suite by itself', async () => {
    const csr = await plainCsr('keys', await generateKeyPair('P-256'));
    const tls = { ca: gateway.trustAnchor, ciphers: 'TLS_AES_256_GCM_SHA384' };
    const parts = enrolment(csr, { Authorization: basic });
    expect((await send(`${url}/keys/serverkeygen`, { ...tls, ...parts })).status).toBe(200);
  });

  it('logs the address of the client, not that of nginx', async () => {
    // Every address of 127.0.0.0/8 is one of this host; nginx itself comes from 127.0.0.1.
    const options = { host: '127.0.0.1', localAddress: '127.0.0.77', servername: 'localhost' };
    const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor, ...options });
    expect([answer.status, lastRequest()?.['address']]).toEqual([200, '127.0.0.77']);
  });

  it('believes no address in header fields', async () => {
    const forged = { 'X-Forwarded-For': '192.0.2.66', Forwarded: 'for=192.0.2.66' };
    await send(`${url}/cacerts`, { ca: gateway.trustAnchor, headers: forged });
    expect(lastRequest()?.['address']).toMatch(/^127\.0\.0\.1$|^::1$/);
  });

  it('closes a connection past nginx, which has no header', async () => {
    await expect(send(`${gateway.url}/cacerts`, { ca: gateway.trustAnchor })).rejects.toThrow();
    const refusal = gateway.log.entries.findLast(({ message }) => message === 'connection refused');
    expect(refusal?.fields['reason']).toMatch('does not begin with a header of the PROXY protocol');
  });
});
