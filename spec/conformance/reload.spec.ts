import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import type { CertificationAuthorityDriver } from '../../src/ca/ca.ts';
import { mockDriver, type MockOptions } from '../../src/ca/mock.ts';
import { openTls, readUntil, send, sendToSocket, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, enrolDevice, enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import {
  newAuthority,
  newServerCertificate,
  startTestGateway,
  type TestGateway,
  type Written,
} from '../support/gateway.ts';
import { until } from '../support/upstream.ts';

let opened: number;
let closed: number;
/** What opening waits for. */
let held: Promise<void>;
/** The mock, that is seen when it is opened and closed. */
const watched: CertificationAuthorityDriver<MockOptions> = {
  ...mockDriver,
  name: 'watched',
  async open(options, services) {
    opened += 1;
    await held;
    const mock = await mockDriver.open(options, services);
    return { ...mock, close: () => Promise.resolve(void (closed += 1)) };
  },
};

let gateway: TestGateway;
let vendor: TestGateway;
beforeEach(async () => {
  [opened, closed, held] = [0, 0, Promise.resolve()];
  vendor = await startTestGateway();
  gateway = await startTestGateway({
    files: { 'vendor.pem': vendor.trustAnchor + vendor.issuingCertificate },
    proxy: { socket: 'proxy.sock', clientCertificate: 'rfc9440' },
    drivers: { certificationAuthorities: [watched] },
    backends: { watched: { driver: 'watched', delay: 2 } },
    aliases: {
      slow: { backend: 'watched', profile: 'slow' },
      vendor: { authentication: 'clientCertificate', implicitTrustAnchors: ['vendor.pem'] },
    },
  });
});
afterEach(async () => {
  await Promise.all([gateway.stop(), vendor.stop()]);
});

async function openConnection(options: object = {}): Promise<TLSSocket> {
  return await openTls({ port: gateway.port, ca: gateway.trustAnchor, ...options });
}

/** The status line of the answer, over a connection that stays open. */
async function statusOver(socket: TLSSocket, alias: string): Promise<string> {
  socket.write(`GET /.well-known/est/${alias}/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const answer = await readUntil(socket, '\r\n\r\n');
  return answer.slice(0, answer.indexOf('\r\n'));
}

function withoutSlow({ aliases: { slow: _slow, ...aliases }, ...written }: Written): object {
  return { ...written, aliases };
}

describe('S-38 a reload', () => {
  it('S-38 serves what the configuration says now, also over connections that were open', async () => {
    const socket = await openConnection();
    expect(await statusOver(socket, 'slow')).toBe('HTTP/1.1 200 OK');
    await gateway.reload((written) => ({
      ...withoutSlow(written),
      aliases: { est: written.aliases['est'], new: written.aliases['est'] },
    }));
    expect(await statusOver(socket, 'new')).toBe('HTTP/1.1 200 OK');
    expect(await statusOver(socket, 'slow')).toBe('HTTP/1.1 400 Bad Request');
    socket.destroy();
    await enrolDevice(gateway, 'enrolled-after');
  });

  it('S-38 serves it to a proxy and over plain HTTP too', async () => {
    const statuses = async (): Promise<readonly number[]> => {
      return [
        (await sendToSocket(gateway.proxyPlace, '/.well-known/est/new/cacerts')).status,
        (await axios.get(`${gateway.httpUrl}/crl/second.crl`, { validateStatus: null })).status,
      ];
    };
    expect(await statuses()).toEqual([400, 404]);
    await gateway.reload(({ aliases, backends, ...written }) => ({
      ...written,
      aliases: { ...aliases, new: aliases['est'] },
      backends: { ...backends, second: backends['local'] },
    }));
    expect(await statuses()).toEqual([200, 200]);
  });

  it('S-38 lets requests under way end as they began, and then closes what they used', async () => {
    const csr = await plainCsr('slow-device', await generateKeyPair('P-256'));
    const waiting = enrolWithBasic(gateway, csr, 'slow');
    await until(
      async () => (await gateway.store.enrollments.list(1)).length === 1,
      'the request was recorded',
    );
    await gateway.reload(withoutSlow);
    const socket = await openConnection();
    expect(await statusOver(socket, 'slow')).toBe('HTTP/1.1 400 Bad Request');
    socket.destroy();
    expect(closed).toBe(0);
    expect((await waiting).status).toBe(200);
    await until(() => closed === 1, 'the backend was closed');
    expect((await gateway.store.enrollments.list(1))[0]?.state).toBe('issued');
  });

  it('S-38 lets a request end whose client has gone, and records what the CA has issued', async () => {
    const csr = (await plainCsr('gone', await generateKeyPair('P-256'))).toString('base64');
    const socket = await openConnection();
    const fields = ['Host: localhost', 'Content-Type: application/pkcs10', `Authorization: ${basic}`];
    socket.write(
      `POST /.well-known/est/slow/simpleenroll HTTP/1.1\r\n${fields.join('\r\n')}\r\nContent-Length: ${csr.length}\r\n\r\n${csr}`,
    );
    const recorded = async () => (await gateway.store.enrollments.list(1))[0]?.state;
    await until(async () => (await recorded()) === 'open', 'the request was recorded');
    socket.destroy();
    await gateway.reload();
    await until(() => closed === 1, 'the backend was closed');
    expect(await recorded()).toBe('issued');
  });

  it('S-38 ends, and what it has opened, when the gateway stops meanwhile', async () => {
    const holding = Promise.withResolvers<undefined>();
    held = holding.promise;
    const reloading = gateway.reload();
    await until(() => opened === 2, 'the backend is being opened');
    await gateway.restart(async () => {
      holding.resolve(undefined);
      await expect(reloading).rejects.toThrow('The gateway is stopping.');
    });
    expect([opened, closed]).toEqual([3, 2]);
  });

  it.each<[string, (written: Written) => object, RegExp]>([
    ['a key that does not exist', (written) => ({ ...written, alias: {} }), /alias/],
    [
      'a file that is not there',
      (written) => ({
        ...written,
        aliases: { est: { ...written.aliases['est'], implicitTrustAnchors: ['no.pem'] } },
      }),
      /no\.pem/,
    ],
  ])('S-38 that finds %s changes nothing', async (_what, change, expected) => {
    await expect(gateway.reload(change)).rejects.toThrow(expected);
    const socket = await openConnection();
    expect(await statusOver(socket, 'slow')).toBe('HTTP/1.1 200 OK');
    socket.destroy();
    await enrolDevice(gateway, 'still-served');
  });

  it('S-38 leaves nothing open, whether it succeeds or not', async () => {
    const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
    const reloadTwice = async (): Promise<void> => {
      await gateway.reload();
      await writeFile(join(gateway.directory, 'vendor.pem'), 'no certificate');
      await expect(gateway.reload()).rejects.toThrow('aliases.vendor');
      await writeFile(join(gateway.directory, 'vendor.pem'), vendor.trustAnchor);
    };
    await reloadTwice();
    await until(() => closed === 2, 'both were closed');
    const before = await descriptors();
    for (let n = 0; n < 3; n += 1) await reloadTwice();
    await until(() => closed === 8, 'all were closed');
    expect(await descriptors()).toBeLessThanOrEqual(before);
  });

  it.each<[string, (written: Written) => object]>([
    [
      'listeners',
      ({ listeners }) => ({ listeners: { ...listeners, http: { address: '127.0.0.1', port: 1 } } }),
    ],
    ['limits', () => ({ limits: { connections: 17 } })],
    ['logging', () => ({ logging: { level: 'debug' } })],
  ])('S-38 refuses a change of %s, which needs a restart', async (section, change) => {
    const reloading = gateway.reload((written) => ({ ...written, ...change(written) }));
    await expect(reloading).rejects.toThrow(
      `${section}: a reload takes up no changes of this section; restart the gateway for them.`,
    );
    await enrolDevice(gateway, 'still-served');
  });

  it('S-38 takes up a renewed TLS server certificate, for connections to come', async () => {
    const old = await openConnection();
    const ca = await newAuthority();
    const { certificate, key } = await newServerCertificate(ca);
    await writeFile(join(gateway.directory, 'server.pem'), certificate + ca.issuingCertificate);
    await writeFile(join(gateway.directory, 'server.key'), key);
    await gateway.reload();

    const renewed = await openConnection({ ca: ca.rootCertificate });
    expect(renewed.getPeerX509Certificate()?.toString()).toBe(certificate);
    expect(await statusOver(renewed, 'est')).toBe('HTTP/1.1 200 OK');
    expect(await statusOver(old, 'est')).toBe('HTTP/1.1 200 OK');
    for (const socket of [renewed, old]) socket.destroy();
  });

  it('S-38 keeps the TLS server certificate when the new one does not fit its key', async () => {
    const { certificate } = await newServerCertificate(await newAuthority());
    await writeFile(join(gateway.directory, 'server.pem'), certificate);
    await expect(gateway.reload()).rejects.toThrow(
      'listeners.est: the private key does not belong to the first certificate of the file.',
    );
    await enrolDevice(gateway, 'still-served');
  });

  it('S-06 ends what a trust anchor that is gone has allowed, in open connections and in sessions too', async () => {
    const { key, cert } = await enrolDevice(vendor, 'vendor-device');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const csr = await plainCsr('vendor-device', await generateKeyPair('P-256'));
    const enrol = async (): Promise<Answer> => {
      const tls = { ca: gateway.trustAnchor, key, cert, agent };
      return await send(`${gateway.url}/vendor/simpleenroll`, { ...tls, ...enrolment(csr) });
    };
    const socket = await openConnection({ key, cert });
    const session = once(socket, 'session') as Promise<[Buffer]>;
    expect(await statusOver(socket, 'vendor')).toBe('HTTP/1.1 200 OK');
    const [ticket] = await session;
    expect((await enrol()).status).toBe(200);

    const other = await newAuthority();
    await writeFile(join(gateway.directory, 'vendor.pem'), other.rootCertificate + other.issuingCertificate);
    await gateway.reload();

    expect(await enrol()).toMatchObject({ status: 403, body: expect.stringContaining('trust anchor') });
    const resumed = await openConnection({ key, cert, session: ticket });
    expect(resumed.isSessionReused()).toBe(false);
    for (const connection of [socket, resumed]) connection.destroy();
    agent.destroy();
  });
});
