import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { hashCode } from '../../src/auth/code.ts';
import { addUser } from '../../src/cli/user.ts';
import { setDateAlone } from '../support/clock.ts';
import { exchangeRaw, send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import {
  basic,
  enrolDevice,
  enrolment,
  plainCsr,
  recordCertificate,
  type Device,
} from '../support/device.ts';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

let vendor: TestGateway;
let gateway: TestGateway;
let device: Device;
let foreign: Device;
beforeAll(async () => {
  vendor = await startTestGateway();
  const vendorCa = join(vendor.directory, 'vendor.pem');
  await writeFile(vendorCa, vendor.trustAnchor + vendor.issuingCertificate);
  const implicitTrustAnchors = [vendorCa];
  gateway = await startTestGateway({
    aliases: {
      certificate: { authentication: 'clientCertificate' },
      basic: { authentication: 'basic' },
      both: { authentication: 'both' },
      vendor: { authentication: 'clientCertificate', implicitTrustAnchors },
      bound: { policy: { names: 'identity' } },
      free: { policy: { names: 'any' } },
      down: { backend: 'mock', profile: 'down' },
    },
  });
  [device, foreign] = await Promise.all([
    enrolDevice(gateway, 'device-auth'),
    enrolDevice(vendor, 'vendor-device'),
  ]);
});
afterAll(async () => {
  await Promise.all([gateway.stop(), vendor.stop()]);
});

interface Shown {
  readonly headers?: Record<string, string>;
  readonly client?: Pick<Device, 'key' | 'cert'>;
}

async function enrol(
  alias: string,
  { headers = {}, client }: Shown,
  commonName = 'device-auth',
): Promise<Answer> {
  const csr = await plainCsr(commonName, await generateKeyPair('P-256'));
  const tls = client === undefined ? {} : { key: client.key, cert: client.cert };
  return await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...tls,
    ...enrolment(csr, headers),
  });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const withBasic = { Authorization: basic };
const wrongBasic = { Authorization: `Basic ${Buffer.from(`${user.name}:wrong`).toString('base64')}` };

