import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { hashCode } from '../../src/auth/code.ts';
import type { HeldRequest } from '../../src/store/store.ts';
import { openTls, readToEnd, send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generalName,
  generateKeyPair,
  id,
  name,
  objectIdentifier,
  sequence,
  subjectAltName,
  utf8String,
  type CertificationRequestParts,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  type Device,
} from '../support/device.ts';
import { startTestGateway, user, type TestGateway, type TestGatewayOptions } from '../support/gateway.ts';

/** A second CA with the key of the first one, whose profiles want approval. */
const approving = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  retryAfter: 7,
  profiles: { renewable: { approval: 'newNames' }, guarded: { approval: 'all' } },
};

const options: TestGatewayOptions = {
  backends: { approving },
  aliases: {
    renewable: { backend: 'approving', profile: 'renewable' },
    guarded: { backend: 'approving', profile: 'guarded', policy: { names: 'any' } },
    keys: { backend: 'approving', profile: 'guarded', serverKeyGeneration: {} },
    strict: { backend: 'approving', profile: 'guarded', policy: { names: 'identity' } },
  },
};

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway(options);
});
afterAll(async () => {
  await gateway.stop();
});

const never = new Date(0);

/** The requests of a subject that wait for a decision. */
async function waiting(commonName: string, at = gateway): Promise<readonly HeldRequest[]> {
  const undecided = await at.store.heldRequests.undecided(at.ca, never);
  return undecided.filter(({ subject }) => subject === `CN=${commonName}`);
}

async function approve(commonName: string, at = gateway): Promise<void> {
  for (const { reference } of await waiting(commonName, at)) {
    await at.store.heldRequests.decide(at.ca, reference, { state: 'approved' }, never);
  }
}

async function issued(commonName: string): Promise<number> {
  const certificates = await gateway.store.certificates.list(gateway.ca);
  return certificates.filter(({ subject }) => subject === `CN=${commonName}`).length;
}

async function enrolAs(device: Device, operation: string, csr: Buffer): Promise<Answer> {
  const { key, cert } = device;
  return await send(`${gateway.url}/${operation}`, {
    ca: gateway.trustAnchor,
    key,
    cert,
    ...enrolment(csr),
  });
}

/** HTTP Basic of a user that the alias gets. */
async function addUser(at: TestGateway, alias: string, userName: string): Promise<string> {
  const codeHash = await hashCode(user.code);
  const createdAt = new Date();
  await at.store.users.add({ alias, name: userName, codeHash, remainingUses: undefined, createdAt });
  return `Basic ${Buffer.from(`${userName}:${user.code}`).toString('base64')}`;
}

async function post(at: TestGateway, alias: string, csr: Buffer, authorization: string): Promise<Answer> {
  const headers = { Authorization: authorization };
  return await send(`${at.url}/${alias}/simpleenroll`, { ca: at.trustAnchor, ...enrolment(csr, headers) });
}

