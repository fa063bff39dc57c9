import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { exchangeRaw, sClient } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { connectAsProxy, version2 } from '../support/proxy-protocol-client.ts';
import { until } from '../support/upstream.ts';

const address = '127.0.0.1';
const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
let gateway: TestGateway;
let behind: TestGateway;
beforeAll(async () => {
  const limits = { handshakeTimeout: 1 };
  gateway = await startTestGateway({ limits });
  behind = await startTestGateway({ limits, est: { proxyProtocol: { trustedAddresses: ['127.0.0.1'] } } });
});
afterAll(async () => {
  await gateway.stop();
  await behind.stop();
});

const linesOf = ({ log }: TestGateway): readonly Readonly<Record<string, unknown>>[] =>
  log.entries
    .filter(({ message }) => message === 'handshake failed' || message === 'connection refused')
    .map(({ message, fields }) => ({ message, ...fields }));

async function openTcp(octets: string | Buffer = ''): Promise<Socket> {
  const socket = connectTcp({ port: gateway.port, host: address });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  if (octets.length > 0) await new Promise((resolve) => socket.write(octets, resolve));
  return socket;
}

describe('a handshake that fails', () => {
  let before: number;
  beforeEach(async () => {
    // Lines are bounded by the second.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    before = linesOf(gateway).length;
  });

  const tls = async (words: string): Promise<unknown> => await sClient(gateway.port, words);
  const sent = async (octets: string | Buffer): Promise<unknown> => {
    const socket = await openTcp(octets);
    return await once(socket, 'close');
  };

  it.each([
    [
      'who does not trust its CA',
      async () => await tls('-verify_return_error'),
      "The client does not trust the CA of the gateway's certificate (alert unknown_ca).",
    ],
    [
      'without a common version',
      async () => await tls('-tls1_1 -cipher ALL:@SECLEVEL=0'),
      'The client and the gateway have no version of TLS in common.',
    ],
    [
      'without a common cipher suite',
      async () => await tls('-tls1_2 -cipher AES128-SHA'),
      'The client and the gateway have no cipher suite in common.',
    ],
    [
      'of another protocol',
      async () => await tls('-alpn h2'),
      'The client speaks another protocol than HTTP/1.1.',
    ],
    ['in plain HTTP', async () => await sent(get), 'The client sends plain HTTP to the port of HTTPS.'],
    ['of no TLS', async () => await sent('hello world, \0\0'), 'The client sends something that is no TLS.'],
    [
      'that does not go on',
      async () => await sent(Buffer.from('1603010200', 'hex')),
      'The TLS handshake took too long.',
    ],
    [
      'that is broken off',
      async () => (await openTcp(Buffer.from('1603010200', 'hex'))).destroy(),
      'The client ended the connection before the handshake was complete.',
    ],
  ])('S-42 is a line with its reason: %s', async (_what, act, reason) => {
    await act();
    await until(() => linesOf(gateway).length > before, 'a line');
    expect(linesOf(gateway).slice(before)).toEqual([
      expect.objectContaining({ message: 'handshake failed', listener: 'est', address, reason }),
    ]);
    expect(JSON.stringify(linesOf(gateway))).not.toContain('hello world');
  });

  it('S-42 is no line where a load balancer looks whether the port is open', async () => {
    const beforeBehind = linesOf(behind).length;
    for (const end of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const sockets = [
        await openTcp(),
        await connectAsProxy(behind.port, []),
        await connectAsProxy(behind.port, [version2(0, 0, Buffer.alloc(0))]),
        await connectAsProxy(behind.port, ['PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n']),
      ];
      for (const socket of sockets) socket[end]();
      await Promise.all(
        sockets.map(async (socket) => socket.closed || (await once(socket.resume(), 'close'))),
      );
    }
    await exchangeRaw({ port: gateway.port, ca: gateway.trustAnchor }, get);
    for (let turns = 0; turns < 20; turns += 1) await setImmediate();
    expect(linesOf(gateway).slice(before)).toEqual([]);
    expect(linesOf(behind).slice(beforeBehind)).toEqual([]);
  });

  it('S-42 is one of at most ten lines a second, and the others are counted', async () => {
    const failures = Array.from({ length: 50 }, async () => await sent(get));
    await Promise.all(failures);
    const sum = (): number =>
      linesOf(gateway)
        .slice(before)
        .reduce((count, { omitted }) => count + Number(omitted ?? 1), 0);
    await until(() => sum() >= 50, 'all are counted');
    expect(sum()).toBe(50);
    expect(linesOf(gateway).length - before).toBeLessThan(30);
  });
});
