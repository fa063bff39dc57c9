import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { exchangeRaw, openTls, readToEnd, readUntil, send } from '../support/client.ts';
import { generateKeyPair, keyPair } from '../support/csr.ts';
import { basic, enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let csr: Buffer;
beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: { other: { backend: 'mock', profile: 'issue' }, slow: { backend: 'slow', profile: 'slow' } },
    backends: { slow: { driver: 'mock', delay: 0.2 } },
    limits: { headersTimeout: 1, requestTimeout: 2, handshakeTimeout: 2 },
  });
  csr = await plainCsr('device-http', await keyPair('P-256'));
});
afterAll(async () => {
  await gateway.stop();
});

const tls = (): { port: number; ca: string } => ({ port: gateway.port, ca: gateway.trustAnchor });
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  send(`https://localhost:${gateway.port}${path}`, { ...tls(), method, headers });
const raw = (text: string): Promise<string> => exchangeRaw(tls(), text);

/** Head of a POST to simpleenroll; the body follows. */
const post = (...fields: string[]): string =>
  ['POST /.well-known/est/simpleenroll HTTP/1.1', 'Host: localhost', ...fields, '', ''].join('\r\n');
const authorized = `Authorization: ${basic}`;
const pkcs10 = 'Content-Type: application/pkcs10';

/** Asks again and again, without waiting longer than it takes. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await setImmediate();
}

/** How often the mock CA was asked for the enrolments. */
function callsToCa(enrolments: readonly { readonly requestId: string }[]): number {
  const ids = enrolments.map(({ requestId }) => requestId);
  return gateway.log.entries.filter(
    ({ message, fields }) => message === 'The mock CA is asked.' && ids.includes(String(fields['requestId'])),
  ).length;
}

describe('paths and methods (RFC 7030, section 3.2.2)', () => {
  it.each(['/.well-known/est/cacerts', '/.well-known/est/est/cacerts', '/.well-known/est/%63acerts'])(
    'H-01 H-05 H-07 serves %s',
    async (path) => {
      expect(await get(path)).toMatchObject({ status: 200 });
    },
  );

  it('H-04 C-10 serves another alias from its own CA', async () => {
    const [first, second] = await Promise.all([
      get('/.well-known/est/cacerts'),
      get('/.well-known/est/other/cacerts'),
    ]);
    expect(second.status).toBe(200);
    expect(second.body).not.toBe(first.body);
  });

  it.each([
    ['/.well-known/est/nobody/cacerts', undefined, 'nobody'],
    ['/.well-known/est/other/cacert', 'other', 'cacert'],
    [`/.well-known/est/%0d%0a${'x'.repeat(100)}/cacerts`, undefined, `\r\n${'x'.repeat(62)}`],
  ])('S-42 logs what there is not: %s', async (path, alias, unknown) => {
    await get(path);
    const { fields = {} } = gateway.log.entries.at(-1) ?? {};
    expect([fields['alias'], fields['unknown']]).toEqual([alias, unknown]);
  });

  it('H-02 knows cacerts, simpleenroll and simplereenroll', async () => {
    for (const operation of ['cacerts', 'simpleenroll', 'simplereenroll']) {
      expect((await get(`/.well-known/est/${operation}`)).status).not.toBe(404);
    }
  });

  it.each([
    ['/.well-known/est/', 404],
    ['/.well-known/est/cacerts/', 404],
    ['/.well-known/est//cacerts', 404],
    ['/.well-known/est/a/b/cacerts', 404],
    ['/.well-known/est/x/../cacerts', 404],
    ['/.well-known/est/%2e%2e/cacerts', 400],
    ['/.well-known/est/est%2fcacerts', 404],
    ['/.well-known/est/est%00/cacerts', 400],
    ['/.well-known/est/%zz', 400],
    ['/.well-known/est/CACERTS', 404],
    ['/.well-known/est/EST/cacerts', 400],
    ['/.well-known/EST/cacerts', 404],
    ['/cacerts', 404],
    ['/', 404],
    ['/.well-known/est/nobody/cacerts', 400],
    ['/.well-known/est/__proto__/cacerts', 400],
    ['/.well-known/est/constructor/simpleenroll', 400],
    ['/.well-known/est/est/unknown', 404],
    ['/.well-known/est/serverkeygen', 404],
    ['/.well-known/est/fullcmc', 404],
    ['/.well-known/est/symmetrickeys/return', 404],
  ])('H-03 H-07 O-02 S-40 V-51 answers %s with %d', async (path, status) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/Content-Type: text\/plain\r\n/);
  });

  it('H-08 ignores a query', async () => {
    expect(await get('/.well-known/est/cacerts?x=1')).toMatchObject({ status: 200 });
  });

  it.each([
    ['GET', 'simpleenroll', 'POST'],
    ['HEAD', 'simplereenroll', 'POST'],
    ['POST', 'cacerts', 'GET, HEAD'],
    ['PUT', 'simpleenroll', 'POST'],
    ['OPTIONS', 'cacerts', 'GET, HEAD'],
    ['DELETE', 'simplereenroll', 'POST'],
  ])('H-09 H-10 H-11 V-40 refuses %s %s and allows %s', async (method, operation, allow) => {
    const answer = await get(`/.well-known/est/${operation}`, {}, method);
    expect(answer).toMatchObject({ status: 405, headers: { allow } });
  });

  it('H-12 V-41 answers HEAD like GET without a body', async () => {
    const [head, full] = await Promise.all([
      get('/.well-known/est/cacerts', {}, 'HEAD'),
      get('/.well-known/est/cacerts'),
    ]);
    expect(head).toMatchObject({ status: 200, body: '' });
    for (const field of ['content-type', 'content-length']) {
      expect(head.headers[field]).toBe(full.headers[field]);
    }
  });

  it('H-13 answers an unknown method with 501', async () => {
    expect(await raw('ENROLL / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toMatch(/^HTTP\/1\.1 501 /);
  });
});