describe('A request that waits for approval (RFC 7030, section 4.2.3)', () => {
  it('E-14 P-01 P-02 P-03 P-07 is answered with 202 and Retry-After, early repeats too, and waits once', async () => {
    const csr = await plainCsr('p-01', await generateKeyPair('P-256'));
    for (const answer of [
      await enrolWithBasic(gateway, csr, 'guarded'),
      await enrolWithBasic(gateway, csr, 'guarded'),
    ]) {
      expect(answer).toMatchObject({
        status: 202,
        headers: { 'retry-after': '7', 'content-length': '0' },
        body: '',
      });
      expect(answer.headers.location).toBeUndefined();
    }
    expect(await waiting('p-01')).toHaveLength(1);
    const lines = gateway.log.entries.filter(({ message }) => message === 'A request waits for approval.');
    expect(lines.filter(({ fields }) => fields['subject'] === 'CN=p-01')).toHaveLength(1);
  });

  it('V-60 P-04 P-05 P-08 is known after a restart by a repeat that is signed anew, and is issued once', async () => {
    const key = await generateKeyPair('P-256');
    expect((await enrolWithBasic(gateway, await plainCsr('p-04', key), 'guarded')).status).toBe(202);
    await gateway.restart();
    expect((await enrolWithBasic(gateway, await plainCsr('p-04', key), 'guarded')).status).toBe(202);
    expect(await waiting('p-04')).toHaveLength(1);
    await approve('p-04');
    expect(await issued('p-04')).toBe(0);
    await gateway.restart();
    const answers = [
      await enrolWithBasic(gateway, await plainCsr('p-04', key), 'guarded'),
      await enrolWithBasic(gateway, await plainCsr('p-04', key), 'guarded'),
    ];
    const certificates = await Promise.all(answers.map(certificateOf));
    expect(new X509Certificate(certificates[0] ?? '').publicKey.equals(key.publicKey)).toBe(true);
    expect(certificates[1]).toBe(certificates[0]);
    expect(await issued('p-04')).toBe(1);
  });

  it('P-05 L-11 B-03 is known though the linking of another TLS session and the form of base64 differ', async () => {
    const key = await generateKeyPair('P-256');
    async function enrolLinked(columns: number): Promise<string> {
      const socket = await openTls({ port: gateway.port, ca: gateway.trustAnchor, minVersion: 'TLSv1.3' });
      const binding = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
      const csr = await certificationRequest({
        key,
        subject: name([id.commonName, utf8String('p-05')]),
        attributes: [attribute(id.challengePassword, utf8String(binding.toString('base64')))],
      });
      const lines = csr.toString('base64').match(new RegExp(`.{1,${columns}}`, 'g')) ?? [];
      const body = lines.join('\r\n');
      socket.write(
        [
          'POST /.well-known/est/guarded/simpleenroll HTTP/1.1',
          'Host: localhost',
          `Authorization: ${basic}`,
          'Content-Type: application/pkcs10',
          `Content-Length: ${body.length}`,
          'Connection: close',
          '',
          body,
        ].join('\r\n'),
      );
      return await readToEnd(socket);
    }
    expect(await enrolLinked(64)).toMatch(/^HTTP\/1\.1 202 /);
    expect(await enrolLinked(76)).toMatch(/^HTTP\/1\.1 202 /);
    expect(await waiting('p-05')).toHaveLength(1);
    await approve('p-05');
    expect(await enrolLinked(5000)).toMatch(/^HTTP\/1\.1 200 /);
  });

  const subject = name([id.commonName, utf8String('p-05b')]);
  const dns = (host: string): Buffer => subjectAltName(generalName(2, host));
  const clientAuth = extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.2')));
  it.each<[string, CertificationRequestParts, string]>([
    ['key', {}, 'guarded'],
    ['subjectAltName', { extensions: [dns('b.example')] }, 'guarded'],
    ['requested extension', { extensions: [dns('a.example'), clientAuth] }, 'guarded'],
    ['alias', { extensions: [dns('a.example')] }, 'renewable'],
  ])('P-05 is another one when its %s differs', async (_what, changes, alias) => {
    const key = await generateKeyPair('P-256');
    const plain = { key, subject, extensions: [dns('a.example')] };
    const before = (await waiting('p-05b')).length;
    await enrolWithBasic(gateway, await certificationRequest(plain), 'guarded');
    const fresh = changes.extensions === undefined ? { key: await generateKeyPair('P-256') } : {};
    const other = await certificationRequest({ ...plain, ...changes, ...fresh });
    expect((await enrolWithBasic(gateway, other, alias)).status).toBe(202);
    expect(await waiting('p-05b')).toHaveLength(before + 2);
  });

  it('P-06 is not that of another identity with the same CSR', async () => {
    const csr = await plainCsr('p-06', await generateKeyPair('P-256'));
    expect((await enrolWithBasic(gateway, csr, 'guarded')).status).toBe(202);
    await approve('p-06');
    const other = await addUser(gateway, 'guarded', 'other');
    expect((await post(gateway, 'guarded', csr, other)).status).toBe(202);
    expect(await waiting('p-06')).toMatchObject([{ identity: 'other' }]);
    expect(await issued('p-06')).toBe(0);
    expect((await enrolWithBasic(gateway, csr, 'guarded')).status).toBe(200);
  });

  it('P-08 is refused with the reason when it was denied, and the next one waits anew', async () => {
    const csr = await plainCsr('p-08', await generateKeyPair('P-256'));
    await enrolWithBasic(gateway, csr, 'guarded');
    const [held] = await waiting('p-08');
    const denied = { state: 'denied', reason: 'Unknown serial number.' } as const;
    await gateway.store.heldRequests.decide(gateway.ca, held?.reference ?? '', denied, never);
    expect(await enrolWithBasic(gateway, csr, 'guarded')).toMatchObject({
      status: 403,
      headers: { 'content-type': 'text/plain' },
      body: expect.stringMatching(/^The request was denied: Unknown serial number\. \(request /),
    });
    expect((await enrolWithBasic(gateway, csr, 'guarded')).status).toBe(202);
    const [anew, ...more] = await waiting('p-08');
    expect(anew?.reference).not.toBe(held?.reference);
    expect(more).toEqual([]);
  });

  it('P-09 S-28 is not issued to a client that was revoked or removed while it waited', async () => {
    const device = await enrolDevice(gateway, 'p-09');
    const csr = await plainCsr('p-09b', await generateKeyPair('P-256'));
    await enrolWithBasic(gateway, await plainCsr('p-09', device.keyPair), 'guarded');
    await approve('p-09');
    const certified = await enrolWithBasic(gateway, await plainCsr('p-09', device.keyPair), 'guarded');
    const renewed = { ...device, cert: await certificateOf(certified) };
    expect((await enrolAs(renewed, 'guarded/simpleenroll', csr)).status).toBe(202);
    await approve('p-09b');
    const serialNumber = new X509Certificate(renewed.cert).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect((await enrolAs(renewed, 'guarded/simpleenroll', csr)).status).toBe(403);

    const leaver = await addUser(gateway, 'guarded', 'leaver');
    expect((await post(gateway, 'guarded', csr, leaver)).status).toBe(202);
    await approve('p-09b');
    await gateway.store.users.remove('guarded', 'leaver');
    expect((await post(gateway, 'guarded', csr, leaver)).status).toBe(401);
    expect(await issued('p-09b')).toBe(0);
  });

  it('P-11 is held for nobody who is not authenticated and authorised', async () => {
    const csr = await plainCsr('p-11', await generateKeyPair('P-256'));
    const anonymous = { ca: gateway.trustAnchor, ...enrolment(csr) };
    expect((await send(`${gateway.url}/guarded/simpleenroll`, anonymous)).status).toBe(401);
    expect((await enrolWithBasic(gateway, csr, 'strict')).status).toBe(403);
    expect(await waiting('p-11')).toEqual([]);
  });

  it('P-11 is refused at once when the profile grants nothing of it', async () => {
    const purpose = extension(id.extendedKeyUsage, sequence(objectIdentifier('1.3.6.1.5.5.7.3.4')));
    const csr = await certificationRequest({
      subject: name([id.commonName, utf8String('p-11b')]),
      extensions: [purpose],
    });
    expect((await enrolWithBasic(gateway, csr, 'guarded')).status).toBe(403);
    expect(await waiting('p-11b')).toEqual([]);
  });

  it('P-12 is refused at once when it is for a key that the gateway makes', async () => {
    const csr = await plainCsr('p-12', await generateKeyPair('P-256'));
    const answer = await send(`${gateway.url}/keys/serverkeygen`, {
      ca: gateway.trustAnchor,
      ...enrolment(csr, { Authorization: basic }),
    });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('cannot wait') });
    expect(await waiting('p-12')).toEqual([]);
  });

  it('R-16 may be a renewal where the profile says all, and is none where it says newNames', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr('r-16', key);
    await enrolWithBasic(gateway, csr, 'guarded');
    await approve('r-16');
    const cert = await certificateOf(await enrolWithBasic(gateway, csr, 'guarded'));
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const device = { commonName: 'r-16', keyPair: key, key: pem, cert };
    const next = await plainCsr('r-16', await generateKeyPair('P-256'));
    expect((await enrolAs(device, 'guarded/simplereenroll', next)).status).toBe(202);
    expect(await waiting('r-16')).toMatchObject([{ operation: 'simplereenroll' }]);
    await approve('r-16');
    expect((await enrolAs(device, 'guarded/simplereenroll', next)).status).toBe(200);
    expect((await enrolAs(device, 'renewable/simplereenroll', csr)).status).toBe(200);
  });
});

