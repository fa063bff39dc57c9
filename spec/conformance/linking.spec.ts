import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { addUser } from '../../src/cli/user.ts';
import { readToEnd, send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  id,
  name,
  printableString,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { enrolDevice, enrolment, enrolWithBasic, plainCsr, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import {
  bindingOf,
  connectWith,
  enrolmentRequest,
  enrolOver,
  linkedBy,
  sessionAfter401,
  type LinkedEnrolment,
} from '../support/linking-client.ts';
import { itWithOwnCa } from '../support/own-ca.ts';

const otpChallenge = '1.2.840.113549.1.9.16.2.56';
const revocationChallenge = '1.2.840.113549.1.9.16.2.57';

let gateway: TestGateway;
let device: Device;
beforeAll(async () => {
  gateway = await startTestGateway({
    aliases: {
      linked: { policy: { linking: 'required' } },
      mock: { backend: 'mock', profile: 'issue' },
      pending: { backend: 'mock', profile: 'pending' },
      otp: { authentication: 'clientCertificate', policy: { otpChallenge: 'required', names: 'any' } },
      both: { policy: { otpChallenge: 'required', linking: 'required' } },
    },
  });
  device = await enrolDevice(gateway, 'linked');
});
afterAll(async () => {
  await gateway.stop();
});

const text = (socket: TLSSocket): string => bindingOf(socket).toString('base64');
const password = (value: string): Buffer => attribute(id.challengePassword, utf8String(value));
const identityLinking = (value: string): Buffer => attribute(id.estIdentityLinking, utf8String(value));

const ok = /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/;
const badRequest = /^HTTP\/1\.1 400 [^]*linking/;

async function enrolWith(attributes: readonly Buffer[]): Promise<Answer> {
  const key = await generateKeyPair('P-256');
  const csr = await certificationRequest({
    key,
    subject: name([id.commonName, utf8String('linked')]),
    attributes,
  });
  return await send(`${gateway.url}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...{ key: device.key, cert: device.cert },
    ...enrolment(csr),
  });
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('linking (RFC 7030, section 3.5) over %s', (version) => {
  it.each([
    ['challengePassword', (value: string) => [password(value)]],
    ['estIdentityLinking', (value: string) => [identityLinking(value)]],
    ['both', (value: string) => [password(value), identityLinking(value)]],
    ['a PrintableString', (value: string) => [attribute(id.challengePassword, printableString(value))]],
    ['an IA5String', (value: string) => [attribute(id.challengePassword, tlv(0x16, Buffer.from(value)))]],
  ])(
    'E-03 T-20 L-04 L-06 L-08 L-12 L-15 L-18 takes the binding as %s, and then closes',
    async (_form, attributes) => {
      const socket = await connectWith(gateway, version);
      expect(await enrolOver(socket, attributes(text(socket)))).toMatch(ok);
    },
  );

  it.each([
    ['the binding of another connection', (_own: string, other: string) => [password(other)]],
    [
      'one right attribute and one wrong',
      (own: string, other: string) => [password(own), identityLinking(other)],
    ],
    [
      'one wrong attribute and one right',
      (own: string, other: string) => [password(other), identityLinking(own)],
    ],
    ['no base64', (own: string) => [password(Buffer.from(own, 'base64').toString('hex'))]],
    ['white space in the base64', (own: string) => [password(`${own}\n`)]],
  ])('E-03 L-01 L-18 V-28 refuses %s, though linking is optional', async (_what, attributes) => {
    const [socket, other] = [await connectWith(gateway, version), await connectWith(gateway, version)];
    expect(await enrolOver(socket, attributes(text(socket), text(other)))).toMatch(badRequest);
    other.destroy();
  });

  it('L-01 takes an empty challengePassword, as tools write it that ask a person for one, for none', async () => {
    const socket = await connectWith(gateway, version);
    expect(await enrolOver(socket, [password('')])).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it.each([
    ['without it', []],
    ['with an empty one', [password('')]],
  ])('L-02 refuses a CSR %s where it is required, and says so', async (_what, attributes) => {
    const socket = await connectWith(gateway, version);
    expect(await enrolOver(socket, attributes, { alias: 'linked' })).toMatch(badRequest);
    const linked = await connectWith(gateway, version);
    expect(await enrolOver(linked, linkedBy(linked), { alias: 'linked' })).toMatch(ok);
  });

  it('L-02 requires it of a renewal, too', async () => {
    const renewal: LinkedEnrolment = { alias: 'linked', operation: 'simplereenroll', key: device.keyPair };
    const credentials = { key: device.key, cert: device.cert };
    const socket = await connectWith(gateway, version, credentials);
    expect(await enrolOver(socket, [], renewal)).toMatch(badRequest);
    const linked = await connectWith(gateway, version, credentials);
    expect(await enrolOver(linked, linkedBy(linked), renewal)).toMatch(ok);
  });

  it('L-12 uses a binding for one request only', async () => {
    const socket = await connectWith(gateway, version);
    const requests = await Promise.all(
      ['first', 'second'].map((commonName) => enrolmentRequest(linkedBy(socket), { commonName })),
    );
    socket.write(requests.join(''));
    expect((await readToEnd(socket)).match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    const subjects = (await gateway.store.enrollments.list(10)).map(({ subject }) => subject);
    expect(subjects).toContain('CN=first');
    expect(subjects).not.toContain('CN=second');
  });

  it('L-11 P-05 takes a CSR that was rebuilt for a new connection for the same request', async () => {
    const key = await generateKeyPair('P-256');
    const parts: LinkedEnrolment = { alias: 'pending', commonName: 'rebuilt', key };
    const answers: string[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const socket = await connectWith(gateway, version);
      answers.push(await enrolOver(socket, linkedBy(socket), parts));
    }
    expect(answers.map((answer) => answer.slice(9, 12))).toEqual(['202', '202', '200']);
    expect(answers[0]).toMatch(/\r\nConnection: close\r\n/);
  });

  it('L-13 tells the CA backend', async () => {
    const socket = await connectWith(gateway, version);
    await enrolOver(socket, linkedBy(socket), { alias: 'mock' });
    const asked = (): unknown =>
      gateway.log.entries.findLast(({ message }) => message.startsWith('The mock CA'))?.fields;
    expect(asked()).toMatchObject({ linked: true });
    await enrolWithBasic(gateway, await plainCsr('unlinked', await generateKeyPair('P-256')), 'mock');
    expect(asked()).toMatchObject({ linked: false });
  });
});

describe('tls-unique of TLS 1.2 (RFC 5929, section 3)', () => {
  const withoutExtendedMasterSecret = { secureOptions: 1 };

  it('L-04 L-05 is the Finished message of the client after a full handshake: 16 characters', async () => {
    const socket = await connectWith(gateway, 'TLSv1.2');
    expect(text(socket)).toBe(socket.getFinished()?.toString('base64'));
    expect(text(socket)).toHaveLength(16);
    expect(await enrolOver(socket, [password(text(socket))], { alias: 'linked' })).toMatch(ok);
    const server = await connectWith(gateway, 'TLSv1.2');
    const wrong = server.getPeerFinished()?.toString('base64') ?? '';
    expect(await enrolOver(server, [password(wrong)])).toMatch(badRequest);
  });

  it('L-05 is that of the server in a resumed session, as libest resumes after the 401', async () => {
    const session = await sessionAfter401(gateway);
    const socket = await connectWith(gateway, 'TLSv1.2', { session });
    expect(socket.isSessionReused()).toBe(true);
    expect(text(socket)).toBe(socket.getPeerFinished()?.toString('base64'));
    expect(await enrolOver(socket, linkedBy(socket), { alias: 'linked' })).toMatch(ok);
  });

  it('L-05 is not that of the client in a resumed session', async () => {
    const socket = await connectWith(gateway, 'TLSv1.2', { session: await sessionAfter401(gateway) });
    expect(socket.isSessionReused()).toBe(true);
    expect(await enrolOver(socket, [password(socket.getFinished()?.toString('base64') ?? '')])).toMatch(
      badRequest,
    );
  });

  it('L-10 is no binding in a resumed session without the extended master secret', async () => {
    const full = await connectWith(gateway, 'TLSv1.2', withoutExtendedMasterSecret);
    expect(await enrolOver(full, linkedBy(full))).toMatch(ok);
    const session = await sessionAfter401(gateway, withoutExtendedMasterSecret);
    const resumed = await connectWith(gateway, 'TLSv1.2', { session, ...withoutExtendedMasterSecret });
    expect(resumed.isSessionReused()).toBe(true);
    expect(await enrolOver(resumed, linkedBy(resumed))).toMatch(badRequest);
  });
});

describe('tls-exporter of TLS 1.3 (RFC 9266)', () => {
  it('L-06 L-07 L-08 is what openssl exports: 44 characters', async () => {
    const words = `s_client -connect localhost:${gateway.port} -servername localhost -tls1_3 -ign_eof`;
    const exporting = `-CAfile ${join(gateway.directory, 'root.pem')} -keymatexport EXPORTER-Channel-Binding -keymatexportlen 32`;
    const client = spawn('openssl', `${words} ${exporting}`.split(' '));
    let output = '';
    const material = new Promise<Buffer>((resolve) => {
      client.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString('latin1');
        const [, hex] = /Keying material: ([0-9A-F]{64})\n/.exec(output) ?? [];
        if (hex !== undefined) resolve(Buffer.from(hex, 'hex'));
      });
    });
    const value = (await material).toString('base64');
    expect(value).toHaveLength(44);
    client.stdin.write(
      await enrolmentRequest([password(value)], { alias: 'linked', commonName: 'exported' }),
    );
    await once(client, 'close');
    expect(output).toMatch(/HTTP\/1\.1 200 /);
  });

  it('L-06 is not a Finished message, which Node still gives', async () => {
    for (const finished of ['getFinished', 'getPeerFinished'] as const) {
      const socket = await connectWith(gateway, 'TLSv1.3');
      const value = socket[finished]()?.toString('base64') ?? '';
      expect(value).toHaveLength(64);
      expect(await enrolOver(socket, [password(value)])).toMatch(badRequest);
    }
  });

  it('L-20 is not taken as base64 whose unused bits are not zero', async () => {
    const socket = await connectWith(gateway, 'TLSv1.3');
    const value = text(socket);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const twin = value.slice(0, 42) + alphabet.charAt(alphabet.indexOf(value.charAt(42)) + 1) + '=';
    expect(Buffer.from(twin, 'base64').equals(bindingOf(socket))).toBe(true);
    expect(await enrolOver(socket, [password(twin)])).toMatch(badRequest);
  });
});

it('L-19 refuses a secret of SCEP in challengePassword with a clear text, and does not log it', async () => {
  const answer = await enrolWith([password('hunter2-secret')]);
  expect(answer).toMatchObject({ status: 400 });
  expect(answer.body).toContain('is not the channel binding of this TLS session');
  expect(answer.body + gateway.log.lines().join('\n')).not.toContain('hunter2');
});

describe('challenges in csrattrs', () => {
  const csrattrs = async (alias: string): Promise<Buffer> =>
    Buffer.from((await send(`${gateway.url}/${alias}/csrattrs`, { ca: gateway.trustAnchor })).body, 'base64');
  const challengePasswordOid = Buffer.from('06092a864886f70d010907', 'hex');
  const rfc7894 = (last: number): Buffer =>
    Buffer.from(`060b2a864886f70d01091002${last.toString(16)}`, 'hex');

  it('L-03 L-16 Q-07 names challengePassword and estIdentityLinking where linking is required', async () => {
    const linked = await csrattrs('linked');
    expect([linked.includes(challengePasswordOid), linked.includes(rfc7894(58))]).toEqual([true, true]);
    expect(linked.includes(rfc7894(56))).toBe(false);
    expect(await csrattrs('est')).toHaveLength(0);
  });

  it('L-16 names otpChallenge where it is used, beside the others', async () => {
    expect((await csrattrs('otp')).equals(Buffer.concat([Buffer.of(0x30, 13), rfc7894(56)]))).toBe(true);
    const both = await csrattrs('both');
    expect([56, 58].every((last) => both.includes(rfc7894(last)))).toBe(true);
    expect(both.includes(challengePasswordOid)).toBe(true);
  });
});

describe('otpChallenge (RFC 7894, section 3.1)', () => {
  const code = 'one-time-code';
  const otp = (value: string, encode = utf8String): Buffer => attribute(otpChallenge, encode(value));
  const addOneTimeUser = async (userName: string, alias = 'otp'): Promise<void> => {
    await addUser(gateway.store, { alias, name: userName, code, remainingUses: 1 });
  };
  async function enrolAs(commonName: string, attributes: readonly Buffer[], key = generateKeyPair('P-256')) {
    const subject = name([id.commonName, utf8String(commonName)]);
    const csr = await certificationRequest({ key: await key, subject, attributes });
    const credentials = { ca: gateway.trustAnchor, key: device.key, cert: device.cert };
    return await send(`${gateway.url}/otp/simpleenroll`, { ...credentials, ...enrolment(csr) });
  }

  itWithOwnCa('L-15 takes the code of the user that the commonName names, once', async () => {
    await addOneTimeUser('otp-1');
    const key = generateKeyPair('P-256');
    const answer = await enrolAs('otp-1', [otp(code)], key);
    expect(answer).toMatchObject({ status: 200 });
    expect((await enrolAs('otp-1', [otp(code, printableString)], key)).body).toBe(answer.body);
    const again = await enrolAs('otp-1', [otp(code)]);
    expect(again).toMatchObject({ status: 403 });
    expect(again.body).toContain('used up');
  });

  itWithOwnCa('refuses a CSR without a code, with a wrong one, or with that of another user', async () => {
    await addOneTimeUser('otp-2');
    expect((await enrolAs('otp-2', [])).body).toContain('otpChallenge');
    for (const [commonName, value] of [
      ['otp-2', 'wrong'],
      ['otp-3', code],
      ['otp-2', ''],
    ] as const) {
      expect(await enrolAs(commonName, [otp(value)])).toMatchObject({ status: 403 });
    }
    expect(await enrolAs('otp-2', [otp(code)])).toMatchObject({ status: 200 });
    expect(gateway.log.lines().join('\n')).not.toContain(code);
  });

  it('does not want a code of a device that renews', async () => {
    const { key, cert, keyPair } = device;
    const csr = await plainCsr('linked', keyPair);
    const tls = { ca: gateway.trustAnchor, key, cert };
    const renewed = await send(`${gateway.url}/otp/simplereenroll`, { ...tls, ...enrolment(csr) });
    expect(renewed).toMatchObject({ status: 200 });
  });

  itWithOwnCa('L-17 must be right beside a right binding, which must be right beside it', async () => {
    const right = otp('correct-horse-battery');
    const cases: readonly (readonly [RegExp, (socket: TLSSocket) => readonly Buffer[]])[] = [
      [ok, (socket) => [...linkedBy(socket), right]],
      [/^HTTP\/1\.1 403 /, (socket) => [...linkedBy(socket), otp('wrong')]],
      [/^HTTP\/1\.1 403 /, (socket) => [...linkedBy(socket)]],
      [badRequest, () => [password('wrong'), right]],
      [badRequest, () => [right]],
    ];
    for (const [expected, attributes] of cases) {
      const socket = await connectWith(gateway, 'TLSv1.3');
      expect(await enrolOver(socket, attributes(socket), { alias: 'both' })).toMatch(expected);
    }
  });

  it.each([
    ['otpChallenge', otpChallenge],
    ['revocationChallenge', revocationChallenge],
  ])('L-17 refuses a %s that nobody would verify', async (attributeName, oid) => {
    const answer = await enrolWith([attribute(oid, utf8String('secret-value'))]);
    expect(answer).toMatchObject({ status: 403 });
    expect(answer.body).toContain(`The attribute ${attributeName} is not used here`);
    expect(gateway.log.lines().join('\n')).not.toContain('secret-value');
  });
});
