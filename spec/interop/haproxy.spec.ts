import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { freePorts } from '../cli/command-line.ts';
import { openTls, readToEnd, send } from '../support/client.ts';
import { id, name, utf8String } from '../support/csr.ts';
import { basic, enrolDevice, issueByHand } from '../support/device.ts';
import type { TestGateway } from '../support/gateway.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { describeWith, openWorkplace, stopServer, type Workplace } from '../support/programs.ts';
import { csrFor, postThrough, startGatewayBehind, tlsTerminationSuite } from './tls-termination.ts';

describeWith('haproxy', "docs/nginx.md's configuration of HAProxy", () => {
  let place: Workplace;
  let gateway: TestGateway;
  let haproxy: ChildProcess;
  let port: number;

  beforeAll(async () => {
    place = await openWorkplace();
    gateway = await startGatewayBehind(join(place.directory, 'est.sock'), 'haproxy', {
      lenient: { authentication: 'clientCertificate', policy: { renewExpiredDays: 30 } },
    });
    port = await freePorts();
    haproxy = await startHaproxy(gateway, place, port);
  });
  afterAll(async () => {
    await stopServer(haproxy);
    await gateway.stop();
    await place.remove();
  });

  tlsTerminationSuite(() => ({ gateway, port }), {
    forged: {
      'X-SSL-Client-Cert': [403, 401],
      'x-ssl-client-cert': [403, 401],
      'Client-Cert': [403, 401],
      'X-Forwarded-Client-Cert': [403, 401],
      X_SSL_Client_Cert: [400, 400],
    },
    unreachable: 'The gateway cannot be reached; try again later.\n',
  });

  it('renews with a certificate that has expired where the alias allows it', async () => {
    const day = 86_400_000;
    const time = (days: number): string =>
      `${new Date(Date.now() + days * day).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`;
    const subject = name([id.commonName, utf8String('late')]);
    const expired = await issueByHand(gateway, { subject, notBefore: time(-90), notAfter: time(-2) });
    const statuses = [];
    for (const alias of ['lenient', 'certificate']) {
      const path = `/${alias}/simplereenroll`;
      statuses.push((await postThrough({ gateway, port }, path, await csrFor('late'), {}, expired)).status);
    }
    expect(statuses).toEqual([200, 403]);
  });

  it('X-09 takes who resumes a session for whom it was before, or for nobody', async () => {
    const device = await enrolDevice(gateway, 'device-1');
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

  it('X-16 leaves it to the gateway to refuse a body that is too large', async () => {
    const answer = await send(`https://localhost:${port}/.well-known/est/simpleenroll`, {
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
});
