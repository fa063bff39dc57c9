import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { openTls, readToEnd, readUntil } from '../support/client.ts';
import { dearChain, type DearChain } from '../support/dear-chain.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openTlsAsProxy, version2 } from '../support/proxy-protocol-client.ts';
import { until } from '../support/upstream.ts';

const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** Resolves with the status that a client at the address gets over a new connection; undefined: it is closed. */
async function statusAt(
  { port, trustAnchor }: TestGateway,
  localAddress: string,
  chain?: DearChain,
): Promise<string | undefined> {
  const socket = connect({
    ...{ port, host: '127.0.0.1', localAddress, servername: 'localhost', ca: trustAnchor },
    ...chain,
  });
  socket.write(get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  return /^HTTP\/1\.1 (\d{3}) /.exec(await readToEnd(socket).catch(() => ''))?.[1];
}

const refusals = ({ log }: TestGateway, listener = 'est') =>
  log.entries.filter(
    ({ message, fields }) => message === 'connections refused' && fields['listener'] === listener,
  );

describe('more connections of one address than it may have', () => {
  const limits = { connectionsPerAddress: 3, connections: 100 };
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ limits, est: { address: '0.0.0.0' } });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  it('S-04 are closed at once, and those of others are served', async () => {
    const options = { port: gateway.port, host: '127.0.0.1', ca: gateway.trustAnchor };
    const [first, ...others] = [await openTls(options), await openTls(options), await openTls(options)];
    expect(await statusAt(gateway, '127.0.0.1')).toBeUndefined();
    expect(await statusAt(gateway, '127.0.0.2')).toBe('200');
    expect(refusals(gateway)[0]).toMatchObject({
      level: 'warn',
      fields: { address: '127.0.0.1', reason: 'This address or network has too many connections.' },
    });
    first.write(get);
    expect(await readUntil(first, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    others[0].destroy();
    await until(async () => (await statusAt(gateway, '127.0.0.1')) === '200', 'there is a place again');
    for (const socket of [first, ...others]) socket.destroy();
  });

  it('S-04 are closed at listeners.http, too', async () => {
    const port = Number(new URL(gateway.httpUrl).port);
    const sockets: Socket[] = [];
    for (let n = 0; n < 5; n += 1) {
      const socket = connectTcp({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      sockets.push(socket);
    }
    await until(() => sockets.filter(({ closed }) => closed).length === 2, 'two are closed');
    expect(refusals(gateway, 'http')).not.toEqual([]);
    for (const socket of sockets) socket.destroy();
  });

  it('S-04 are those of the client behind the PROXY protocol, and none of the proxy', async () => {
    const behind = await startTestGateway({
      limits,
      est: { proxyProtocol: { trustedAddresses: ['127.0.0.1'] } },
    });
    try {
      const open = async (header: string | Buffer) =>
        await openTlsAsProxy(behind.port, [header], { ca: behind.trustAnchor });
      const of = (client: string) => `PROXY TCP4 ${client} 198.51.100.1 40000 443\r\n`;
      const local = version2(0, 0, Buffer.alloc(0));
      const held = [];
      for (const header of [local, local, local, local, local]) held.push(await open(header));
      for (let n = 0; n < 3; n += 1) held.push(await open(of('192.0.2.7')));
      await expect(open(of('192.0.2.7'))).rejects.toThrow();
      held.push(await open(of('192.0.2.8')));
      expect(refusals(behind)[0]?.fields['address']).toBe('192.0.2.7');
      for (const socket of held) socket.destroy();
    } finally {
      await behind.stop();
    }
  });
});

describe('handshakes', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({ est: { address: '0.0.0.0' } });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  it('S-04 are all done in their turn, however many come at once', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => await statusAt(gateway, `127.0.${n % 3}.${1 + (n % 7)}`)),
    );
    expect(statuses.filter((status) => status !== '200')).toEqual([]);
  });

  it('S-04 that are dear are paid for by the network that they come from, and by no other', async () => {
    const chain = await dearChain(22);
    let tries = 0;
    await until(
      async () => {
        tries += 1;
        return (await statusAt(gateway, `127.9.9.${tries % 250}`, chain)) === undefined;
      },
      'the network must wait',
      30,
    );
    expect(tries).toBeGreaterThan(1);
    expect(await statusAt(gateway, '127.9.9.251')).toBeUndefined();
    expect(await statusAt(gateway, '127.77.0.1')).toBe('200');
    expect(refusals(gateway)[0]?.fields['reason']).toMatch(/failed or cost too much/);
  });

  it('S-04 that fail again and again are paid for', async () => {
    await until(
      async () => {
        const sockets = Array.from({ length: 20 }, () => {
          const socket = connectTcp({ port: gateway.port, host: '127.0.0.1', localAddress: '127.5.5.5' });
          socket.on('error', () => undefined).write(get);
          return socket;
        });
        await Promise.all(
          sockets.map(async (socket) => await new Promise((resolve) => socket.once('close', resolve))),
        );
        return (await statusAt(gateway, '127.5.5.5')) === undefined;
      },
      'the address must wait',
      20,
    );
    expect(await statusAt(gateway, '127.6.6.6')).toBe('200');
  });
});
