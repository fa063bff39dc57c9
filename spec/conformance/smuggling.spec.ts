import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../cli/command-line.ts';
import { openTls, readToEnd } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { named } from '../support/certificate.ts';
import { basic, issueByHand, plainCsr, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startNginx } from '../support/nginx.ts';
import { describeWith, stopServer } from '../support/programs.ts';
import { attempts, framingAttempts, type Attempt, type Parts } from './smuggling-attempts.ts';

/** A way to a gateway: a column of the table whose rows are the attempts. */
interface Way {
  readonly gateway: TestGateway;
  /** Opens a connection as who has the client certificate, or none. */
  readonly open: (device?: Device) => Promise<Socket>;
  /** What the proxy itself writes for who has it. */
  readonly fields?: (device: Device) => readonly string[];
  readonly stop: () => Promise<void>;
}

const aliases = { certificate: { authentication: 'clientCertificate' }, smuggled: {} };

function overTls(port: number, { trustAnchor: ca }: TestGateway): Way['open'] {
  return async (device) => {
    const credentials = device && { key: device.key, cert: device.cert };
    return await openTls({ port, ca, ...credentials });
  };
}

async function directly(): Promise<Way> {
  const gateway = await startTestGateway({ aliases });
  return { gateway, open: overTls(gateway.port, gateway), stop: gateway.stop };
}

/** As the proxy itself: nothing stands between who writes and the gateway. */
async function asProxy(): Promise<Way> {
  const { gateway, folder } = await startBehindProxy();
  return {
    gateway,
    fields: ({ cert }) => [`X-SSL-Client-Cert: ${encodeURIComponent(cert)}`],
    open: async () => {
      const socket = connectTcp({ path: gateway.proxyPlace });
      await once(socket, 'connect');
      return socket;
    },
    stop: async () => {
      await gateway.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function through(configuration: string): Promise<Way> {
  const { gateway, folder } = await startBehindProxy(
    configuration === passThrough ? { proxyProtocol: { trustedAddresses: ['127.0.0.1'] } } : {},
  );
  const port = await freePorts();
  const nginx = await startNginx(configuration, folder, port, {
    '/run/est-gateway/est.sock': gateway.proxyPlace,
    '/run/est-gateway/one.sock': gateway.proxyPlace,
    '/run/est-gateway/two.sock': gateway.proxyPlace,
    '/etc/est-gateway/tls/': `${gateway.directory}/`,
    '127.0.0.1:9443': `127.0.0.1:${gateway.port}`,
  });
  return {
    gateway,
    open: overTls(port, gateway),
    stop: async () => {
      await stopServer(nginx);
      await gateway.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function startBehindProxy(est: object = {}): Promise<{ gateway: TestGateway; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'smuggling-'));
  const proxy = { socket: join(folder, 'est.sock'), clientCertificate: 'nginx' };
  return { gateway: await startTestGateway({ aliases, proxy, est }), folder };
}

const passThrough = 'nginx/tcp-pass-through.conf';

function enrolment(alias: string, csr: string, ...fields: readonly string[]): string {
  const head = [`POST /.well-known/est/${alias}/simpleenroll HTTP/1.1`, 'Host: localhost', ...fields];
  return [...head, 'Content-Type: application/pkcs10', `Content-Length: ${csr.length}`, '', csr].join('\r\n');
}

/** The next request of who has read an attempt as one request; 404. */
const ending = 'GET /.well-known/est/ending HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** Drives the attempts over one way. */
function refuses(start: () => Promise<Way>, rows: readonly Attempt[], reader: 'gateway' | 'nginx'): void {
  let way: Way;
  let device: Device;
  let parts: Parts;
  beforeAll(async () => {
    way = await start();
    device = await issueByHand(way.gateway, { subject: named('device-1') });
    const csr = (await plainCsr('device-1', await generateKeyPair('P-256'))).toString('base64');
    const base64 = device.cert.replace(/-----[^-]+-----|\n/g, '');
    const certificate = { percentEncoded: encodeURIComponent(device.cert), byteSequence: `:${base64}:` };
    parts = { smuggled: enrolment('smuggled', csr, `Authorization: ${basic}`), csr, certificate };
    // A code that was right before is checked at once, so that what is smuggled is done before its connection ends.
    await exchange(parts.smuggled);
  });
  afterAll(async () => {
    await way.stop();
  });

  const requestsOf = (alias: string): number =>
    way.gateway.log.entries.filter(({ fields }) => fields['alias'] === alias && 'status' in fields).length;
  const enrolments = async (): Promise<number> => (await way.gateway.store.enrollments.list(10_000)).length;

  async function exchange(octets: string, shown?: Device): Promise<readonly string[]> {
    const socket = await way.open(shown);
    socket.write(Buffer.from(octets + ending, 'latin1'));
    const answers = await readToEnd(socket);
    // HTTP/0.9 has no status.
    return answers.split(/(?=HTTP\/1\.1 \d{3} )/).filter((answer) => answer.startsWith('HTTP/1.1 '));
  }

  it.each(rows)('S-03 X-11 H-18 %s %s', async (_rows, _what, octets, gateway, nginx = gateway) => {
    const [smuggled, issued] = [requestsOf('smuggled'), await enrolments()];
    const answers = await exchange(octets(parts));
    const errors = answers.filter((answer) => !answer.startsWith('HTTP/1.1 200 '));
    expect({
      statuses: answers.map((answer) => Number(answer.slice(9, 12))),
      notInPlainText: errors.filter((answer) => !/^Content-Type: text\/plain\r\n/im.test(answer)),
      smuggled: requestsOf('smuggled') - smuggled,
      issued: (await enrolments()) - issued,
    }).toEqual({
      statuses: reader === 'nginx' ? nginx : gateway,
      notInPlainText: [],
      smuggled: 0,
      issued: 0,
    });
  });

  it('would have seen a smuggled request and its certificate, and has seen no other', async () => {
    const first = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n';
    const answers = await exchange(first + parts.smuggled);
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['200', '200', '404']);
    // The one in front of all attempts, and a repeat.
    expect([requestsOf('smuggled'), await enrolments()]).toEqual([2, 1]);
  });

  it('would have believed the certificate of who has its key', async () => {
    const fields = way.fields?.(device) ?? [];
    const answers = await exchange(enrolment('certificate', parts.csr, ...fields), device);
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['200', '404']);
  });
}

describe('attempts to smuggle requests and identities directly', () => {
  refuses(directly, attempts, 'gateway');
});

describe('attempts to smuggle requests at the listener for proxies', () => {
  refuses(asProxy, framingAttempts, 'gateway');
});

describeWith('nginx', 'attempts to smuggle requests and identities through nginx', () => {
  describe.each(readdirSync('nginx').map((name) => `nginx/${name}`))('%s, as shipped', (configuration) => {
    const reader = configuration === passThrough ? 'gateway' : 'nginx';
    refuses(async () => await through(configuration), attempts, reader);
  });
});
