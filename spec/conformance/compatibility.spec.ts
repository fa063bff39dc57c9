import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { basic, enrolDevice, enrolment, plainCsr, renew, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const compatibility = 'ejbca';
const policy = { subject: ['commonName'], renewWithSameKey: false };

let gateway: TestGateway;
let device: Device;
beforeAll(async () => {
  const both = { authentication: 'both' };
  const down = { backend: 'mock', profile: 'down' };
  const rejected = { backend: 'mock', profile: 'rejected' };
  const garbage = { backend: 'mock', profile: 'garbage' };
  gateway = await startTestGateway({
    aliases: {
      rfc: { policy },
      ejbca: { policy, compatibility },
      'ejbca-digest': {
        authentication: 'clientCertificate',
        httpAuthentication: ['digest-SHA-256'],
        compatibility,
      },
      'rfc-both': both,
      'ejbca-both': { ...both, compatibility },
      'rfc-down': down,
      'ejbca-down': { ...down, compatibility },
      'rfc-rejected': rejected,
      'ejbca-rejected': { ...rejected, compatibility },
      'rfc-garbage': garbage,
      'ejbca-garbage': { ...garbage, compatibility },
    },
  });
  device = await enrolDevice(gateway, 'device-1');
});
afterAll(async () => {
  await gateway.stop();
});

interface Request {
  readonly suffix?: string;
  readonly headers?: Record<string, string>;
}

async function enrol(
  alias: string,
  { suffix = '', headers = { Authorization: basic } }: Request,
): Promise<Answer> {
  const csr = await plainCsr('device-1', await generateKeyPair('P-256'));
  const url = `${gateway.url}/${alias}${suffix}/simpleenroll`;
  return await send(url, { ca: gateway.trustAnchor, ...enrolment(csr, headers) });
}

async function renewAs(alias: string, commonName: string, keyPair = device.keyPair): Promise<Answer> {
  return await renew(gateway, device, await plainCsr(commonName, keyPair), alias);
}

async function renewByCode(alias: string): Promise<Answer> {
  const { headers, ...parts } = enrolment(await plainCsr('device-1', device.keyPair), {
    Authorization: basic,
  });
  return await send(`${gateway.url}/${alias}/simplereenroll`, { ca: gateway.trustAnchor, ...parts, headers });
}

const differences: readonly (readonly [string, number, number, (alias: string) => Promise<Answer>])[] = [
  ['simplereenroll by user and code, without a client certificate', 403, 401, renewByCode],
  ['simplereenroll under another subject', 403, 400, async (alias) => await renewAs(alias, 'device-2')],
  [
    'simplereenroll with the same key where that is off',
    403,
    400,
    async (alias) => await renewAs(alias, 'device-1'),
  ],
  [
    'a missing client certificate beside right credentials',
    403,
    401,
    async (alias) => await enrol(alias, { suffix: '-both' }),
  ],
  ['a refusal by the CA', 403, 400, async (alias) => await enrol(alias, { suffix: '-rejected' })],
  ['a CA that is down', 503, 400, async (alias) => await enrol(alias, { suffix: '-down' })],
  [
    'an answer of the CA that makes no sense',
    502,
    400,
    async (alias) => await enrol(alias, { suffix: '-garbage' }),
  ],
  [
    'another media type of the request',
    415,
    200,
    async (alias) =>
      await enrol(alias, { headers: { Authorization: basic, 'Content-Type': 'application/est' } }),
  ],
  [
    'csrattrs',
    204,
    404,
    async (alias) => await send(`${gateway.url}/${alias}/csrattrs`, { ca: gateway.trustAnchor }),
  ],
];

describe.each(['rfc', 'ejbca'] as const)('compatibility: %s', (alias) => {
  it.each(differences)('decides the status of %s', async (_what, rfcStatus, ejbcaStatus, ask) => {
    expect((await ask(alias)).status).toBe(alias === 'rfc' ? rfcStatus : ejbcaStatus);
  });

  it('decides the form of errors', async () => {
    const answer = await enrol(alias, { headers: { Authorization: 'Basic eDp5' } });
    expect([answer.status, answer.headers['content-type']]).toEqual([
      401,
      alias === 'rfc' ? 'text/plain' : 'text/html',
    ]);
    const sentence = 'The user name or the enrolment code is wrong\\. \\(request [0-9a-f-]{36}\\)';
    const page = `<html><head><title>Error</title></head><body>${sentence}</body></html>`;
    expect(answer.body).toMatch(new RegExp(`^${alias === 'rfc' ? sentence : page}\n$`));
  });

  it.each([
    ['401 to a request without credentials', 401, async () => await enrol(alias, { headers: {} })],
    [
      'word that there are no csrattrs',
      alias === 'rfc' ? 204 : 404,
      async () => await send(`${gateway.url}/${alias}/csrattrs`, { ca: gateway.trustAnchor }),
    ],
  ])('A-02 gives a %s without body, which some clients close unread', async (_what, status, ask) => {
    const { headers, ...answer } = await ask();
    expect(answer).toMatchObject({ status, body: '' });
    expect(headers['content-type']).toBeUndefined();
    expect(headers['content-length']).toBe(status === 204 ? undefined : '0');
  });

  it.each([
    ['a wrong code', 401, async () => await enrol(alias, { headers: { Authorization: 'Basic eDp5' } })],
    [
      'an unknown operation',
      404,
      async () => await send(`${gateway.url}/${alias}/nothing`, { ca: gateway.trustAnchor }),
    ],
    ['an enrolment', 200, async () => await enrol(alias, {})],
    [
      'compressed bodies',
      415,
      async () => await enrol(alias, { headers: { Authorization: basic, 'Content-Encoding': 'gzip' } }),
    ],
  ])('leaves the status of %s as it is: %d', async (_what, status, ask) => {
    expect((await ask()).status).toBe(status);
  });

  it('A-02 gives every 401 a challenge', async () => {
    const answer = await enrol(`${alias}-both`, { headers: {} });
    const renewal = await renewByCode(alias);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
    expect(renewal.headers['www-authenticate']).toBe(
      alias === 'rfc' ? undefined : 'Basic realm="EST ejbca", charset="UTF-8"',
    );
  });
});

it('A-02 A-08 offers with a 401 of EJBCA what the alias offers, and nothing weaker', async () => {
  const { status, headers } = await enrol('ejbca', { suffix: '-digest', headers: {} });
  expect(status).toBe(401);
  expect(headers['www-authenticate']).toMatch(/^Digest realm="EST ejbca-digest", [^:]*charset="UTF-8"$/);
});

it('docs/compatibility.md names every difference that the alias can choose', () => {
  const page = readFileSync('docs/compatibility.md', 'utf8');
  for (const [what, rfcStatus, ejbcaStatus] of differences) {
    const line = page.split('\n').find((row) => row.startsWith(`| ${what} `));
    const cells = (line ?? '').split('|').map((cell) => cell.trim());
    expect([what, cells[2], cells[3]]).toEqual([what, String(rfcStatus), String(ejbcaStatus)]);
  }
});
