import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { exchangeRaw, readToEnd, readUntil } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts';
import { enrolOver, linkedBy } from '../support/linking-client.ts';
import { connectAsProxy, openTlsAsProxy, version2 } from '../support/proxy-protocol-client.ts';

const line = 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n';
const address = '192.0.2.7';
const binary = (command: number, family = 0x11): Buffer =>
  version2(command, family, Buffer.from('c0000207c63364019c4001bb', 'hex'));
const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

async function startBehind(
  trustedAddresses: readonly string[],
  options: TestGatewayOptions = {},
): Promise<TestGateway> {
  return await startTestGateway({ ...options, est: { proxyProtocol: { trustedAddresses }, ...options.est } });
}

/** Fields of the last line of the log with this message. */
const last = ({ log }: TestGateway, message: string): Readonly<Record<string, unknown>> | undefined =>
  log.entries.findLast((entry) => entry.message === message)?.fields;

describe('EST behind a proxy that passes TCP on', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startBehind(['127.0.0.1'], {
      limits: { handshakeTimeout: 1, headersTimeout: 1, requestTimeout: 1 },
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const open = async (pieces: readonly (string | Buffer)[], options = {}) =>
    await openTlsAsProxy(gateway.port, pieces, { ca: gateway.trustAnchor, ...options });

  it.each([
    ['version 1', [line], address],
    ['version 1, octet for octet', Array.from(line), address],
    ['version 1 of nobody known', ['PROXY UNKNOWN\r\n'], '127.0.0.1'],
    ['version 2', [binary(1)], address],
    ['version 2 in two pieces', [binary(1).subarray(0, 14), binary(1).subarray(14)], address],
    ['version 2, LOCAL', [binary(0)], '127.0.0.1'],
  ])('takes the client address out of %s', async (_what, pieces, expected) => {
    const socket = await open(pieces);
    socket.write(get);
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 200 /);
    expect(last(gateway, 'request')).toMatchObject({ address: expected, outcome: 'ok' });
  });

  it('S-42 logs that address also for what is no readable request', async () => {
    const socket = await open([line]);
    socket.write('ENROLL / HTTP/1.1\r\n\r\n');
    expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 501 /);
    expect(last(gateway, 'request')).toMatchObject({ address, outcome: 'unknown_method' });
  });

  it('takes TLS that comes in one packet with the header', async () => {
    const hello = await clientHello();
    const socket = await connectAsProxy(gateway.port, [Buffer.concat([Buffer.from(line), hello])]);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.readUInt8(0)).toBe(0x16);
  });

  /** What a client of TLS says first. */
  async function clientHello(): Promise<Buffer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = openTlsAsProxy(port, [], {}).catch(() => undefined);
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const [hello] = (await once(accepted, 'data')) as [Buffer];
    accepted.destroy();
    server.close();
    await client;
    return hello;
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'L-01 E-03 verifies the channel binding over %s',
    async (version) => {
      const versions = { minVersion: version, maxVersion: version };
      const [socket, other] = [await open([line], versions), await open([line], versions)];
      expect(await enrolOver(socket, linkedBy(socket))).toMatch(/^HTTP\/1\.1 200 /);
      const third = await open([line], versions);
      expect(await enrolOver(third, linkedBy(other))).toMatch(/^HTTP\/1\.1 400 [^]*linking/);
      other.destroy();
    },
  );

  it('T-09 allows no renegotiation', async () => {
    const socket = await open([line], { maxVersion: 'TLSv1.2' });
    const refused = new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('close', resolve);
    });
    socket.renegotiate({}, () => undefined);
    await refused;
    expect(socket.destroyed).toBe(true);
  });

  it.each([
    ['no header', ['\x16\x03\x01\x00\xc8\x01'], 'does not begin with a header'],
    ['HTTP', ['GET / HTTP/1.1\r\n\r\n'], 'does not begin with a header'],
    ['a malformed header', ['PROXY TCP4 192.0.2.7 localhost 1 1\r\n'], 'malformed'],
    ['a header without an end', [`PROXY UNKNOWN ${'x'.repeat(200)}`], 'longer than 107 octets'],
    ['a header that does not come', ['PROXY TCP4 '], 'took too long'],
    ['nothing', [], 'took too long'],
  ])('S-04 closes a connection with %s', async (_what, pieces, reason) => {
    const before = gateway.log.entries.length;
    const socket = await connectAsProxy(gateway.port, pieces);
    await once(socket, 'close');
    expect(socket.bytesRead).toBe(0);
    while (gateway.log.entries.length === before) await setImmediate();
    expect(last(gateway, 'connection refused')).toMatchObject({
      address: '127.0.0.1',
      reason: expect.stringContaining(reason),
    });
  });

  it('S-04 waits no longer for a header that comes drop by drop', async () => {
    const socket = await connectAsProxy(gateway.port, ['PROXY UNKNOWN ']);
    const drops = setInterval(() => socket.write('x'), 100);
    const closed = once(socket, 'close');
    await closed;
    clearInterval(drops);
    expect(last(gateway, 'connection refused')?.['reason']).toMatch('took too long');
  });

  it('forgets a proxy that goes away before its header is complete', async () => {
    const socket = await connectAsProxy(gateway.port, ['PROXY ']);
    socket.end();
    await once(socket, 'close');
    expect(last(gateway, 'connection refused')).toMatchObject({
      reason: expect.stringContaining('ended before'),
    });
  });

  it('S-04 still limits the time of handshakes and requests', async () => {
    const silent = await connectAsProxy(gateway.port, [line]);
    await once(silent, 'close');
    expect(silent.bytesRead).toBe(0);
    const slow = await open([line]);
    slow.write('POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: loc');
    expect(await readToEnd(slow)).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('makes who guesses codes wait at the address of the client, and nobody else', async () => {
    const csr = (await plainCsr('guess', await generateKeyPair('P-256'))).toString('base64');
    const guess = async (from: string, code: number): Promise<string> => {
      const credentials = Buffer.from(`device:wrong-${code}`).toString('base64');
      const socket = await open([`PROXY TCP4 ${from} 198.51.100.1 40000 443\r\n`]);
      const head = `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
      const fields = `Authorization: Basic ${credentials}\r\nContent-Type: application/pkcs10\r\n`;
      socket.write(`${head}${fields}Content-Length: ${csr.length}\r\n\r\n${csr}`);
      return (await readToEnd(socket)).slice(9, 12);
    };
    const statuses: string[] = [];
    for (let code = 0; code < 8; code += 1) statuses.push(await guess('203.0.113.9', code));
    expect([statuses[0], statuses.at(-1)]).toEqual(['401', '429']);
    expect(await guess('198.51.100.77', 99)).toBe('401');
  });
});

describe('who may speak the PROXY protocol', () => {
  async function answerTo(gateway: TestGateway): Promise<string> {
    const socket = await openTlsAsProxy(gateway.port, [line], { ca: gateway.trustAnchor });
    socket.write(get);
    return await readToEnd(socket);
  }

  it.each([[['127.0.0.0/8']], [['192.0.2.0/24', '127.0.0.1']]])('believes %j', async (trusted) => {
    const gateway = await startBehind(trusted, { est: { address: '::' } });
    try {
      expect(await answerTo(gateway)).toMatch(/^HTTP\/1\.1 200 /);
      expect(last(gateway, 'request')).toMatchObject({ address });
    } finally {
      await gateway.stop();
    }
  });

  it('is believed of clients that fetch what is passed through, too', async () => {
    const paths = { '/ca.crl': { kind: 'crl', upstream: 'http://localhost:9/ca.crl' } };
    const gateway = await startBehind(['127.0.0.1'], { passThrough: { paths } });
    try {
      const socket = await openTlsAsProxy(gateway.port, [line], { ca: gateway.trustAnchor });
      socket.write(get.replace('/.well-known/est/cacerts', '/ca.crl'));
      expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 50/);
      expect(last(gateway, 'pass-through')).toMatchObject({ address });
    } finally {
      await gateway.stop();
    }
  });

  it('believes nobody else', async () => {
    const gateway = await startBehind(['192.0.2.0/24', '2001:db8::1', '::1'], { est: { address: '::' } });
    try {
      await expect(answerTo(gateway)).rejects.toThrow();
      expect(last(gateway, 'request')).toBeUndefined();
      expect(last(gateway, 'connection refused')).toMatchObject({
        address: expect.stringContaining('127.0.0.1'),
        reason: 'The address is not that of a trusted proxy.',
      });
    } finally {
      await gateway.stop();
    }
  });

  it('takes no header where it is off', async () => {
    const gateway = await startTestGateway();
    try {
      const tls = { ca: gateway.trustAnchor };
      await expect(openTlsAsProxy(gateway.port, [line], tls)).rejects.toThrow();
      expect(await exchangeRaw({ port: gateway.port, ...tls }, get)).toMatch(/^HTTP\/1\.1 200 /);
      expect(last(gateway, 'request')?.['address']).not.toBe(address);
    } finally {
      await gateway.stop();
    }
  });
});

describe('connections behind the PROXY protocol', () => {
  it('S-05 closes one more than may be open, and serves the first', async () => {
    const gateway = await startBehind(['127.0.0.1'], { limits: { connections: 1 } });
    try {
      const first = await openTlsAsProxy(gateway.port, [line], { ca: gateway.trustAnchor });
      const second = connectTcp(gateway.port, '127.0.0.1');
      second.on('error', () => undefined);
      await once(second, 'close');
      first.write(get);
      expect(await readUntil(first, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    } finally {
      await gateway.stop();
    }
  });

  it('lets a request under way finish at the end, and waits for no header', async () => {
    const gateway = await startBehind(['127.0.0.1'], {
      aliases: { slow: { backend: 'slow', profile: 'slow' } },
      backends: { slow: { driver: 'mock', delay: 0.5 } },
    });
    const silent = await connectAsProxy(gateway.port, ['PROXY ']);
    const idle = await openTlsAsProxy(gateway.port, [line], { ca: gateway.trustAnchor });
    const socket = await openTlsAsProxy(gateway.port, [line], { ca: gateway.trustAnchor });
    const answer = enrolOver(socket, [], { alias: 'slow' });
    const closed = Promise.all([once(silent, 'close'), once(idle, 'close')]);
    await underWay(gateway);
    await gateway.stop();
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    await closed;
  });

  /** Resolves when the mock CA has been asked. */
  async function underWay({ log }: TestGateway): Promise<void> {
    while (!log.entries.some(({ message }) => message === 'The mock CA is asked.')) await setImmediate();
  }
});
