import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { normalSegments, segmentOf } from '../../src/ops/path-segment.ts';
import { exchangeRaw, readToEnd } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const names = ['ca:1', "~.-_!$&'()*+,;=@", 'caf%C3%A9', '__proto__', 'a%2Fb'];

let gateway: TestGateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'request-target-'));
  gateway = await startTestGateway({
    aliases: Object.fromEntries(
      [...names, 'ejbca'].map((name) => [name, name === 'ejbca' ? { compatibility: 'ejbca' } : {}]),
    ),
    proxy: { socket: join(folder, 'est.sock'), clientCertificate: 'nginx' },
    limits: { headersTimeout: 2, requestTimeout: 5 },
  });
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

type Place = 'est' | 'proxy' | 'http';

async function exchange(octets: string, place: Place = 'est'): Promise<string> {
  if (place === 'est') return await exchangeRaw({ port: gateway.port, ca: gateway.trustAnchor }, octets);
  const socket = connectTcp(
    place === 'proxy'
      ? { path: gateway.proxyPlace }
      : { port: Number(new URL(gateway.httpUrl).port), host: '127.0.0.1' },
  );
  await once(socket, 'connect');
  socket.write(octets);
  return await readToEnd(socket);
}

function get(target: string, host?: string, version = '1.1'): string {
  const fields = host === undefined ? [] : [`Host: ${host}`];
  return [`GET ${target} HTTP/${version}`, ...fields, 'Connection: close', '', ''].join('\r\n');
}

/** What a path stands for, read octet by octet. */
function octetsOf(path: string): Buffer {
  const octets = path.match(/%..|./gs) ?? [];
  return Buffer.from(
    octets.map((text) => (text.length === 3 ? parseInt(text.slice(1), 16) : text.charCodeAt(0))),
  );
}

const statusOf = (answer: string): number => Number(answer.slice(9, 12));
const cacerts = '/.well-known/est/cacerts';
const own = (): string => `localhost:${gateway.port}`;

describe('Host (RFC 9112, section 3.2)', () => {
  it.each([
    ['est', cacerts],
    ['proxy', cacerts],
    ['http', '/crl/local.crl'],
  ] as const)(
    'H-17 V-48 S-42 is missed at listeners.%s with a sentence, an id and a line',
    async (place, path) => {
      const before = gateway.log.entries.length;
      const answer = await exchange(get(path), place);
      const [, requestId] =
        /^HTTP\/1\.1 400 [^]*\n\r\nHTTP\/1\.1 requires a Host header field\. \(request ([0-9a-f-]{36})\)\n$/.exec(
          answer,
        ) ?? [];
      expect(gateway.log.entries.slice(before)).toMatchObject([
        {
          level: 'info',
          message: 'request',
          fields: { requestId, outcome: 'malformed_request', status: 400 },
        },
      ]);
      expect(answer).toContain('Connection: close');
    },
  );

  it('H-28 need not be in HTTP/1.0', async () => {
    expect(statusOf(await exchange(get(cacerts, undefined, '1.0')))).toBe(200);
  });

  it.each([
    ['localhost', 200],
    ['LOCALHOST:1', 200],
    ['', 200],
    ['[::1]:8443', 200],
    ['est_gateway.example.', 200],
    ['a b', 400],
    ['user@localhost', 400],
    ['localhost/', 400],
    ['localhost:x', 400],
    ['[::1', 400],
    ['http://localhost', 400],
    ['a,b c', 400],
  ])('H-17 may say %j: %i', async (host, status) => {
    expect(statusOf(await exchange(get(cacerts, host)))).toBe(status);
  });
});

