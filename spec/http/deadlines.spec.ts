import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTls } from '../support/client.ts';
import { crlDer } from '../support/crl.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, until, type TestUpstream } from '../support/upstream.ts';

let upstream: TestUpstream;
let folder: string;
let gateway: TestGateway;
const clients: Socket[] = [];
/** More than two systems buffer between them. */
const largeCrl = crlDer({ filler: 16_000_000 });

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/pkix-crl', 'Content-Length': largeCrl.length });
    response.end(largeCrl);
  });
  folder = await mkdtemp(join(tmpdir(), 'deadlines-'));
  gateway = await startTestGateway({
    limits: { handshakeTimeout: 1, headersTimeout: 1, requestTimeout: 2 },
    proxy: { socket: join(folder, 'est.sock'), clientCertificate: 'nginx' },
    passThrough: {
      paths: { '/large.crl': { kind: 'crl', upstream: `${upstream.url}/large.crl` } },
    },
  });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await gateway.stop();
  await upstream.down();
  await rm(folder, { recursive: true });
});

async function openTcp(options: NetConnectOpts): Promise<Socket> {
  const socket = connectTcp({ ...options, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

const listeners: Readonly<Record<string, () => Promise<Socket>>> = {
  est: async () => await openTls({ port: gateway.port, ca: gateway.trustAnchor }),
  proxy: async () => await openTcp({ path: gateway.proxyPlace }),
  http: async () => await openTcp({ port: Number(new URL(gateway.httpUrl).port), host: '127.0.0.1' }),
};

/** The gateway's ends of connections, in the order in which they were accepted, and those of the upstream. */
const accepted: Socket[] = [];
subscribe('net.server.socket', (message) => {
  accepted.push((message as { readonly socket: Socket }).socket);
});

const get = (path: string, ...fields: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n');
const post = (...fields: readonly string[]): string => get('/', ...fields).replace('GET', 'POST');

/** What clients do that then read nothing, or little, and do not end the connection. */
const clientsThatStay: Readonly<Record<string, (socket: Socket) => unknown>> = {
  'stops in the middle of a long answer': async (socket) => {
    socket.write(get('/large.crl'));
    socket.resume();
    await until(() => socket.bytesRead > 1_000_000, 'the answer comes');
    socket.pause();
  },
  'sends nothing': () => undefined,
  'sends half a header': (socket) => socket.write('GET / HTTP/1.1\r\nHost: '),
  'sends line ends for ever': (socket) => {
    sendForEver(socket, '\r\n', 200);
  },
  'sends no HTTP': (socket) => socket.write('nonsense\r\n\r\n'),
  'sends no HTTP, for ever': (socket) => {
    sendForEver(socket, 'nonsense\r\n\r\n', 10);
  },
  'sends CONNECT, and more for ever': (socket) => {
    socket.write(get('a:443').replace('GET', 'CONNECT'));
    sendForEver(socket, 'x'.repeat(1000), 10);
  },
  'asks for an upgrade': (socket) =>
    socket.write(get('/', 'Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 0')),
  'asks for the end': (socket) => socket.write(get('/', 'Connection: close')),
  'waits for 100 Continue': (socket) => socket.write(post('Content-Length: 10', 'Expect: 100-continue')),
  'sends half a body': (socket) => socket.write(`${post('Content-Length: 10')}AAAA`),
  'sends a body for ever': (socket) => {
    socket.write(post('Transfer-Encoding: chunked'));
    sendForEver(socket, '1\r\nA\r\n', 10);
  },
  'sends requests and reads no answer': (socket) => socket.write(get('/').repeat(20_000)),
  'ends its side, and reads no answer': (socket) => socket.end(get('/large.crl')),
  'reads nothing of a long answer': (socket) => socket.write(get('/large.crl')),
  'reads nothing of a long answer, and sends for ever': (socket) => {
    socket.write(get('/large.crl'));
    sendForEver(socket, get('/'), 10);
  },
  'reads a long answer drop by drop': (socket) => {
    socket.write(get('/large.crl'));
    const timer = setInterval(() => void (socket.read(1) as unknown), 50);
    socket.once('close', () => {
      clearInterval(timer);
    });
  },
};

function sendForEver(socket: Socket, octets: string, milliseconds: number): void {
  const timer = setInterval(() => {
    if (socket.writableLength < 1_000_000) socket.write(octets);
  }, milliseconds);
  socket.once('close', () => {
    clearInterval(timer);
  });
}

describe.each(Object.entries(listeners))('the listener %s', (_name, open) => {
  it('S-04 lets go of clients that neither read nor end', async () => {
    const held = new Map<string, Socket | undefined>();
    for (const [what, act] of Object.entries(clientsThatStay)) {
      const socket = await open();
      clients.push(socket);
      socket.on('error', () => undefined);
      socket.pause();
      const { localPort } = socket;
      held.set(
        what,
        accepted.findLast(({ remotePort }) => remotePort === localPort),
      );
      await act(socket);
    }
    const left = (): readonly string[] =>
      [...held].filter(([, socket]) => socket?.destroyed !== true).map(([what]) => what);
    await until(() => left().length === 0, 'all end', 30).catch(() => undefined);
    expect(left()).toEqual([]);
  });
});
