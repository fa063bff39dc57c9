import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { freePorts } from '../cli/command-line.ts';
import { send, type Answer } from '../support/client.ts';
import { attribute, certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
import { basic, enrolDevice, issueByHand, type Device } from '../support/device.ts';
import type { TestGateway } from '../support/gateway.ts';
import { startNginx } from '../support/nginx.ts';
import { describeWith, stopServer } from '../support/programs.ts';
import { csrFor, postThrough, startGatewayBehind, tlsTerminationSuite } from './tls-termination.ts';

describeWith('nginx', 'nginx/tls-termination.conf, as shipped', () => {
  let folder: string;
  let gateway: TestGateway;
  let nginx: ChildProcess;
  let port: number;
  let device: Device;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nginx-'));
    const socket = join(folder, 'est.sock');
    gateway = await startGatewayBehind(socket, 'nginx', {
      otp: { authentication: 'clientCertificate', policy: { otpChallenge: 'required' } },
    });
    device = await enrolDevice(gateway, 'device-1');
    port = await freePorts();
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

  tlsTerminationSuite(() => ({ gateway, port }), {
    forged: {
      'X-SSL-Client-Cert': [403, 401],
      'x-ssl-client-cert': [403, 401],
      'Client-Cert': [403, 401],
      'X-Forwarded-Client-Cert': [403, 401],
      X_SSL_Client_Cert: [403, 401],
    },
    unreachable: 'The gateway cannot be reached at the moment; try again later.\n',
  });

  const post = async (path: string, csr: Buffer, headers = {}, shown?: Device): Promise<Answer> =>
    await postThrough({ gateway, port }, path, csr, headers, shown);

  it('A-16 leaves codes to the gateway, and writes them into no log', async () => {
    const refused = await post('/simpleenroll', await csrFor('device-1'), { Authorization: `${basic}x` });
    const enrolled = await post('/simpleenroll', await csrFor('device-1'), { Authorization: basic });
    expect([refused.status, enrolled.status]).toEqual([401, 200]);
    const logs = ['est-gateway.access.log', 'est-gateway.error.log'].map((name) => join(folder, name));
    const texts = await Promise.all(logs.map(async (file) => await readFile(file, 'utf8')));
    expect(texts[0]).toContain('/simpleenroll');
    const [, credentials = ''] = basic.split(' ');
    for (const text of [...texts, ...gateway.log.lines()]) expect(text).not.toContain(credentials);
  });

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

  it('X-16 explains in plain text that nginx refuses a certificate that has expired', async () => {
    const dates = { notBefore: '20200101000000Z', notAfter: '20210101000000Z' };
    const answer = await post(
      '/certificate/simpleenroll',
      await csrFor('device-1'),
      {},
      await issueByHand(gateway, dates),
    );
    expect([answer.status, answer.headers['content-type'], answer.body]).toEqual([
      400,
      'text/plain',
      'The request, or the client certificate, is not accepted.\n',
    ]);
  });

  it('X-16 explains in plain text what nginx refuses by itself: a body that is too large', async () => {
    const answer = await send(`https://localhost:${port}/.well-known/est/simpleenroll`, {
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
});
