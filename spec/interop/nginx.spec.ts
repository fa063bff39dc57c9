import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { freePorts } from '../cli/command-line.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generateKeyPair,
  id,
  name,
  tlv,
  utf8String,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  issueByHand,
  plainCsr,
  privatePem,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startNginx } from '../support/nginx.ts';
import { openssl } from '../support/openssl.ts';
import { describeWith, stopServer } from '../support/programs.ts';

describeWith('nginx', 'nginx/tls-termination.conf, as shipped', () => {
  let folder: string;
  let gateway: TestGateway;
  let nginx: ChildProcess;
  let port: number;
  let device: Device;
  let url: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nginx-'));
    const socket = join(folder, 'est.sock');
    gateway = await startTestGateway({
      proxy: { socket, clientCertificate: 'nginx', cipherSuite: 'X-SSL-Cipher' },
      aliases: {
        certificate: { authentication: 'clientCertificate' },
        otp: { authentication: 'clientCertificate', policy: { otpChallenge: 'required' } },
        strong: { serverKeyGeneration: { keys: ['P-384'] } },
      },
    });
    device = await enrolDevice(gateway, 'device-1');
    port = await freePorts();
    url = `https://localhost:${port}/.well-known/est`;
    nginx = await startNginx('nginx/tls-termination.conf', folder, port, {
      '/run/est-gateway/est.sock': socket,
      '/etc/est-gateway/tls/': `${gateway.directory}/`,
    });
  });
  afterAll(async () => {
    await stopServer(nginx);
    await gateway.stop();
    await rm(folder, { recursive: true });
  });

  async function post(
    path: string,
    csr: Buffer,
    headers: Record<string, string> = {},
    shown?: { readonly key: string; readonly cert: string },
  ): Promise<Answer> {
    const { key, cert } = shown ?? {};
    const tls = key === undefined || cert === undefined ? {} : { key, cert };
    return await send(`${url}${path}`, { ca: gateway.trustAnchor, ...tls, ...enrolment(csr, headers) });
  }
  const freshCsr = async (): Promise<Buffer> => await plainCsr('device-1', await generateKeyPair('P-256'));

  it('gives the CA certificates to who has no certificate', async () => {
    const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/pkcs7-mime']);
  });

  it('X-07 X-15 enrols by user and code, and renews by the certificate that came of it', async () => {
    const keyPair = await generateKeyPair('P-256');
    const csr = await plainCsr('device-2', keyPair);
    const enrolled = await post('/simpleenroll', csr, { Authorization: basic, Expect: '100-continue' });
    const cert = await certificateOf(enrolled);
    const key = keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const renewed = await post(
      '/simplereenroll',
      await plainCsr('device-2', await generateKeyPair('P-256')),
      {},
      { key, cert },
    );
    expect([enrolled.status, renewed.status]).toEqual([200, 200]);
    const verified = await openssl('verify -CAfile root.pem -untrusted issuing.pem renewed.pem', {
      'root.pem': gateway.trustAnchor,
      'issuing.pem': gateway.issuingCertificate,
      'renewed.pem': await certificateOf(renewed),
    });
    expect(verified).toContain('OK');
  });

  it('A-16 leaves codes to the gateway, and writes them into no log', async () => {
    const refused = await post('/simpleenroll', await freshCsr(), { Authorization: `${basic}x` });
    const enrolled = await post('/simpleenroll', await freshCsr(), { Authorization: basic });
    expect([refused.status, enrolled.status]).toEqual([401, 200]);
    const logs = ['est-gateway.access.log', 'est-gateway.error.log'].map((name) => join(folder, name));
    const texts = await Promise.all(logs.map(async (file) => await readFile(file, 'utf8')));
    expect(texts[0]).toContain('/simpleenroll');
    const [, credentials = ''] = basic.split(' ');
    for (const text of [...texts, ...gateway.log.lines()]) expect(text).not.toContain(credentials);
  });

  it.each([
    ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256', 403],
    ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', 200],
    ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', 403],
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384', 200],
  ] as const)(
    'K-06 X-02 makes a key for who comes with %s %s, whatever it says itself: %d',
    async (version, ciphers, status) => {
      const csr = await plainCsr('device-1', device.keyPair);
      for (const name of ['X-SSL-Cipher', 'X_SSL_Cipher', 'Connection']) {
        const claim = name === 'Connection' ? 'close, X-SSL-Cipher' : 'TLS_AES_256_GCM_SHA384';
        const answer = await send(`${url}/strong/serverkeygen`, {
          ...{ ca: gateway.trustAnchor, ciphers, minVersion: version, maxVersion: version },
          ...enrolment(csr, { Authorization: basic, [name]: claim }),
        });
        expect([name, answer.status]).toEqual([name, status]);
      }
    },
  );

  it('X-13 takes an otpChallenge, once, which does not depend on TLS', async () => {
    const code = 'one-time-code';
    await addUser(gateway.store, { alias: 'otp', name: 'device-1', code, remainingUses: 1 });
    const otpChallenge = (value: string): Buffer =>
      attribute('1.2.840.113549.1.9.16.2.56', utf8String(value));
    const enrolBy = async (value: string): Promise<number> => {
      const subject = name([id.commonName, utf8String('device-1')]);
      const attributes = [otpChallenge(value)];
      const key = await generateKeyPair('P-256');
      const csr = await certificationRequest({ key, subject, attributes });
      return (await post('/otp/simpleenroll', csr, {}, device)).status;
    };
    expect([await enrolBy('wrong'), await enrolBy(code), await enrolBy(code)]).toEqual([403, 200, 403]);
  });

  it('X-10 believes the certificate although the client asks to drop its field', async () => {
    const headers = { Connection: 'close, X-SSL-Client-Cert', 'X-SSL-Client-Cert': 'x' };
    expect((await post('/certificate/simpleenroll', await freshCsr(), headers, device)).status).toBe(200);
  });

  it('X-06 validates again what nginx lets through, such as the certificate of a stranger', async () => {
    const other = await startTestGateway();
    const stranger = await enrolDevice(other, 'stranger');
    await other.stop();
    const answer = await post('/certificate/simpleenroll', await freshCsr(), {}, stranger);
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('it leads to no trust anchor'),
    ]);
  });

  it('X-06 takes a certificate for itself, and not for one that is written inside it', async () => {
    const keyPair = await generateKeyPair('P-256');
    const inside = extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.from(`\n${device.cert}`)));
    const der = await certificateDer({ key: keyPair, subject: named('stranger'), extensions: [inside] });
    const stranger = { cert: certificateToPem(der), key: privatePem(keyPair.privateKey) };
    for (const path of ['/certificate/simpleenroll', '/simplereenroll']) {
      expect((await post(path, await freshCsr(), {}, stranger)).status).toBe(403);
    }
  });

  it('X-16 explains in plain text that nginx refuses a certificate that has expired', async () => {
    const dates = { notBefore: '20200101000000Z', notAfter: '20210101000000Z' };
    const answer = await post(
      '/certificate/simpleenroll',
      await freshCsr(),
      {},
      await issueByHand(gateway, dates),
    );
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      400,
      'text/plain',
      'The request, or the client certificate, is not accepted.\n',
    ]);
  });

  it('logs the address of the client, whatever the client says', async () => {
    await send(`${url}/cacerts`, {
      ca: gateway.trustAnchor,
      headers: { 'X-Forwarded-For': '192.0.2.66', Forwarded: 'for=192.0.2.66' },
    });
    expect(gateway.log.entries.at(-1)?.fields['address']).toMatch(/127\.0\.0\.1$|^::1$/);
  });

  it('X-16 explains in plain text what nginx refuses by itself: a body that is too large', async () => {
    const answer = await send(`${url}/simpleenroll`, {
      method: 'POST',
      ca: gateway.trustAnchor,
      headers: { 'Content-Type': 'application/pkcs10', Authorization: basic },
      body: 'A'.repeat(70_000),
    });
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      413,
      'text/plain',
      'The request body is too large.\n',
    ]);
  });

  it('X-08 takes client certificates of 54 KB', async () => {
    const large = await issueByHand(gateway, {
      subject: name([id.commonName, utf8String('large')]),
      extensions: [extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.alloc(54_000, 1)))],
    });
    const csr = await plainCsr('large', large.keyPair);
    expect((await post('/certificate/simpleenroll', csr, {}, large)).status).toBe(200);
  });

  it('X-16 says in plain text when to come again while the gateway is down', async () => {
    await gateway.restart(async () => {
      const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
      expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([
        503,
        '10',
        'The gateway cannot be reached at the moment; try again later.\n',
      ]);
    });
    expect((await send(`${url}/cacerts`, { ca: gateway.trustAnchor })).status).toBe(200);
  });
});
