import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateCode } from '../../src/auth/made-code.ts';
import { refusedUser } from '../../src/auth/tried-user.ts';
import type { LogEntry } from '../../src/ops/log.ts';
import { exchangeRaw, send, type Answer } from '../support/client.ts';
import { caConstraints, named } from '../support/certificate.ts';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  keyPair,
  subjectAltName,
} from '../support/csr.ts';
import { basic, enrolDevice, enrolment, issueByHand, plainCsr, type Device } from '../support/device.ts';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let csr: Buffer;
beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: {
      certificate: { authentication: 'clientCertificate' },
      pending: { backend: 'mock', profile: 'pending' },
      digest: { authentication: 'basic', httpAuthentication: ['digest-SHA-256', 'basic'] },
      ejbca: { backend: 'mock', profile: 'down', compatibility: 'ejbca' },
    },
    limits: { wrongCodes: 100 },
  });
  csr = await plainCsr('device-log', await keyPair('P-256'));
});
afterAll(async () => {
  await gateway.stop();
});

interface Shown {
  readonly alias?: string;
  readonly operation?: string;
  readonly authorization?: string;
  readonly device?: Device;
  readonly body?: Buffer;
}

async function post({
  alias = 'est',
  operation = 'simpleenroll',
  authorization,
  device,
  body = csr,
}: Shown): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/${operation}`, {
    ca: gateway.trustAnchor,
    ...(device && { key: device.key, cert: device.cert }),
    ...enrolment(body, authorization === undefined ? {} : { Authorization: authorization }),
  });
}

const login = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const none: LogEntry = { level: 'debug', message: 'none', fields: {} };
const lastLine = (): LogEntry =>
  gateway.log.entries.filter(({ message }) => message === 'request').at(-1) ?? none;

describe('the level of a request', () => {
  it.each<[string, Shown, string, string]>([
    ['no credentials yet', {}, 'info', 'unauthenticated'],
    ['a wrong code', { authorization: login(`${user.name}:wrong`) }, 'warn', 'wrong_credentials'],
    ['credentials of another scheme', { authorization: 'Bearer x' }, 'warn', 'wrong_credentials'],
    ['no client certificate', { alias: 'certificate' }, 'warn', 'client_certificate_missing'],
    ['an unknown alias', { alias: 'nobody' }, 'info', 'unknown_alias'],
    ['an unknown operation', { operation: 'wp-login.php' }, 'info', 'unknown_operation'],
    [
      'a malformed CSR',
      { authorization: basic, body: Buffer.from('0500', 'hex') },
      'info',
      'bad_certification_request',
    ],
    ['a request that waits', { alias: 'pending', authorization: basic }, 'info', 'accepted'],
    [
      'a CA that is down, whatever status EJBCA has for it',
      { alias: 'ejbca', authorization: basic },
      'error',
      'ca_unavailable',
    ],
    ['a certificate', { authorization: basic }, 'info', 'ok'],
  ])('S-42 of %s', async (_what, shown, level, outcome) => {
    await post(shown);
    expect(lastLine()).toMatchObject({ level, fields: { outcome } });
  });

  it('S-42 of credentials of Digest that are wrong, with the name', async () => {
    const field = 'username="a", realm="EST digest", nonce="old", uri="/.well-known/est/digest/simpleenroll"';
    const rest = `nc=00000001, cnonce="x", response="${'0'.repeat(64)}", algorithm=SHA-256`;
    await post({ alias: 'digest', authorization: `Digest ${field}, qop=auth, ${rest}` });
    expect(lastLine()).toMatchObject({
      level: 'warn',
      fields: { outcome: 'wrong_credentials', triedUser: 'a' },
    });
  });
});

describe('for whom a refused request was', () => {
  const names = ['dNSName=log.example', 'iPAddress=192.0.2.7'];

  it('S-42 is said of what the policy refuses, and of what cannot be read to its end', async () => {
    const extensions = [
      subjectAltName(generalName(2, 'log.example'), generalName(7, Buffer.of(192, 0, 2, 7))),
    ];
    const asked = { subject: named('refused'), extensions };
    const requests = [
      await certificationRequest({ ...asked, extensions: [...extensions, caConstraints()] }),
      await certificationRequest({ ...asked, mutateSignature: (octets) => octets.fill(0, 8) }),
      await certificationRequest({ ...asked, key: await keyPair('RSA-1024') }),
    ];
    for (const body of requests) {
      await post({ authorization: basic, body });
      expect(lastLine()).toMatchObject({
        fields: { identity: 'device', subject: 'CN=refused', subjectAltName: names.join(', ') },
      });
    }
  });
});

describe('who was refused', () => {
  it.each([
    [`${user.name}:wrong`, { user: user.name }],
    ['sensor-17:wrong', { triedUser: 'sensor-17' }],
    ['anna@plant.example:wrong', { triedUser: 'anna@plant.example' }],
    [`${user.code}:`, { triedUser: `not shown, it may be a code: ${user.code.length} characters` }],
    [`${generateCode()}:wrong`, { triedUser: 'not shown, it may be a code: 35 characters' }],
    ['Tr0ubador:x', { triedUser: 'not shown, it may be a code: 9 characters' }],
    ['a\u202eb:x', { triedUser: 'not shown, it may be a code: 3 characters' }],
    ['hunter2!:x', { triedUser: 'not shown, it may be a code: 8 characters' }],
  ])('S-31 S-42 is named by %j', async (text, fields) => {
    await post({ authorization: login(text) });
    const line = lastLine();
    expect(line.fields).toMatchObject({ outcome: 'wrong_credentials', ...fields });
    expect(Object.keys(line.fields).filter((name) => /user$/i.test(name))).toEqual(Object.keys(fields));
  });

  it('S-31 no made code is ever shown as a name, however it is written', () => {
    for (let n = 0; n < 200; n += 1) {
      const code = generateCode();
      for (const name of [code, code.toLowerCase(), code.replaceAll('-', ''), code.slice(0, 17)]) {
        for (const state of ['wrong', 'unknown'] as const)
          expect(JSON.stringify(refusedUser({ state }, { name, code: 'x' }))).not.toContain(name);
      }
    }
  });

  it.each<[string, () => Promise<Device>, string]>([
    [
      'expired',
      async () => await issueByHand(gateway, { subject: named('old'), notAfter: '20200102000000Z' }),
      'expired',
    ],
    [
      'not yet valid',
      async () =>
        await issueByHand(gateway, {
          subject: named('early'),
          notBefore: '20900101000000Z',
          notAfter: '20910101000000Z',
        }),
      'not_yet_valid',
    ],
  ])('S-07 S-42 is a certificate that is %s', async (_what, make, certificateFault) => {
    await post({ device: await make() });
    expect(lastLine()).toMatchObject({
      level: 'warn',
      fields: {
        outcome: 'forbidden',
        certificateFault,
        refusedCertificate: expect.stringMatching(/^CN=.*serial number [0-9a-f]+, issued by/),
      },
    });
  });

  it('S-07 S-42 is a certificate of nobody, or a revoked one', async () => {
    const foreign = await startTestGateway();
    const stranger = await issueByHand(foreign, { subject: named('stranger'), issuer: named('Nobody CA') });
    await foreign.stop();
    await post({ device: stranger });
    expect(lastLine()).toMatchObject({ level: 'warn', fields: { certificateFault: 'unknown_issuer' } });
    const device = await enrolDevice(gateway, 'device-revoked');
    const { serialNumber } = lastLine().fields;
    await gateway.store.certificates.revoke(gateway.ca, String(serialNumber), 'superseded', new Date());
    await post({ device });
    expect(lastLine()).toMatchObject({ level: 'warn', fields: { certificateFault: 'revoked' } });
  });
});

describe('an answer that is repeated', () => {
  it('E-22 names its certificate again', async () => {
    const body = await plainCsr('device-again', await generateKeyPair('P-256'));
    await post({ authorization: basic, body });
    const { serialNumber } = lastLine().fields;
    await post({ authorization: basic, body });
    expect(serialNumber).toMatch(/^[0-9a-f]{2,}$/);
    expect(lastLine()).toMatchObject({ fields: { repeated: true, serialNumber } });
  });
});

it('S-30 S-31 no line holds what was sent beside names', async () => {
  const answer = await exchangeRaw(
    { port: gateway.port, ca: gateway.trustAnchor },
    `GET /.well-known/est/x%0a%7b%22level%22:1/cacerts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  const lines = gateway.log.lines();
  expect(lines.every((line) => /^[ -~]+$/.test(line))).toBe(true);
  expect(lines.join()).not.toContain(user.code);
});
