import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import { openTls, readToEnd } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import type { LogEntry } from '../../src/ops/log.ts';

let gateway: TestGateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unreadable-'));
  gateway = await startTestGateway({
    aliases: { slow: { backend: 'slow', profile: 'issue' } },
    backends: { slow: { driver: 'mock', delay: 0.2 } },
    proxy: { socket: join(folder, 'est.sock'), clientCertificate: 'nginx', headerBytes: 16_384 },
    limits: { headersTimeout: 1, requestTimeout: 1, handshakeTimeout: 1 },
  });
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

async function openTcp(options: { readonly port: number } | { readonly path: string }): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', ...options });
  await once(socket, 'connect');
  return socket;
}

const listeners: readonly (readonly [name: string, open: () => Promise<Socket>, address: unknown])[] = [
  [
    'listeners.est',
    async () => await openTls({ host: '127.0.0.1', port: gateway.port, ca: gateway.trustAnchor }),
    '127.0.0.1',
  ],
  ['listeners.proxy', async () => await openTcp({ path: gateway.proxyPlace }), undefined],
  ['listeners.http', async () => await openTcp({ port: Number(new URL(gateway.httpUrl).port) }), '127.0.0.1'],
];

/** By a reset where the socket can. */
function hangUp(socket: Socket): void {
  if (socket.remoteAddress === undefined || socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** What no line may hold. */
const marker = 'sent-by-who-is-refused';
const eol = '\r\n';
const head = (line: string, ...fields: readonly string[]): string =>
  [`${line} HTTP/1.1`, `Host: ${marker}`, ...fields, '', ''].join(eol);
const get = '/.well-known/est/cacerts';
const chunked = 'Transfer-Encoding: chunked';

const requests: readonly (readonly [what: string, octets: string, status: number, outcome: string])[] = [
  [
    'Content-Length and Transfer-Encoding',
    head(`POST /${marker}`, 'Content-Length: 4', chunked),
    400,
    'malformed_request',
  ],
  ['a line end inside of a field', head(`GET ${get}`, `X: a\n${marker}`), 400, 'malformed_request'],
  ['no HTTP', `GET ${marker}${eol}${eol}`, 400, 'malformed_request'],
  [
    'a header that is too large',
    head(`GET ${get}`, `X: ${'a'.repeat(17_000)}`),
    431,
    'header_fields_too_large',
  ],
  ['an unknown method', head('ENROLL /'), 501, 'unknown_method'],
  ['an unknown expectation', head(`GET ${get}`, `Expect: ${marker}`), 417, 'expectation_failed'],
  ['CONNECT', head(`CONNECT ${marker}:443`), 400, 'malformed_request'],
  ['half a header', `GET ${get} HTTP/1.1${eol}Host: ${marker}`, 408, 'request_timeout'],
];

/** The lines since then; each refusal is one. */
function linesSince(count: number): readonly LogEntry[] {
  return gateway.log.entries.slice(count);
}

async function line(count: number): Promise<LogEntry | undefined> {
  while (gateway.log.entries.length <= count) await setImmediate();
  return gateway.log.entries[count];
}

const answersOf = (received: string): readonly string[] => received.split(/(?=HTTP\/1\.1 \d{3} )/);
const idOf = (answer = ''): string | undefined => /\(request ([0-9a-f-]{36})\)\n$/.exec(answer)?.[1];

describe.each(listeners)('what is refused unread at %s', (name, open, address) => {
  it.each(requests)('S-42 answers and logs %s once, under one id', async (_what, octets, status, outcome) => {
    const before = gateway.log.entries.length;
    const socket = await open();
    socket.write(Buffer.from(octets, 'latin1'));
    const [answer = '', ...more] = answersOf(await readToEnd(socket));
    expect(more).toEqual([]);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close`));
    expect(answer).toMatch(/^Content-Type: text\/plain\r$/m);
    expect(idOf(answer)).toBeDefined();
    const [entry, ...others] = linesSince(before);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      level: 'info',
      message: 'request',
      fields: { requestId: idOf(answer), status, outcome, reason: expect.stringMatching(/^[ -~]+\.$/) },
    });
    expect(entry?.fields['address']).toBe(address);
    expect(JSON.stringify([gateway.log.lines().slice(before), answer])).not.toContain(marker);
  });

  it('S-42 logs a request that ends within its header once', async () => {
    const before = gateway.log.entries.length;
    const socket = await open();
    socket.end(`GET ${get} HTTP/1.1${eol}Host: ${marker}`);
    const received = await readToEnd(socket);
    expect(await line(before)).toMatchObject({ fields: { status: 400, outcome: 'malformed_request' } });
    expect(linesSince(before)).toHaveLength(1);
    expect([undefined, linesSince(before)[0]?.fields['requestId']]).toContain(idOf(received));
  });

  it('S-42 writes one line however much follows what it cannot read', async () => {
    const before = gateway.log.entries.length;
    const socket = await open();
    const closed = once(socket, 'close').catch(() => undefined);
    socket.on('error', () => undefined);
    socket.resume();
    for (let pieces = 0; pieces < 100 && !socket.destroyed; pieces += 1) {
      await new Promise((resolve) => socket.write(head('POST /', 'Content-Length: 1', chunked), resolve));
    }
    socket.end();
    await closed;
    expect(linesSince(before)).toHaveLength(1);
  });

  it('S-42 writes no line for connections over which nothing comes, or that are reset', async () => {
    const before = gateway.log.entries.length;
    const [silent, ended, reset, begun] = await Promise.all([open(), open(), open(), open()]);
    const all = [silent, ended, reset, begun].map(async (socket) => await readToEnd(socket));
    ended.end();
    hangUp(reset);
    await new Promise((resolve) => begun.write('GET / HT', resolve));
    hangUp(begun);
    const received = await Promise.all(all);
    expect(received.slice(0, 2)).toEqual(['', '']);
    // Whether the reset or the octets are seen first is for the system.
    expect(linesSince(before).filter(({ fields }) => fields['status'] !== 400)).toEqual([]);
    expect(linesSince(before).length).toBeLessThanOrEqual(1);
  });

  it('S-42 S-03 answers a request before the one behind it that it cannot read', async () => {
    const before = gateway.log.entries.length;
    const first = name === 'listeners.http' ? '/crl/local.crl' : '/.well-known/est/slow/cacerts';
    const socket = await open();
    socket.write(head(`GET ${first}`).replace(marker, 'localhost') + head('ENROLL /'));
    const answers = answersOf(await readToEnd(socket));
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['200', '501']);
    const refused = linesSince(before).filter(({ fields }) => fields['status'] === 501);
    expect(refused.map(({ fields }) => fields['requestId'])).toEqual([idOf(answers[1])]);
  });
});

describe.each(listeners.slice(0, 2))('a body that cannot be read at %s', (_name, open) => {
  const post = (...fields: readonly string[]): string =>
    head(
      'POST /.well-known/est/simpleenroll',
      'Content-Type: application/pkcs10',
      `Authorization: Basic ${Buffer.from('device:correct-horse-battery').toString('base64')}`,
      ...fields,
    );

  it.each([
    ['that is malformed', `${post(chunked)}zz${eol}`, 400, 'malformed_request'],
    [
      'that is malformed, of who asks for problem+json',
      `${post(chunked, 'Accept: application/problem+json')}zz${eol}`,
      400,
      'malformed_request',
    ],
    ['that does not come', `${post('Content-Length: 100')}AAAA`, 408, 'request_timeout'],
  ])('S-42 S-04 is one refused request: %s', async (_what, octets, status, outcome) => {
    const before = gateway.log.entries.length;
    const socket = await open();
    socket.write(octets);
    const [answer = '', ...more] = answersOf(await readToEnd(socket));
    expect(more).toEqual([]);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close`));
    const [entry, ...others] = linesSince(before);
    expect(others).toEqual([]);
    expect(entry?.fields).toMatchObject({ status, outcome, operation: 'simpleenroll' });
    expect(answer).toContain(String(entry?.fields['requestId']));
  });

  it('S-42 has no second answer when the request had its own', async () => {
    const before = gateway.log.entries.length;
    const socket = await open();
    socket.write(`${head('POST /.well-known/est/simpleenroll', chunked)}zz${eol}`);
    const answers = answersOf(await readToEnd(socket));
    expect(answers).toHaveLength(1);
    expect(linesSince(before).map(({ fields }) => fields['requestId'])).toEqual([idOf(answers[0])]);
  });
});