describe('A target in absolute form (RFC 9112, section 3.2.2)', () => {
  it.each<[string, () => string, () => string | undefined]>([
    ['as Host says', () => `https://${own()}${cacerts}`, own],
    [
      'as Host says, which is no name of the certificate',
      () => `https://est.example${cacerts}`,
      () => 'est.example',
    ],
    ['in other case', () => `HTTPS://LocalHost:${gateway.port}${cacerts}`, own],
    ['with the root of the DNS', () => `https://localhost.:${gateway.port}${cacerts}`, own],
    ['with the default port', () => `https://est.example:443${cacerts}`, () => 'est.example'],
    ['with an empty port', () => `https://est.example:${cacerts}`, () => 'est.example'],
    [
      'by a name of the certificate, whatever Host says',
      () => `https://${own()}${cacerts}`,
      () => 'other.example',
    ],
    ['with a query', () => `https://${own()}${cacerts}?x=1`, own],
    ['with another spelling of the path', () => `https://${own()}/%2ewell-known/est/%63acerts`, own],
  ])('V-48 names the gateway %s', async (_how, target, host) => {
    expect(statusOf(await exchange(get(target(), host())))).toBe(200);
  });

  it.each<[string, () => string]>([
    ['another host', () => `https://other.example:${gateway.port}${cacerts}`],
    ['another port', () => `https://localhost:1${cacerts}`],
    ['the default port, which is another one', () => `https://localhost${cacerts}`],
    ['user information', () => `https://localhost@${own()}${cacerts}`],
    ['another host behind user information', () => `https://${own()}@other.example${cacerts}`],
    ['no host', () => `https://:${gateway.port}${cacerts}`],
    ['no authority', () => `https:${cacerts}`],
    ['an empty authority', () => `https://${cacerts}`],
    ['plain HTTP', () => `http://${own()}${cacerts}`],
    ['another scheme', () => `coaps://${own()}${cacerts}`],
    ['a fragment', () => `https://${own()}${cacerts}#x`],
    ['an encoded host', () => `https://%6cocalhost:${gateway.port}${cacerts}`],
    ['a name that only begins so', () => `https://localhost.example:${gateway.port}${cacerts}`],
    ['a backslash', () => `https://${own()}\\${cacerts}`],
    ['two dots at the end', () => `https://localhost..:${gateway.port}${cacerts}`],
    ['a port of many digits', () => `https://localhost:0000000${gateway.port}${cacerts}`],
  ])('S-45 names with %s somebody else: 400, and the connection ends', async (_what, target) => {
    const answer = await exchange(get(target(), own()) + get(cacerts, own()));
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*Connection: close/);
    expect(answer.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(1);
  });

  it('H-17 wants Host all the same', async () => {
    expect(statusOf(await exchange(get(`https://${own()}${cacerts}`)))).toBe(400);
    expect(statusOf(await exchange(get(`https://${own()}${cacerts}`, undefined, '1.0')))).toBe(200);
  });

  it('V-48 is understood at the listener for proxies, and over plain HTTP', async () => {
    const { host } = new URL(gateway.httpUrl);
    expect(statusOf(await exchange(get(`https://est.example${cacerts}`, 'est.example'), 'proxy'))).toBe(200);
    expect(statusOf(await exchange(get(`http://${host}/crl/local.crl`, host), 'http'))).toBe(200);
    expect(statusOf(await exchange(get('http://other/crl/local.crl', host), 'http'))).toBe(400);
  });

  it('V-48 enrols', async () => {
    const body = (await plainCsr('absolute', await generateKeyPair('P-256'))).toString('base64');
    const answer = await exchange(
      [
        `POST https://${own()}/.well-known/est/ca%3A1/simpleenroll HTTP/1.1`,
        `Host: ${own()}`,
        `Authorization: ${basic}`,
        'Content-Type: application/pkcs10',
        `Content-Length: ${body.length}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    );
    expect(statusOf(answer)).toBe(200);
    expect(gateway.log.entries.at(-1)).toMatchObject({
      fields: { alias: 'ca:1', operation: 'simpleenroll' },
    });
  });
});

describe('The spelling of a path (RFC 3986, section 6.2.2.2)', () => {
  it.each<[Place, string, number]>([
    ['est', '/%2ewell-known/%65st/%63acerts', 200],
    ['proxy', '/%2Ewell%2Dknown/es%74/cacerts', 200],
    ['http', '/%63rl/loc%61l%2ecrl', 200],
    ['est', '/.well-known%2fest/cacerts', 404],
    ['est', '/.well-known/est%2Fcacerts', 404],
    ['est', '/.well-known/est/est%2fcacerts', 404],
    ['est', '/.well-known/est/%2563acerts', 404],
    ['est', '/%252ewell-known/est/cacerts', 404],
    ['est', '/.well-known/est/%2e/cacerts', 400],
    ['est', '/.well-known/est/est/../cacerts', 404],
    ['est', '/./.well-known/est/cacerts', 404],
    ['est', '/.well-known/%65st/%zz', 400],
    ['http', '/crl/%zz', 400],
    ['http', '/crl%2Flocal.crl', 404],
  ])('H-07 X-14 at listeners.%s is read once: %s is %i', async (place, path, status) => {
    expect(statusOf(await exchange(get(path, 'localhost'), place))).toBe(status);
  });

  it('H-07 comes to the same text for the same octets, however they are encoded, and decodes nothing twice', () => {
    const octets = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom('plain', 'lower', 'upper')),
    );
    fc.assert(
      fc.property(octets, (pairs) => {
        const hex = (octet: number): string => `%${octet.toString(16).padStart(2, '0')}`;
        const spelled = pairs.map(([octet, how]) => {
          const character = String.fromCharCode(octet);
          const isPlain = how === 'plain' && /[A-Za-z0-9._~!$&'()*+,;=:@-]/.test(character);
          return isPlain ? character : how === 'lower' ? hex(octet) : hex(octet).toUpperCase();
        });
        const normal = normalSegments(spelled.join(''));
        expect(normal).toBe(normalSegments(pairs.map(([octet]) => hex(octet)).join('')));
        expect(normalSegments(normal)).toBe(normal);
        expect(octetsOf(normal)).toEqual(Buffer.from(pairs.map(([octet]) => octet)));
      }),
    );
  });
});

describe('The name of an alias', () => {
  it.each([...names, 'ca%3A1', 'ca%3a1', 'caf%c3%a9', '%5f_proto__', 'a%2fb'])(
    'H-04 may be any segment: %s',
    async (name) => {
      expect(statusOf(await exchange(get(`/.well-known/est/${name}/cacerts`, 'localhost')))).toBe(200);
    },
  );

  it.each(['ca', 'CA:1', 'ca%253A1', 'café', 'constructor', 'a/b'])(
    'H-07 is compared exactly: %s',
    async (name) => {
      const path = Buffer.from(`/.well-known/est/${name}/cacerts`).toString('latin1');
      expect(statusOf(await exchange(get(path, 'localhost')))).not.toBe(200);
    },
  );

  it('A-08 stands in the challenge as it is written, which needs no escape', async () => {
    for (const name of names) {
      const octets = `POST /.well-known/est/${name}/simpleenroll HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
      expect(await exchange(octets)).toContain(
        `\r\nWWW-Authenticate: Basic realm="EST ${name}", charset="UTF-8"\r\n`,
      );
    }
  });

  it('is made of any text', () => {
    expect(['ca:1', 'My CA', 'a/b', 'é', '50%'].map(segmentOf)).toEqual([
      'ca:1',
      'My%20CA',
      'a%2Fb',
      '%C3%A9',
      '50%25',
    ]);
  });
});

describe('An operation that there is not', () => {
  const bodyOf = async (path: string): Promise<string> =>
    (await exchange(get(`/.well-known/est/${path}`, 'localhost')))
      .replace(/^[^]*\r\n\r\n/, '')
      .replace(/ \(request .*/s, '');

  it.each([
    ['simpleenrol', 'There is no such EST operation here; did you mean simpleenroll?'],
    ['ca:1/SimpleReEnroll', 'There is no such EST operation here; did you mean simplereenroll?'],
    ['cacert', 'There is no such EST operation here; did you mean cacerts?'],
    ['csratrs', 'There is no such EST operation here; did you mean csrattrs?'],
    ['nonsense', 'There is no such EST operation here.'],
    ['x'.repeat(5000), 'There is no such EST operation here.'],
    ['eecerts', 'There is no such EST operation here.'],
    // Whose meaning is switched off.
    ['fullcmcs', 'There is no such EST operation here.'],
    ['fullcmc', 'fullcmc is switched off at this alias.'],
    ['ca%3A1/serverkeygen', 'serverkeygen is switched off at this alias.'],
  ])('H-03 is told apart from one that is off: %s', async (path, sentence) => {
    expect(await bodyOf(path)).toBe(sentence);
  });

  it("H-03 is said in EJBCA's page where the alias answers as EJBCA does", async () => {
    const answer = await exchange(get('/.well-known/est/ejbca/fullcmc', 'localhost'));
    expect(answer).toMatch(/^HTTP\/1\.1 404 [^]*<body>fullcmc is switched off at this alias\. \(request/);
  });
});

describe('ALPN (RFC 7301)', () => {
  it.each([
    [['http/1.0'], 'http/1.0'],
    [['http/1.0', 'http/1.1'], 'http/1.1'],
    [['h2', 'http/1.1'], 'http/1.1'],
    [undefined, false],
  ])('H-29 takes %j', async (ALPNProtocols, chosen) => {
    const options = { port: gateway.port, ca: gateway.trustAnchor, servername: 'localhost' };
    const socket = connect({ ...options, ...(ALPNProtocols && { ALPNProtocols }) });
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe(chosen);
    socket.write(get(cacerts, 'localhost', chosen === 'http/1.0' ? '1.0' : '1.1'));
    expect(statusOf(await readToEnd(socket))).toBe(200);
  });
});
