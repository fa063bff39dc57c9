import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { crlDer } from '../support/crl.ts';
import { exchangePlain, exchangeRaw, send } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

/** As `send`, without TLS. */
async function get(url: string, options: RequestInit = {}): Promise<Response> {
  return await fetch(url, { redirect: 'manual', ...options });
}

function crl(
  headers: Readonly<Record<string, string>> = {},
  body = crlDer(),
): (request: IncomingMessage, response: ServerResponse) => void {
  return (_request, response) => {
    response.writeHead(200, {
      'Content-Type': 'application/pkix-crl',
      'Content-Length': body.length,
      ...headers,
    });
    response.end(body);
  };
}

describe('Pass-through of public documents', () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  let port: string;

  beforeAll(async () => {
    upstream = await startUpstream();
    ({ port } = new URL(upstream.url));
    const paths = [
      'fresh',
      'shared',
      'bare',
      'tls',
      'reduced',
      'redirect',
      'html',
      'page',
      'large',
      'longer',
      'etag',
      'conditional',
      'past',
      'stale',
      'strict',
      'down',
      'gone',
      'head',
      'age',
      'private-cache',
      'method',
      'no-length',
      'modified',
      'late',
    ];
    gateway = await startTestGateway({
      passThrough: {
        timeout: 1,
        maxAge: 60,
        paths: {
          ...Object.fromEntries(
            paths.map((name) => [
              `/crl/${name}.crl`,
              { kind: 'crl', upstream: `${upstream.url}/pki/${name}`, maxBytes: 100_000 },
            ]),
          ),
          '/crl/by-name.crl': { kind: 'crl', upstream: `http://localhost:${port}/pki/by-name` },
          '/aia/issuing.cer': { kind: 'certificate', upstream: `${upstream.url}/pki/issuing` },
          '/cps.html': { kind: 'page', upstream: `${upstream.url}/pki/cps` },
        },
      },
    });
  });

  afterEach(() => {
    upstream.forget();
  });

  afterAll(async () => {
    await gateway.stop();
    await upstream.down();
  });

  const url = (name: string): string => `${gateway.httpUrl}/crl/${name}.crl`;

  it('gives a CRL octet for octet, on the plain listener and on the TLS one', async () => {
    const body = crlDer({ filler: 50_000 });
    upstream.answer(crl({}, body));
    const plain = await get(url('tls'));
    expect(plain.status).toBe(200);
    expect(plain.headers.get('content-type')).toBe('application/pkix-crl');
    expect(plain.headers.get('content-length')).toBe(String(body.length));
    expect(plain.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Buffer.from(await plain.arrayBuffer()).equals(body)).toBe(true);
    const overTls = await send(`https://localhost:${gateway.port}/crl/tls.crl`, { ca: gateway.trustAnchor });
    expect(overTls.status).toBe(200);
    expect(Buffer.from(overTls.body, 'latin1').equals(body)).toBe(true);
    expect(upstream.requests).toHaveLength(1);
  });

  it('asks the upstream once for many who ask at once', async () => {
    upstream.answer((request, response) =>
      setTimeout(() => {
        crl()(request, response);
      }, 100),
    );
    const answers = await Promise.all(Array.from({ length: 30 }, async () => await get(url('shared'))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 200));
    expect(upstream.requests).toHaveLength(1);
  });

  it('sends the upstream nothing of what the client sent', async () => {
    upstream.answer(crl());
    await get(url('reduced'), {
      headers: {
        Authorization: 'Basic c2VjcmV0OnNlY3JldA==',
        Cookie: 'a=b',
        'X-Forwarded-For': '1.2.3.4',
        'X-Other': 'x',
        'Client-Cert': ':AAAA:',
        'User-Agent': 'device/1',
        Accept: 'text/html',
        'Accept-Encoding': 'gzip',
      },
    });
    expect(upstream.requests).toEqual([
      {
        method: 'GET',
        url: '/pki/reduced',
        headers: {
          accept: 'application/pkix-crl, application/x-pkcs7-crl, application/octet-stream',
          'accept-encoding': 'identity',
          'user-agent': 'est-gateway',
          host: `127.0.0.1:${port}`,
          connection: 'keep-alive',
        },
      },
    ]);
  });

  it.each([
    '/crl/fresh.crl?x=1',
    '/crl/fresh.crl/',
    '//crl/fresh.crl',
    '/crl/../crl/fresh.crl',
    '/CRL/fresh.crl',
    '/crl/',
    '/',
    '/pki/fresh',
    '/crl/fresh.crl%00',
  ])('H-07 serves nothing at %s, and asks nobody', async (path) => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      request({ port: new URL(gateway.httpUrl).port, host: 'localhost', path }, ({ statusCode }) => {
        resolve(statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
    expect(upstream.requests).toEqual([]);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])(
    'refuses %s with the methods that are allowed',
    async (method) => {
      const answer = await get(url('method'), { method });
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')).toBe('GET, HEAD');
      expect(upstream.requests).toEqual([]);
    },
  );

  it('follows no redirect', async () => {
    upstream.answer((request, response) => {
      if (request.url === '/pki/redirect')
        response.writeHead(302, { Location: `${upstream.url}/secret` }).end();
      else crl()(request, response);
    });
    expect((await get(url('redirect'))).status).toBe(502);
    expect(upstream.requests.map((request) => request.url)).toEqual(['/pki/redirect']);
  });

  it('S-08 connects to no private address to which a host name leads', async () => {
    upstream.answer(crl());
    expect((await get(url('by-name'))).status).toBe(503);
    expect(upstream.requests).toEqual([]);
    expect(gateway.log.lines().at(-1)).toContain('passThrough.allowedNetworks');
  });

  it.each([
    ['an HTML page in place of a CRL', 'html', { 'Content-Type': 'text/html' }, crlDer()],
    ['a page that is called a CRL', 'page', {}, Buffer.from('<html>maintenance</html>')],
    ['a CRL that is larger than maxBytes', 'large', {}, crlDer({ filler: 100_001 })],
    ['a compressed CRL', 'gone', { 'Content-Encoding': 'gzip' }, crlDer()],
  ])('gives 502 and not %s', async (_what, name, headers, body) => {
    upstream.answer(crl(headers, body));
    const answer = await get(url(name));
    expect(answer.status).toBe(502);
    expect(await answer.text()).toMatch(
      /^The CA behind the gateway gave an answer that makes no sense\. \(request /,
    );
  });

  it('always says how long a document is, though the upstream does not, and bounds that as well', async () => {
    const body = crlDer({ filler: 2000 });
    upstream.answer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/pkix-crl' });
      response.write(body.subarray(0, 100));
      response.end(body.subarray(100));
    });
    expect((await get(url('no-length'))).headers.get('content-length')).toBe(String(body.length));
    upstream.answer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/pkix-crl' });
      response.end(crlDer({ filler: 200_000 }));
    });
    expect((await get(url('longer'))).status).toBe(503);
  });

  it('answers conditional requests with 304', async () => {
    upstream.answer(crl({ ETag: '"one"', 'Last-Modified': 'Mon, 02 Jan 2006 15:04:05 GMT' }));
    await get(url('etag'));
    const sent: readonly Record<string, string>[] = [
      { 'If-None-Match': '"other", W/"one"' },
      { 'If-None-Match': '*' },
      { 'If-Modified-Since': 'Mon, 02 Jan 2006 15:04:05 GMT' },
    ];
    for (const headers of sent) {
      const answer = await get(url('etag'), { headers });
      expect([answer.status, await answer.text()]).toEqual([304, '']);
      expect(answer.headers.get('etag')).toBe('"one"');
    }
    const changed = await get(url('etag'), { headers: { 'If-None-Match': '"other"' } });
    const older = await get(url('etag'), {
      headers: { 'If-Modified-Since': 'Mon, 02 Jan 2006 15:04:04 GMT' },
    });
    expect([changed.status, older.status]).toEqual([200, 200]);
    expect(upstream.requests).toHaveLength(1);
  });

  it('gives a document without ETag one of its own', async () => {
    upstream.answer(crl());
    await (await get(url('bare'))).arrayBuffer();
    const etag = (await get(url('bare'))).headers.get('etag') ?? '';
    expect((await get(url('bare'), { headers: { 'If-None-Match': etag } })).status).toBe(304);
  });

  it('asks the upstream whether an older document is still current', async () => {
    const body = crlDer();
    upstream.answer((request, response) => {
      const headers = { ETag: '"v1"', 'Cache-Control': 'max-age=0' };
      if (request.headers['if-none-match'] === '"v1"') response.writeHead(304, headers).end();
      else crl(headers, body)(request, response);
    });
    const first = await get(url('conditional'));
    const second = await get(url('conditional'));
    expect(Buffer.from(await second.arrayBuffer()).equals(body)).toBe(true);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(upstream.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"v1"']);
  });

  it('keeps a document without ETag for as long as the upstream says when it is still current', async () => {
    upstream.answer((request, response) => {
      const headers = { 'Last-Modified': 'Mon, 02 Jan 2006 15:04:05 GMT' };
      if (request.headers['if-modified-since'] === undefined)
        crl({ ...headers, 'Cache-Control': 'max-age=0' })(request, response);
      else response.writeHead(304, { ...headers, 'Cache-Control': 'max-age=60' }).end();
    });
    const first = await get(url('modified'));
    await first.arrayBuffer();
    await (await get(url('modified'))).arrayBuffer();
    const third = await get(url('modified'));
    expect([first.status, third.status]).toEqual([200, 200]);
    expect(upstream.requests).toHaveLength(2);
  });

  it('never keeps a CRL beyond its nextUpdate', async () => {
    upstream.answer(
      crl({ 'Cache-Control': 'max-age=3600' }, crlDer({ nextUpdate: new Date(Date.now() - 1000) })),
    );
    await (await get(url('past'))).arrayBuffer();
    await (await get(url('past'))).arrayBuffer();
    expect(upstream.requests).toHaveLength(2);
  });

  it.each([
    ['max-age=30', 30],
    ['max-age=30, s-maxage=20', 20],
    ['public, MAX-AGE="10"', 10],
  ])('tells clients how long to keep what came with %s', async (cacheControl, seconds) => {
    upstream.answer(crl({ 'Cache-Control': cacheControl, Age: '0' }));
    const name = cacheControl.includes('s-max') ? 'age' : cacheControl.includes('MAX') ? 'late' : 'fresh';
    const answer = await get(url(name));
    const said = Number(/^max-age=(\d+)$/.exec(answer.headers.get('cache-control') ?? '')?.[1]);
    expect(said).toBeGreaterThan(seconds - 3);
    expect(said).toBeLessThanOrEqual(seconds);
  });

  it('keeps nothing that the upstream forbids to store', async () => {
    upstream.answer(crl({ 'Cache-Control': 'no-store' }));
    await (await get(url('private-cache'))).arrayBuffer();
    const again = await get(url('private-cache'));
    expect(again.headers.get('cache-control')).toBe('no-store');
    expect(upstream.requests).toHaveLength(2);
  });

  it('gives only the header for HEAD', async () => {
    const body = crlDer();
    upstream.answer(crl({}, body));
    const answer = await get(url('head'), { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([
      200,
      String(body.length),
      '',
    ]);
  });

  it('gives pages and certificates, and lets pages run nothing', async () => {
    upstream.answer((request, response) => {
      const type = request.url === '/pki/cps' ? 'text/html; charset=utf-8' : 'application/pkix-cert';
      response.writeHead(200, { 'Content-Type': type, 'Set-Cookie': 'a=b', 'X-Powered-By': 'x' }).end('text');
    });
    const page = await get(`${gateway.httpUrl}/cps.html`);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toBe('sandbox');
    expect(page.headers.get('set-cookie')).toBeNull();
    expect(page.headers.get('x-powered-by')).toBeNull();
    const certificate = await get(`${gateway.httpUrl}/aia/issuing.cer`);
    expect(certificate.headers.get('content-type')).toBe('application/pkix-cert');
  });

  it('gives 404 where the upstream has nothing', async () => {
    upstream.answer((_request, response) => response.writeHead(404).end('<html>'));
    const answer = await get(url('down'));
    expect([answer.status, await answer.text()]).toEqual([
      404,
      expect.stringMatching(/^The CA has no such document at the moment\. \(request [0-9a-f-]{36}\)\n$/),
    ]);
  });

  it('gives an older document while the upstream is down, unless that forbids it', async () => {
    upstream.answer((request, response) => {
      const strict = request.url === '/pki/strict' ? ', must-revalidate' : '';
      crl({ 'Cache-Control': `max-age=0${strict}` })(request, response);
    });
    await (await get(url('stale'))).arrayBuffer();
    await (await get(url('strict'))).arrayBuffer();
    await upstream.down();
    const stale = await get(url('stale'));
    const strict = await get(url('strict'));
    await upstream.up();
    expect([stale.status, stale.headers.get('cache-control'), strict.status]).toEqual([200, 'no-store', 503]);
    expect(Number(strict.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await get(url('stale'))).status).toBe(200);
  });

  it('H-07 X-14 knows a path by any spelling of it, at each listener', async () => {
    const { host } = new URL(gateway.httpUrl);
    for (const target of ['/%63rl/%66resh%2ecrl', `http://${host}/crl/fresh.crl`]) {
      const octets = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const answer = await exchangePlain(Number(new URL(gateway.httpUrl).port), octets);
      expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
    }
    const overTls = `GET /%63rl/%66resh%2ecrl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    expect(await exchangeRaw({ port: gateway.port, ca: gateway.trustAnchor }, overTls)).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });
});

describe('A document that is larger than the cache', () => {
  it('drives no other document out of it', async () => {
    const upstream = await startUpstream();
    const gateway = await startTestGateway({
      passThrough: {
        cacheBytes: 1_000_000,
        paths: {
          '/small.crl': { kind: 'crl', upstream: `${upstream.url}/small` },
          '/large.crl': { kind: 'crl', upstream: `${upstream.url}/large` },
        },
      },
    });
    upstream.answer((request, response) => {
      const filler = request.url === '/large' ? 1_100_000 : 1000;
      crl({ 'Cache-Control': 'max-age=60' }, crlDer({ filler }))(request, response);
    });
    for (const name of ['small', 'large', 'small']) {
      await (await get(`${gateway.httpUrl}/${name}.crl`)).arrayBuffer();
    }
    await gateway.stop();
    await upstream.down();
    expect(upstream.requests.map(({ url }) => url)).toEqual(['/small', '/large']);
  });
});
