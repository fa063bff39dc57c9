import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { IncomingMessage, type RequestListener } from 'node:http';
import { Agent, createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { connect, TLSSocket, type ConnectionOptions } from 'node:tls';
import { createClientCertificateAuthenticator } from '../../src/auth/client-certificate.ts';
import { trustAnchors } from '../../src/auth/trust-anchors.ts';
import { createWork } from '../../src/ops/work.ts';
import { loadConfiguration } from '../../src/config/load.ts';
import { createProcessState } from '../../src/server/process-state.ts';
import { openReservedKeys } from '../../src/server/reserved-keys.ts';
import { createEnrollmentJobs } from '../../src/est/enrollment-jobs.ts';
import { createEstHandler } from '../../src/est/router.ts';
import { tlsTransport } from '../../src/http/transport.ts';
import { certificatesFromPem, readCertificate } from '../../src/pkix/certificate.ts';
import { openAliases } from '../../src/server/aliases.ts';
import { openCertificationAuthorities } from '../../src/server/drivers.ts';
import { named } from '../support/certificate.ts';
import { openTls, readToEnd, send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { setDateAlone } from '../support/clock.ts';
import { enrolDevice, enrolment, issueByHand, plainCsr, renew, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

/**
 * Three ways in that Node's TLS leaves open where `authorized` alone is believed. Each spec shows first that
 * the way is open, or what TLS said, and then that the gateway refuses.
 */

let gateway: TestGateway;
let stranger: TestGateway;
let outsider: Device;
beforeAll(async () => {
  gateway = await startTestGateway();
  stranger = await startTestGateway();
  outsider = await enrolDevice(stranger, 'outsider');
});
afterAll(async () => {
  await Promise.all([gateway.stop(), stranger.stop()]);
});

it('refuses a certificate of the 30th of February, which TLS takes, as the fault of the client', async () => {
  const { key, cert } = await issueByHand(gateway, {
    subject: named('device'),
    notBefore: '20200230000000Z',
  });
  const csr = await plainCsr('device', await generateKeyPair('P-256'));
  const tls = { ca: gateway.trustAnchor, key, cert };
  const answer = await send(`${gateway.url}/simplereenroll`, { ...tls, ...enrolment(csr) });
  expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('it is malformed') });
});

/** A TLS 1.3 or 1.2 session after one request, and what the server said of the client. */
async function newSession(options: ConnectionOptions): Promise<Buffer> {
  const socket = connect({ servername: 'localhost', ...options });
  const session = once(socket, 'session') as Promise<[Buffer]>;
  await once(socket, 'secureConnect');
  socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  const [ticket] = await session;
  await readToEnd(socket);
  return ticket;
}

async function reenrol(options: ConnectionOptions): Promise<{ reused: boolean; answer: string }> {
  const socket = await openTls(options);
  const csr = (await plainCsr('outsider', await generateKeyPair('P-256'))).toString('base64');
  const fields = ['Host: localhost', 'Content-Type: application/pkcs10', `Content-Length: ${csr.length}`];
  socket.write(
    `POST /.well-known/est/simplereenroll HTTP/1.1\r\n${fields.join('\r\n')}\r\nConnection: close\r\n\r\n${csr}`,
  );
  const reused = socket.isSessionReused();
  return { reused, answer: await readToEnd(socket) };
}

/** Credentials without anything in them. */
const nothing = { authorization: undefined, method: 'POST', target: '/', address: undefined } as const;

describe('bypasses of client authentication', () => {
  it('T-23 V-52 S-06: a session resumed without a certificate is nobody', async () => {
    const options = { port: gateway.port, ca: gateway.trustAnchor, minVersion: 'TLSv1.3' } as const;
    const session = await newSession(options);
    const { reused, answer } = await reenrol({ ...options, session });
    expect(reused).toBe(true);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('T-23: authorized without a certificate, as Node 20 and 22 say of such a session, is nobody', () => {
    const socket = new TLSSocket(new PassThrough());
    socket.authorized = true;
    const request = new IncomingMessage(socket);
    expect(tlsTransport.clientCertificate(request)).toBeUndefined();
    socket.destroy();
  });

  it('refuses a certificate that TLS calls authorized and that leads to no anchor of the alias', async () => {
    const anchors = trustAnchors(
      'explicit',
      certificatesFromPem(gateway.trustAnchor + gateway.issuingCertificate),
    );
    const authenticate = createClientCertificateAuthenticator({
      explicit: () => Promise.resolve(anchors),
      implicit: trustAnchors('implicit', []),
      read: readCertificate,
      checkRevocation: () => Promise.resolve(undefined),
      expiredFor: 0,
    });
    const certificate = new X509Certificate(outsider.cert).raw;
    const shown = { certificate, authorized: true };
    const credentials = { ...nothing, clientCertificate: shown };
    const { signal } = new AbortController();
    await expect(authenticate(credentials, new Date(), signal)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('refuses a certificate that leads to an anchor and that TLS refused', async () => {
    const device = await enrolDevice(gateway, 'refused-by-tls');
    const anchors = trustAnchors(
      'explicit',
      certificatesFromPem(gateway.trustAnchor + gateway.issuingCertificate),
    );
    const authenticate = createClientCertificateAuthenticator({
      explicit: () => Promise.resolve(anchors),
      implicit: trustAnchors('implicit', []),
      read: readCertificate,
      checkRevocation: () => Promise.resolve(undefined),
      expiredFor: 0,
    });
    const { signal } = new AbortController();
    const show = (authorized: boolean) =>
      authenticate(
        {
          ...nothing,
          clientCertificate: {
            certificate: new X509Certificate(device.cert).raw,
            authorized,
          },
        },
        new Date(),
        signal,
      );
    await expect(show(true)).resolves.toMatchObject({ trustAnchor: 'explicit' });
    await expect(show(false)).rejects.toMatchObject({ code: 'forbidden' });
  });

  describe('with a TLS layer that carries sessions from one truststore to another', () => {
    const servers: Server[] = [];
    let handler: RequestListener;
    beforeAll(async () => {
      const configuration = await loadConfiguration(gateway.configurationFile);
      const { store, log } = gateway;
      const backends = await openCertificationAuthorities(configuration, store, log);
      const { limits } = configuration;
      const state = createProcessState(limits, log);
      const opened = new AsyncDisposableStack();
      const aliases = await openAliases(configuration, backends, store, log, opened, state);
      const transport = tlsTransport;
      const journal = store.enrollments;
      const reservationOf = await openReservedKeys({ configuration, aliases, backends, store });
      const work = createWork();
      const jobs = createEnrollmentJobs(work, state.stopping.signal);
      handler = createEstHandler({ aliases, journal, reservationOf, log, limits, transport, work, jobs });
    });
    const ticketKeys = randomBytes(48);
    const seen: boolean[] = [];

    /** The gateway's own handler behind an https server with options that it would never use itself. */
    async function serve(options: ServerOptions): Promise<{ port: number; server: Server }> {
      const server = createServer({
        cert: readFileSync(join(gateway.directory, 'server.pem')),
        key: readFileSync(join(gateway.directory, 'server.key')),
        requestCert: true,
        rejectUnauthorized: false,
        ...options,
      });
      server.on('request', handler);
      server.on('secureConnection', (socket) => seen.push(socket.authorized));
      server.listen(0, 'localhost');
      await once(server, 'listening');
      servers.push(server);
      return { server, port: (server.address() as AddressInfo).port };
    }
    afterAll(() => {
      for (const server of servers) server.close();
    });

    const client = (port: number): ConnectionOptions => ({
      port,
      ca: gateway.trustAnchor,
      key: outsider.key,
      cert: outsider.cert,
      maxVersion: 'TLSv1.2',
    });
    const otherAnchors = (): string[] => [stranger.trustAnchor, stranger.issuingCertificate];
    const ownAnchors = (): string[] => [gateway.trustAnchor, gateway.issuingCertificate];

    it('refuses a session that was made under an anchor which is gone, with ticket keys that stayed', async () => {
      const before = await serve({ ca: otherAnchors(), ticketKeys });
      const after = await serve({ ca: ownAnchors(), ticketKeys });
      const session = await newSession(client(before.port));
      seen.length = 0;
      const { reused, answer } = await reenrol({ ...client(after.port), session });
      expect(reused).toBe(true);
      expect(seen).toEqual([true]);
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    });

    it('refuses a session that was made under the name of another truststore', async () => {
      const { port, server } = await serve({ ca: ownAnchors(), ticketKeys });
      server.addContext('other.example', {
        cert: readFileSync(join(gateway.directory, 'server.pem')),
        key: readFileSync(join(gateway.directory, 'server.key')),
        ca: otherAnchors(),
        ticketKeys,
      });
      const other = { ...client(port), servername: 'other.example', checkServerIdentity: () => undefined };
      const session = await newSession(other);
      seen.length = 0;
      // Under its own name the session goes on, and TLS calls the stranger authorized.
      const resumed = await reenrol({ ...other, session });
      expect(resumed.reused).toBe(true);
      expect(seen).toEqual([true]);
      expect(resumed.answer).toMatch(/^HTTP\/1\.1 403 /);
      // Under another name Node 20 resumes it too, and Node 24 makes a new session: refused either way.
      expect((await reenrol({ ...client(port), session })).answer).toMatch(/^HTTP\/1\.1 403 /);
    });
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'R-14 V-54 S-07: a session of %s goes on after the revocation of its certificate, and is refused',
    async (maxVersion) => {
      const { key, cert } = await enrolDevice(gateway, 'outsider');
      const options = { port: gateway.port, ca: gateway.trustAnchor, key, cert, maxVersion };
      const session = await newSession(options);
      const before = await reenrol({ ...options, session });
      expect(before.reused).toBe(true);
      expect(before.answer).toMatch(/^HTTP\/1\.1 200 /);
      const serialNumber = new X509Certificate(cert).serialNumber.toLowerCase();
      await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
      const after = await reenrol({ ...options, session });
      expect(after.reused).toBe(true);
      expect(after.answer).toMatch(/^HTTP\/1\.1 403 [^]*revoked/);
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'S-06 T-13: connection and session of %s go on after the end of their certificate, and are refused',
    async (maxVersion) => {
      const device = await enrolDevice(gateway, 'outsider');
      const options = {
        port: gateway.port,
        ca: gateway.trustAnchor,
        key: device.key,
        cert: device.cert,
        maxVersion,
      };
      const session = await newSession(options);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const overConnection = async () =>
        await renew(gateway, device, await plainCsr('outsider', await generateKeyPair('P-256')), 'est', {
          ...{ agent, maxVersion },
        });
      expect((await overConnection()).status).toBe(200);
      try {
        setDateAlone(new Date(new X509Certificate(device.cert).validTo).getTime() + 1000);
        const expired = expect.stringContaining('it has expired');
        expect(await overConnection()).toMatchObject({ status: 403, body: expired });
        const resumed = await reenrol({ ...options, session });
        expect(resumed).toEqual({ reused: true, answer: expired });
      } finally {
        jest.useRealTimers();
        agent.destroy();
      }
    },
  );
});