describe('media types and header fields', () => {
  it.each([
    'application/pkcs10',
    'Application/PKCS10',
    'application/pkcs10; charset=utf-8',
    'application/pkcs10;name=a.p10',
  ])('H-14 H-15 V-42 accepts the type %s', async (type) => {
    const answer = await send(`${gateway.url}/simpleenroll`, {
      ...tls(),
      ...enrolment(csr, { Authorization: basic, 'Content-Type': type }),
    });
    expect(answer).toMatchObject({ status: 200 });
  });

  it.each(['application/x-pem-file', 'text/plain', 'application/pkcs10x', ''])(
    'H-15 V-42 refuses the type %j and says which it wants',
    async (type) => {
      const answer = await send(`${gateway.url}/simpleenroll`, {
        ...tls(),
        method: 'POST',
        headers: { Authorization: basic, ...(type === '' ? {} : { 'Content-Type': type }) },
        body: csr.toString('base64'),
      });
      expect(answer).toMatchObject({ status: 415, headers: { accept: 'application/pkcs10' } });
    },
  );

  it('V-43 refuses a compressed body without inflating it', async () => {
    const answer = await send(`${gateway.url}/simpleenroll`, {
      ...tls(),
      method: 'POST',
      headers: { Authorization: basic, 'Content-Type': 'application/pkcs10', 'Content-Encoding': 'gzip' },
      body: gzipSync(csr.toString('base64')),
    });
    expect(answer).toMatchObject({ status: 415, headers: { 'accept-encoding': 'identity' } });
  });

  it.each(['base64', 'binary', '8bit', 'quoted-printable', 'junk'])(
    'B-02 V-44 ignores Content-Transfer-Encoding: %s',
    async (encoding) => {
      const answer = await send(`${gateway.url}/simpleenroll`, {
        ...tls(),
        ...enrolment(csr, { Authorization: basic, 'Content-Transfer-Encoding': encoding }),
      });
      expect(answer).toMatchObject({ status: 200 });
    },
  );

  it('H-25 answers whatever Accept says', async () => {
    expect(await get('/.well-known/est/cacerts', { Accept: 'text/html' })).toMatchObject({ status: 200 });
  });

  it.each([
    'application/problem+json',
    'text/html, Application/Problem+JSON;q=0.5',
    'application/problem+json; charset=utf-8',
  ])('D-02 explains a refusal in problem+json to who asks for it by %s', async (accept) => {
    const answer = await send(`${gateway.url}/simpleenroll`, {
      method: 'POST',
      ca: gateway.trustAnchor,
      headers: { Accept: accept },
    });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(answer.body)).toEqual({
      title: 'Unauthorized',
      status: 401,
      detail: expect.stringMatching(/^Authentication is required here/),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(answer.headers['www-authenticate']).toMatch(/^Basic /);
  });

  it.each([
    undefined,
    '*/*',
    'application/*',
    'application/json',
    'application/problem+json;q=0.0',
    'text/plain',
  ])('D-01 D-02 explains a refusal in plain text to who accepts %s', async (accept) => {
    const headers = accept === undefined ? {} : { Accept: accept };
    const answer = await send(`${gateway.url}/nothing`, { ca: gateway.trustAnchor, headers });
    expect([answer.status, answer.headers['content-type']]).toEqual([404, 'text/plain']);
    expect(answer.body).toMatch(/^[ -~]+ \(request [0-9a-f-]{36}\)\n$/);
  });

  it('H-27 lets nobody keep an answer to a POST, or an error', async () => {
    expect((await enrolWithBasic(gateway, csr)).headers['cache-control']).toBe('no-store');
    expect((await get('/.well-known/est/unknown')).headers['cache-control']).toBe('no-store');
    expect((await get('/.well-known/est/cacerts')).headers['cache-control']).toBe('no-cache');
  });

  it('sends few header fields, Content-Length among them, so that strongSwan can read all in 1024 octets', async () => {
    const answer = await raw(post('Connection: close', authorized, pkcs10, 'Content-Length: 0'));
    const [head = ''] = answer.split('\r\n\r\n');
    expect(head.length).toBeLessThan(500);
    expect(head).toContain('Content-Length: ');
    expect(head).not.toMatch(/Transfer-Encoding: chunked|X-Powered-By|ETag|Set-Cookie/);
  });
});

describe('framing (RFC 9112)', () => {
  it('H-17 V-48 refuses a request without Host', async () => {
    expect(await raw('GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('A-15 refuses two Authorizations and closes', async () => {
    expect(await raw(post(authorized, authorized))).toMatch(/^HTTP\/1\.1 400 [^]*Connection: close/);
  });

  it('H-22 V-01 answers a POST without any length at once', async () => {
    expect(await raw(post(authorized, pkcs10, 'Connection: close'))).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('H-23 accepts a chunked body', async () => {
    const body = csr.toString('base64');
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const answer = await raw(
      post(authorized, pkcs10, 'Transfer-Encoding: chunked', 'Connection: close') + chunks,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('H-28 answers HTTP/1.0 without chunks, and without minding Expect', async () => {
    const answer = await raw('GET /.well-known/est/cacerts HTTP/1.0\r\nExpect: 100-continue\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200 [^]*Content-Length: \d+/);
    expect(answer).not.toMatch(/100 Continue|Transfer-Encoding: chunked/);
  });

  it('H-28 ignores Expect of an HTTP/1.0 client', async () => {
    const body = csr.toString('base64');
    const fields = ['Expect: 100-continue', authorized, pkcs10, `Content-Length: ${body.length}`];
    const head = post(...fields).replace('HTTP/1.1', 'HTTP/1.0');
    expect(await raw(head + body)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('V-58 answers a bad POST and never takes a pipelined request for part of it', async () => {
    const first = `${post(authorized, pkcs10, 'Content-Length: 4')}junk`;
    const answer = await raw(`${first}GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*Connection: close/);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });
});

describe('sizes and times', () => {
  it('H-24 refuses a body over the limit by its length, and closes', async () => {
    const answer = await raw(post(authorized, pkcs10, 'Content-Length: 70000') + 'A'.repeat(70_000));
    expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close/);
  });

  it('H-24 B-10 refuses a chunked body as soon as it is over the limit, white space included', async () => {
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`;
    const answer = await raw(post(authorized, pkcs10, 'Transfer-Encoding: chunked') + chunk.repeat(3));
    expect(answer).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close/);
  });

  it('H-24 reads the body that a client sends after its challenge, so that no reset takes the challenge away', async () => {
    const socket = await openTls(tls());
    socket.write(post(pkcs10, 'Content-Length: 60000', 'Connection: close'));
    expect(await readUntil(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 401 [^]*Connection: close/);
    const errors: unknown[] = [];
    socket.on('error', (error) => errors.push(error));
    for (let n = 0; n < 6; n += 1) {
      await setImmediate();
      socket.write('A'.repeat(10_000));
    }
    await readToEnd(socket);
    expect(errors).toEqual([]);
  });

  it('S-05 refuses too many fields, of which none is overlooked', async () => {
    const fields = (count: number): string => 'a:\r\n'.repeat(count);
    const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
    expect(await raw(`${get}${fields(98)}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await raw(`${get}${fields(99)}\r\n`)).toMatch(/^HTTP\/1\.1 400 [^]*more than 100 header fields/);
    expect(await raw(`${get}${fields(3000)}\r\n`)).toMatch(/^HTTP\/1\.1 400 [^]*more than 100 header fields/);
  });

  it.each([
    ['no credentials', [pkcs10, 'Content-Length: 100'], 401],
    ['1 GiB', [authorized, pkcs10, 'Content-Length: 1073741824'], 413],
    ['the wrong type', [authorized, 'Content-Type: text/plain', 'Content-Length: 100'], 415],
  ])('H-19 H-20 V-49 answers Expect: 100-continue with %s at once', async (_fault, fields, status) => {
    const answer = await raw(post('Expect: 100-continue', ...fields));
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close`));
    expect(answer).not.toContain('100 Continue');
  });

  it('H-19 sends 100 when it wants the body', async () => {
    const body = csr.toString('base64');
    const socket = await openTls(tls());
    socket.write(
      post('Expect: 100-continue', authorized, pkcs10, `Content-Length: ${body.length}`, 'Connection: close'),
    );
    expect(await readUntil(socket, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 Continue/);
    socket.write(body);
    expect(await readToEnd(socket)).toMatch(/HTTP\/1\.1 200 /);
  });

  it('H-21 answers another expectation with 417', async () => {
    expect(await raw(post('Expect: foo', 'Content-Length: 0'))).toMatch(/^HTTP\/1\.1 417 /);
  });

  it('S-04 V-50 ends a connection whose header or body does not come', async () => {
    const answers = await Promise.all([
      raw('POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: loc'),
      raw(`${post(authorized, pkcs10, 'Content-Length: 100')}AAAA`),
    ]);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close/);
    const line = () =>
      gateway.log.entries.find(
        ({ fields }) => fields['outcome'] === 'request_timeout' && fields['operation'] === 'simpleenroll',
      );
    await until(() => Promise.resolve(line() !== undefined));
    expect(line()).toMatchObject({
      level: 'info',
      fields: { status: 408, address: expect.stringContaining('127.0.0.1') },
    });
  });

  it('V-59 E-22 finishes the enrolment of a client that goes away, once, and gives its repeat the certificate', async () => {
    const own = await plainCsr('device-gone', await generateKeyPair('P-256'));
    const body = own.toString('base64');
    const socket = await openTls(tls());
    const head = post(authorized, pkcs10, `Content-Length: ${body.length}`);
    socket.write(head.replace('/est/simpleenroll', '/est/slow/simpleenroll') + body);
    const entry = async () =>
      (await gateway.store.enrollments.list(1000)).filter(({ subject }) => subject === 'CN=device-gone');
    await until(async () => (await entry()).length > 0);
    socket.destroy();
    await until(async () => (await entry()).some(({ state }) => state === 'issued'));
    const answer = await enrolWithBasic(gateway, own, 'slow');
    expect(answer).toMatchObject({ status: 200 });
    expect(await entry()).toMatchObject([{ state: 'issued' }]);
    expect(callsToCa(await entry())).toBe(1);
    expect(gateway.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('H-26 serves several requests over one connection, and closes it when the client asks for that', async () => {
    const { body } = await get('/.well-known/est/cacerts');
    const socket = await openTls(tls());
    socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await readUntil(socket, body)).toMatch(/^HTTP\/1\.1 200 [^]*Connection: keep-alive/);
    socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const last = await readToEnd(socket);
    expect(last).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close/);
    expect(last.endsWith(body)).toBe(true);
  });
});