describe('who may enrol, by alias', () => {
  it.each([
    ['est', 'nothing', 401, {}],
    ['est', 'user', 200, { headers: withBasic }],
    ['est', 'wrong user', 401, { headers: wrongBasic }],
    ['basic', 'nothing', 401, {}],
    ['basic', 'user', 200, { headers: withBasic }],
    ['certificate', 'nothing', 403, {}],
    ['certificate', 'user', 403, { headers: withBasic }],
    ['both', 'nothing', 401, {}],
    ['both', 'user', 403, { headers: withBasic }],
  ])('E-01 A-01 T-12: at %s, %s gets %d', async (alias, _what, status, shown: Shown) => {
    expect(await enrol(alias, shown)).toMatchObject({ status });
  });

  it.each([
    ['est', 'no user', 200, {}],
    ['est', 'a wrong code', 401, wrongBasic],
    ['basic', 'no user', 401, {}],
    ['certificate', 'no user', 200, {}],
    ['both', 'no user', 401, {}],
    ['both', 'a right code', 200, withBasic],
    ['both', 'a wrong code', 401, wrongBasic],
  ])('T-11 A-01: at %s, a certificate with %s gets %d', async (alias, _what, status, headers) => {
    expect(await enrol(alias, { headers, client: device })).toMatchObject({ status });
  });

  it('A-02 A-04 every 401 carries a challenge with a realm, and no 403 does', async () => {
    const refused = [
      await enrol('est', {}),
      await enrol('est', { headers: wrongBasic }),
      await enrol('both', { client: device }),
    ];
    for (const { headers } of refused)
      expect(headers['www-authenticate']).toMatch(/^Basic realm="EST \w+", charset="UTF-8"$/);
    expect((await enrol('certificate', {})).headers['www-authenticate']).toBeUndefined();
  });

  it('Z-01 asks who it is before it looks at type and body of a request', async () => {
    for (const operation of ['simpleenroll', 'simplereenroll']) {
      const answer = await send(`${gateway.url}/${operation}`, {
        method: 'POST',
        ca: gateway.trustAnchor,
        headers: { 'Content-Type': 'text/html', 'Content-Encoding': 'gzip' },
        body: 'no CSR',
      });
      expect(answer.status).toBe(401);
    }
  });

  it('A-03 sets no cookie', async () => {
    expect((await enrol('est', { headers: withBasic })).headers['set-cookie']).toBeUndefined();
  });

  it('S-39 answers the same to an unknown user and to a wrong code', async () => {
    const strange = { Authorization: `Basic ${Buffer.from('nobody:wrong').toString('base64')}` };
    const [unknown, wrong] = [
      await enrol('est', { headers: strange }),
      await enrol('est', { headers: wrongBasic }),
    ];
    expect(unknown.body.replace(/request .*/, '')).toBe(wrong.body.replace(/request .*/, ''));
  });

  it.each([
    ['A-04 another case of the scheme', `bAsIc ${basic.slice(6)}`, 200],
    ['V-56 no colon', `Basic ${Buffer.from('device').toString('base64')}`, 401],
    ['V-56 junk', 'Basic !!!', 401],
    ["A-06 V-56 another user's code without a name", `Basic ${base64(`:${user.code}`)}`, 401],
    ['V-56 nothing', 'Basic', 401],
    ['V-56 base64 without its padding', basic.replace(/=+$/, ''), 401],
    ['V-56 base64 with spare bits', basic.replace(/Q==$/, 'R=='), 401],
    ['V-56 base64 with a space inside', `${basic.slice(0, 10)} ${basic.slice(10)}`, 401],
    ['V-56 something after the code', `${basic}, x=y`, 401],
    ['V-56 a right code in base64 twice', `Basic ${base64(basic.slice(6))}`, 401],
    ['V-56 8 KB', `Basic ${base64(`device:${'a'.repeat(6000)}`)}`, 401],
    [
      'V-56 a control character',
      `Basic ${Buffer.from(`${user.name}:${user.code}\n`).toString('base64')}`,
      401,
    ],
    ['A-07 Latin-1', `Basic ${Buffer.from('device:caf\xe9', 'latin1').toString('base64')}`, 401],
    ['another scheme', 'Bearer abc', 401],
  ])('%s', async (_what, value, status) => {
    expect(await enrol('est', { headers: { Authorization: value } })).toMatchObject({ status });
  });

  it('A-06 takes a code without a name where there is such a user, and no name is a name', async () => {
    const code = 'nobody in particular';
    await addUser(gateway.store, { alias: 'basic', name: '', code, remainingUses: undefined });
    const enrolBy = (text: string) =>
      enrol('basic', { headers: { Authorization: `Basic ${base64(text)}` } }, 'nameless');
    expect((await enrolBy(`:${code}`)).status).toBe(200);
    expect((await enrolBy(code)).status).toBe(401);
    expect((await enrol('est', { headers: { Authorization: `Basic ${base64(`:${code}`)}` } })).status).toBe(
      401,
    );
    const lines = gateway.log.lines().join('\n');
    expect(lines).toContain('"identity":"code without a name","subject":"CN=nameless"');
    expect(lines).not.toContain(code);
  });

  it('A-05 splits at the first colon', async () => {
    await gateway.store.users.add({
      alias: 'est',
      name: 'colon',
      codeHash: await hashCode('p:q'),
      remainingUses: undefined,
      createdAt: new Date(),
    });
    const headers = { Authorization: `Basic ${Buffer.from('colon:p:q').toString('base64')}` };
    expect(await enrol('est', { headers }, 'colon')).toMatchObject({ status: 200 });
  });

  it('E-02 knows a user only at its own alias', async () => {
    await gateway.store.users.remove('down', user.name);
    expect(await enrol('down', { headers: withBasic })).toMatchObject({ status: 401 });
  });

  it('A-13 S-28 gives one certificate for a code that is good once, and the same one again', async () => {
    const codeHash = await hashCode('once');
    await gateway.store.users.add({
      alias: 'est',
      name: 'once',
      codeHash,
      remainingUses: 1,
      createdAt: new Date(),
    });
    const headers = { Authorization: `Basic ${Buffer.from('once:once').toString('base64')}` };
    const key = await generateKeyPair('P-256');
    const post = async (commonName: string): Promise<Answer> =>
      await send(`${gateway.url}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(await plainCsr(commonName, key), headers),
      });
    const first = await post('once-1');
    expect(first.status).toBe(200);
    expect((await post('once-1')).body).toBe(first.body);
    expect(await post('once-2')).toMatchObject({ status: 403, body: expect.stringContaining('used up') });
  });

  it('A-13 gives as many certificates as a code is good for, however many ask at once', async () => {
    await addUser(gateway.store, { alias: 'est', name: 'line', code: 'line', remainingUses: 2 });
    const headers = { Authorization: `Basic ${base64('line:line')}` };
    const answers = await Promise.all(
      Array.from({ length: 6 }, async (_, n) => await enrol('est', { headers }, `line-${n}`)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 403, 403, 403, 403]);
  });

  it('A-13 gives nothing new for an expired code, and the same again for what was asked in time', async () => {
    const lapsing = { alias: 'est', name: 'lapsing', code: 'lapsing', remainingUses: undefined };
    await addUser(gateway.store, { ...lapsing, expiresAt: new Date(Date.now() + 60_000) });
    const key = await generateKeyPair('P-256');
    const post = async (commonName: string): Promise<Answer> =>
      await send(`${gateway.url}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(await plainCsr(commonName, key), {
          Authorization: `Basic ${base64('lapsing:lapsing')}`,
        }),
      });
    const first = await post('lapsing-1');
    expect(first.status).toBe(200);
    setDateAlone(Date.now() + 61_000);
    try {
      expect((await post('lapsing-1')).body).toBe(first.body);
      expect(await post('lapsing-2')).toMatchObject({
        status: 403,
        body: expect.stringContaining('has expired'),
      });
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('client certificates (RFC 7030, section 3.3.2)', () => {
  it('T-14 T-15 E-13 takes a vendor certificate where the alias names the vendor, and nowhere else', async () => {
    expect(await enrol('vendor', { client: foreign })).toMatchObject({ status: 200 });
    expect(await enrol('certificate', { client: foreign })).toMatchObject({ status: 403 });
    expect(await enrol('est', { client: foreign })).toMatchObject({ status: 403 });
  });

  it('T-14 says in the log which kind of anchor the certificate led to', async () => {
    await enrol('vendor', { client: foreign }, 'by-vendor');
    await enrol('free', { client: device }, 'by-own');
    const kindOf = (subject: string) =>
      gateway.log.entries.find(({ fields }) => fields['subject'] === subject)?.fields['trustAnchor'];
    expect([kindOf('CN=by-vendor'), kindOf('CN=by-own')]).toEqual(['implicit', 'explicit']);
  });

  it('R-11 Z-03 renews no vendor certificate', async () => {
    const answer = await send(`${gateway.url}/vendor/simplereenroll`, {
      ca: gateway.trustAnchor,
      key: foreign.key,
      cert: foreign.cert,
      ...enrolment(await plainCsr('vendor-device', foreign.keyPair)),
    });
    expect(answer).toMatchObject({ status: 403 });
  });

  it.each([
    ['expired', '-not_before 20200101000000Z -not_after 20210101000000Z', ''],
    ['not yet valid', '-not_before 20400101000000Z -not_after 20410101000000Z', ''],
    ['for servers alone', '', 'extendedKeyUsage=serverAuth'],
    ['with an unknown critical extension', '', '1.2.3.4=critical,ASN1:NULL'],
    ['not for signatures', '', 'keyUsage=critical,keyAgreement'],
  ])('T-13 V-53 refuses a certificate of the CA that is %s', async (_fault, dates, extensions) => {
    const client = await forge(dates, extensions, gateway);
    expect(await enrol('certificate', { client })).toMatchObject({ status: 403 });
  });

  it('takes a certificate of the CA that it did not issue itself', async () => {
    expect(
      await enrol('free', { client: await forge('', 'extendedKeyUsage=clientAuth', gateway) }),
    ).toMatchObject({
      status: 200,
    });
  });

  it('T-13 V-53 refuses a self-signed certificate with the name of the CA', async () => {
    const keyFile = { 'key.pem': (await forge('', '', gateway)).key };
    const cert = await openssl('req -new -x509 -key key.pem -subj /CN=self -days 30', keyFile);
    expect(await enrol('certificate', { client: { key: keyFile['key.pem'], cert } })).toMatchObject({
      status: 403,
    });
  });

  it('E-12 lets users and foreign certificates ask for any name, a certificate of the CA for its own', async () => {
    expect(await enrol('est', { headers: withBasic }, 'another')).toMatchObject({ status: 200 });
    expect(await enrol('vendor', { client: foreign }, 'another')).toMatchObject({ status: 200 });
    expect(await enrol('est', { client: device }, 'another')).toMatchObject({ status: 403 });
    expect(await enrol('est', { client: device }, 'device-auth')).toMatchObject({ status: 200 });
  });

  it('E-12 lets every client ask for any name, or only for its own, where the alias says so', async () => {
    expect(await enrol('free', { client: device }, 'another')).toMatchObject({ status: 200 });
    expect(await enrol('bound', { client: device }, 'another')).toMatchObject({ status: 403 });
    expect(await enrol('bound', { client: device }, 'device-auth')).toMatchObject({ status: 200 });
    expect(await enrol('bound', { headers: withBasic }, user.name)).toMatchObject({ status: 200 });
    expect(await enrol('bound', { headers: withBasic }, 'another')).toMatchObject({ status: 403 });
  });

  it('X-05 takes no certificate from a header field', async () => {
    const pem = device.cert.replaceAll('\n', ' ');
    const names = [
      'Client-Cert',
      'X-SSL-Client-Cert',
      'ssl-client-cert',
      'X-Forwarded-Client-Cert',
      'X-Client-Cert',
    ];
    for (const field of names) {
      expect(await enrol('certificate', { headers: { [field]: pem } })).toMatchObject({ status: 403 });
    }
  });
});

it('S-30 S-31 logs identity and outcome of each request, and never a code', async () => {
  await enrol('est', { headers: withBasic }, 'logged');
  await enrol('certificate', {});
  const lines = gateway.log.lines().join('\n');
  expect(lines).toContain('"identity":"device","subject":"CN=logged"');
  expect(lines).toContain('"outcome":"client_certificate_missing"');
  expect(lines).not.toContain(user.code);
  expect(lines).not.toContain(basic.slice(6));
});

it('C-01 T-12 needs no credentials for cacerts, and is not troubled by wrong ones', async () => {
  const get = (headers: OutgoingHttpHeaders) =>
    send(`${gateway.url}/cacerts`, { ca: gateway.trustAnchor, headers });
  expect(await get({})).toMatchObject({ status: 200 });
  expect(await get(wrongBasic)).toMatchObject({ status: 200 });
  const raw = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
  const options = { port: gateway.port, ca: gateway.trustAnchor, key: foreign.key, cert: foreign.cert };
  expect(await exchangeRaw(options, raw)).toMatch(/^HTTP\/1\.1 200 /);
});

/** A client certificate that openssl makes with the gateway's own CA key, as if the CA had issued it. */
async function forge(dates: string, extensions: string, issuer: TestGateway) {
  const { issuingKey, issuingCertificate, passphrase } = issuer;
  const key = await openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256');
  const files = {
    'key.pem': key,
    'ca.key': issuingKey,
    'ca.pem': issuingCertificate,
    'ca.cnf': caConfiguration(extensions),
    'index.txt': '',
    serial: `7${randomBytes(8).toString('hex')}0\n`,
  };
  const request = await openssl('req -new -key key.pem -subj /CN=forged', files);
  const when =
    dates === '' ? '-days 30' : dates.replace('not_before', 'startdate').replace('not_after', 'enddate');
  const cert = await openssl(
    `ca -batch -notext -config ca.cnf -in req.pem -keyfile ca.key -cert ca.pem -passin pass:${passphrase} ${when} -extensions ext -outdir .`,
    { ...files, 'req.pem': request },
  );
  const [pem = ''] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(cert) ?? [];
  await recordCertificate(issuer, pem);
  return { key, cert: pem };
}

function caConfiguration(extensions: string): string {
  return [
    '[ca]',
    'default_ca = ca_default',
    '[ca_default]',
    'database = index.txt',
    'serial = serial',
    'default_md = sha256',
    'policy = any',
    'unique_subject = no',
    '[any]',
    'commonName = supplied',
    '[ext]',
    'subjectKeyIdentifier = hash',
    extensions,
    '',
  ].join('\n');
}

it('A-07 compares names and codes in one Unicode form', async () => {
  const decomposed = { name: 'ge\u0301rant', code: 'cafe\u0301' };
  await addUser(gateway.store, { alias: 'est', remainingUses: undefined, ...decomposed });
  const composed = `${decomposed.name.normalize('NFC')}:${decomposed.code.normalize('NFC')}`;
  for (const text of [composed, `${decomposed.name}:${decomposed.code}`]) {
    const headers = { Authorization: `Basic ${Buffer.from(text).toString('base64')}` };
    expect(await enrol('est', { headers })).toMatchObject({ status: 200 });
  }
});
