import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { freePorts } from '../cli/command-line.ts';
import { openTls, readToEnd, send, type Answer } from '../support/client.ts';
import { extension, generateKeyPair, id, name, tlv, utf8String } from '../support/csr.ts';
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
import { startHaproxy } from '../support/haproxy.ts';
import { openssl } from '../support/openssl.ts';
import { describeWith, openWorkplace, stopServer, type Workplace } from '../support/programs.ts';

describeWith('haproxy', "docs/nginx.md's configuration of HAProxy", () => {
  let place: Workplace;
  let gateway: TestGateway;
  let haproxy: ChildProcess;
  let device: Device;
  let port: number;
  let url: string;

  beforeAll(async () => {
    place = await openWorkplace();
    gateway = await startTestGateway({
      proxy: {
        socket: join(place.directory, 'est.sock'),
        clientCertificate: 'haproxy',
        cipherSuite: 'X-SSL-Cipher',
      },
      aliases: {
        certificate: { authentication: 'clientCertificate' },
        lenient: { authentication: 'clientCertificate', policy: { renewExpiredDays: 30 } },
        strong: { serverKeyGeneration: { keys: ['P-384'] } },
      },
    });
    device = await enrolDevice(gateway, 'device-1');
    port = await freePorts();
    url = `https://localhost:${port}/.well-known/est`;
    haproxy = await startHaproxy(gateway, place, port);
  });
  afterAll(async () => {
    await stopServer(haproxy);
    await gateway.stop();
    await place.remove();
  });

  type Credentials = Pick<Device, 'key' | 'cert'>;
  async function post(
    path: string,
    csr: Buffer,
    headers: Readonly<Record<string, string>> = {},
    shown?: Credentials,
  ): Promise<Answer> {
    const tls = shown && { key: shown.key, cert: shown.cert };
    return await send(`${url}${path}`, { ca: gateway.trustAnchor, ...tls, ...enrolment(csr, headers) });
  }
  const csrFor = async (commonName: string): Promise<Buffer> =>
    await plainCsr(commonName, await generateKeyPair('P-256'));
  const enrolments = async (): Promise<number> => (await gateway.store.enrollments.list(1000)).length;
  const base64 = ({ cert }: Credentials): string => cert.replaceAll(/-----[^-]+-----|\n/g, '');

  it('gives the CA certificates to who has no certificate', async () => {
    const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/pkcs7-mime']);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'X-07 X-15 enrols by user and code, and renews by the certificate that came of it, over %s',
    async (version) => {
      const tls = { ca: gateway.trustAnchor, minVersion: version, maxVersion: version };
      const keyPair = await generateKeyPair('P-256');
      const enrolled = await send(`${url}/simpleenroll`, {
        ...tls,
        ...enrolment(await plainCsr(version, keyPair), { Authorization: basic, Expect: '100-continue' }),
      });
      const shown = { key: privatePem(keyPair.privateKey), cert: await certificateOf(enrolled) };
      const renewed = await send(`${url}/simplereenroll`, {
        ...{ ...tls, ...shown },
        ...enrolment(await csrFor(version)),
      });
      expect([enrolled.status, renewed.status]).toEqual([200, 200]);
      const verified = await openssl('verify -CAfile root.pem -untrusted issuing.pem renewed.pem', {
        'root.pem': gateway.trustAnchor,
        'issuing.pem': gateway.issuingCertificate,
        'renewed.pem': await certificateOf(renewed),
      });
      expect(verified).toContain('OK');
    },
  );

  it.each([
    'X-SSL-Client-Cert',
    'x-ssl-client-cert',
    'X_SSL_Client_Cert',
    'Client-Cert',
    'X-Forwarded-Client-Cert',
  ])('X-02 S-01 S-02 believes no certificate that a client writes into %s', async (field) => {
    const before = await enrolments();
    for (const value of [base64(device), `:${base64(device)}:`, encodeURIComponent(device.cert)]) {
      const csr = await csrFor('device-1');
      const enrolled = await post('/certificate/simpleenroll', csr, { [field]: value });
      const renewed = await post('/simplereenroll', csr, { [field]: value });
      expect([enrolled.status, renewed.status]).toEqual(field.includes('_') ? [400, 400] : [403, 401]);
    }
    expect(await enrolments()).toBe(before);
  });

  it('X-10 believes the certificate that is shown, whatever the fields of the client say', async () => {
    const other = await enrolDevice(gateway, 'device-2');
    const headers = { Connection: 'close, X-SSL-Client-Cert', 'X-SSL-Client-Cert': base64(other) };
    const answers = [
      await post('/simplereenroll', await csrFor('device-1'), headers, device),
      await post('/simplereenroll', await csrFor('device-2'), headers, device),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  });

  it('X-06 validates again what HAProxy lets through, such as the certificate of a stranger', async () => {
    const other = await startTestGateway();
    const stranger = await enrolDevice(other, 'stranger');
    await other.stop();
    const answer = await post('/certificate/simpleenroll', await csrFor('stranger'), {}, stranger);
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('it leads to no trust anchor'),
    ]);
  });

  it('renews with a certificate that has expired where the alias allows it', async () => {
    const day = 86_400_000;
    const time = (days: number): string =>
      `${new Date(Date.now() + days * day).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`;
    const subject = name([id.commonName, utf8String('late')]);
    const expired = await issueByHand(gateway, { subject, notBefore: time(-90), notAfter: time(-2) });
    const statuses = [];
    for (const alias of ['lenient', 'certificate']) {
      statuses.push((await post(`/${alias}/simplereenroll`, await csrFor('late'), {}, expired)).status);
    }
    expect(statuses).toEqual([200, 403]);
  });

  it.each([
    ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256', 403],
    ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384', 200],
    ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', 403],
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384', 200],
  ] as const)(
    'K-06 X-02 makes a key for who comes with %s %s, whatever it says itself: %d',
    async (version, ciphers, status) => {
      const claim = { 'X-SSL-Cipher': 'TLS_AES_256_GCM_SHA384' };
      const answer = await send(`${url}/strong/serverkeygen`, {
        ...{ ca: gateway.trustAnchor, ciphers, minVersion: version, maxVersion: version },
        ...enrolment(await csrFor('device-1'), { Authorization: basic, ...claim }),
      });
      expect(answer.status).toBe(status);
    },
  );

  it('logs the address of the client, whatever the client says', async () => {
    // Every address of 127.0.0.0/8 is one of this host.
    const answer = await send(`${url}/cacerts`, {
      ...{ ca: gateway.trustAnchor, host: '127.0.0.1', localAddress: '127.0.0.77', servername: 'localhost' },
      headers: { 'X-Forwarded-For': '192.0.2.66', Forwarded: 'for=192.0.2.66' },
    });
    expect([answer.status, gateway.log.entries.at(-1)?.fields['address']]).toEqual([200, '127.0.0.77']);
  });

  it('X-09 takes who resumes a session for whom it was before, or for nobody', async () => {
    const options = { port, ca: gateway.trustAnchor, maxVersion: 'TLSv1.2' } as const;
    const csr = (await csrFor('device-1')).toString('base64');
    const fields = ['Host: localhost', 'Content-Type: application/pkcs10', `Content-Length: ${csr.length}`];
    const reenrol = `POST /.well-known/est/simplereenroll HTTP/1.1\r\n${fields.join('\r\n')}\r\nConnection: close\r\n\r\n${csr}`;
    for (const [shown, status] of [
      [{ key: device.key, cert: device.cert }, '200'],
      [{}, '401'],
    ] as const) {
      const first = await openTls({ ...options, ...shown });
      const session = first.getSession();
      first.destroy();
      const socket = await openTls({ ...options, session });
      expect(socket.isSessionReused()).toBe(true);
      socket.write(reenrol);
      expect(await readToEnd(socket)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it('X-08 takes client certificates of 54 KB', async () => {
    const large = await issueByHand(gateway, {
      subject: name([id.commonName, utf8String('large')]),
      extensions: [extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.alloc(54_000, 1)))],
    });
    expect((await post('/certificate/simpleenroll', await csrFor('large'), {}, large)).status).toBe(200);
  });

  it('X-16 leaves it to the gateway to refuse a body that is too large', async () => {
    const answer = await send(`${url}/simpleenroll`, {
      method: 'POST',
      ca: gateway.trustAnchor,
      headers: { 'Content-Type': 'application/pkcs10', Authorization: basic },
      body: 'A'.repeat(70_000),
    });
    expect([answer.status, answer.headers['content-type']]).toEqual([
      413,
      expect.stringMatching(/^text\/plain/),
    ]);
  });

  it('X-16 says in plain text when to come again while the gateway is down', async () => {
    await gateway.restart(async () => {
      const answer = await send(`${url}/cacerts`, { ca: gateway.trustAnchor });
      expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([
        503,
        '10',
        'The gateway cannot be reached; try again later.\n',
      ]);
    });
    expect((await send(`${url}/cacerts`, { ca: gateway.trustAnchor })).status).toBe(200);
  });
});