describe('Limits of what waits', () => {
  it('P-10 answers 429 to one client with too many requests and 503 when the alias is full', async () => {
    const limits = { pendingPerIdentity: 2, pendingPerAlias: 3 };
    const small = await startTestGateway({ ...options, limits });
    const other = await addUser(small, 'guarded', 'other');
    const csrs = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (letter) =>
        plainCsr(`p-10${letter}`, await generateKeyPair('P-256')),
      ),
    );
    const put = async (index: number, authorization = basic): Promise<Answer> =>
      await post(small, 'guarded', csrs[index] ?? Buffer.alloc(0), authorization);
    expect([(await put(0)).status, (await put(1)).status]).toEqual([202, 202]);
    expect(await put(2)).toMatchObject({
      status: 429,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
      body: expect.stringContaining('wait for the CA already'),
    });
    expect((await put(0)).status).toBe(202);
    expect((await put(3, other)).status).toBe(202);
    expect(await put(4, other)).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
    });
    expect(await small.store.heldRequests.undecided(small.ca, never)).toHaveLength(3);
    await approve('p-10a', small);
    expect((await put(0)).status).toBe(200);
    expect((await put(2)).status).toBe(202);
    await small.stop();
  });

  it('P-08 P-10 forgets, approved or not, what nobody asks for, and lets it wait anew', async () => {
    const brief = await startTestGateway({
      ...options,
      backends: { approving: { ...approving, retryAfter: 1 } },
      limits: { pendingExpiry: 1, pendingPerIdentity: 1 },
    });
    const csr = await plainCsr('p-08c', await generateKeyPair('P-256'));
    expect((await enrolWithBasic(brief, csr, 'guarded')).status).toBe(202);
    const [lapsed] = await waiting('p-08c', brief);
    await approve('p-08c', brief);
    // Time itself is what is waited for.
    await setTimeout(1100);
    const other = await plainCsr('p-08d', await generateKeyPair('P-256'));
    expect((await enrolWithBasic(brief, other, 'guarded')).status).toBe(202);
    expect((await enrolWithBasic(brief, csr, 'guarded')).status).toBe(429);
    await approve('p-08d', brief);
    expect((await enrolWithBasic(brief, other, 'guarded')).status).toBe(200);
    expect((await enrolWithBasic(brief, csr, 'guarded')).status).toBe(202);
    const [anew] = await waiting('p-08c', brief);
    expect(anew?.reference).not.toBe(lapsed?.reference);
    await brief.stop();
  });
});
