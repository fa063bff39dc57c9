import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { send, type Answer } from '../support/client.ts';
import { issueByCa, type Signatory } from '../support/cmc.ts';
import {
  attribute,
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  subjectAltName,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolment } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

/** Registration authorities (RFC 7030, section 3.7), past which policy would bind names to the client. */
const bound = { names: 'identity', subject: ['commonName', 'organizationName'], subjectAltName: ['dNSName'] };
const plant1 = {
  commonName: 'RA 1',
  names: { commonName: ['*.plant-1.example', 'gate'], dNSName: ['*.plant-1.example'] },
};
const purposes = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';

let gateway: TestGateway;
let other: TestGateway;
let authority: Signatory;

beforeAll(async () => {
  other = await startTestGateway();
  const elsewhere = [join(other.directory, 'root.pem'), join(other.directory, 'issuing.pem')];
  const withAuthority = { policy: bound, registrationAuthorities: { 'plant-1': plant1 } };
  gateway = await startTestGateway({
    aliases: {
      plant: withAuthority,
      foreign: {
        ...withAuthority,
        registrationAuthorities: { 'plant-1': { ...plant1, foreignLinking: true } },
      },
      unlisted: { policy: { ...bound, names: 'any' } },
      vendor: { ...withAuthority, implicitTrustAnchors: elsewhere },
      sibling: { ...withAuthority, explicitTrustAnchors: elsewhere },
    },
  });
  authority = await issueByCa(gateway, 'RA 1', purposes);
});

afterAll(async () => {
  await Promise.all([gateway.stop(), other.stop()]);
});

interface Names {
  readonly commonName: string;
  readonly dNSName?: string;
  readonly challengePassword?: string;
}

async function csrFor({ commonName, dNSName, challengePassword }: Names, key?: KeyPair): Promise<Buffer> {
  return await certificationRequest({
    key: key ?? (await generateKeyPair('P-256')),
    subject: name([id.commonName, utf8String(commonName)]),
    ...(dNSName !== undefined && { extensions: [subjectAltName(generalName(2, dNSName))] }),
    ...(challengePassword !== undefined && {
      attributes: [attribute(id.challengePassword, utf8String(challengePassword))],
    }),
  });
}

async function ask(path: string, { key, cert }: Signatory, csr: Buffer): Promise<Answer> {
  return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, key, cert, ...enrolment(csr) });
}

const sensor: Names = { commonName: 'sensor.plant-1.example', dNSName: 'sensor.plant-1.example' };

describe('enrolment by a registration authority', () => {
  it('Z-02 issues for other subjects, and says in log and journal who asked for whom', async () => {
    const answer = await ask('plant/simpleenroll', authority, await csrFor(sensor));
    expect(answer.status).toBe(200);
    const { subject, subjectAltName: names } = new X509Certificate(await certificateOf(answer));
    expect({ subject, names }).toEqual({
      subject: 'CN=sensor.plant-1.example',
      names: 'DNS:sensor.plant-1.example',
    });
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
      identity: 'CN=RA 1',
      registrationAuthority: 'plant-1',
      subject: 'CN=sensor.plant-1.example',
      outcome: 'ok',
    });
    const [entry] = await gateway.store.enrollments.list(1);
    expect(entry).toMatchObject({
      identity: 'registrationAuthority:plant-1',
      subject: 'CN=sensor.plant-1.example',
    });
  });

  it('Z-02 is bound to its own names like everybody, if it is none', async () => {
    const device = await issueByCa(gateway, 'RA 1', 'extendedKeyUsage=clientAuth');
    expect(await ask('plant/simpleenroll', device, await csrFor(sensor))).toMatchObject({ status: 403 });
  });

  it.each<[string, string, Names]>([
    ['at an alias that does not name it', 'unlisted', sensor],
    ['with a subject beyond its patterns', 'plant', { commonName: 'sensor.plant-2.example' }],
    ['with another name between', 'plant', { commonName: 'sensor.plant-1.example.org' }],
    ['with a subjectAltName beyond its patterns', 'plant', { ...sensor, dNSName: 'sensor.plant-2.example' }],
    ['with its own name, which is beyond them, too', 'plant', { commonName: 'RA 1' }],
  ])('Z-05 gets nothing %s', async (_what, alias, names) => {
    const before = await gateway.store.enrollments.list(1000);
    const answer = await ask(`${alias}/simpleenroll`, authority, await csrFor(names));
    expect(answer).toMatchObject({
      status: 403,
      body: expect.stringMatching(
        /^This registration authority may not ask for the (commonName|dNSName) in the CSR/,
      ),
    });
    expect(await gateway.store.enrollments.list(1000)).toEqual(before);
  });

  it('Z-05 takes a name of the list, letters in any case', async () => {
    expect(await ask('plant/simpleenroll', authority, await csrFor({ commonName: 'Gate' }))).toMatchObject({
      status: 200,
    });
  });

  it('Z-05 gives nothing for anyExtendedKeyUsage', async () => {
    const any = await issueByCa(gateway, 'RA 1', 'extendedKeyUsage=clientAuth,anyExtendedKeyUsage');
    expect(await ask('plant/simpleenroll', any, await csrFor(sensor))).toMatchObject({
      status: 403,
      body: expect.stringContaining('does not belong to the authenticated client'),
    });
  });

  it.each([['vendor'], ['sibling']])(
    'Z-03 gives nothing for the purpose in a certificate of a %s CA',
    async (alias) => {
      const theirs = await issueByCa(other, 'RA 1', purposes);
      expect(await ask(`${alias}/simpleenroll`, theirs, await csrFor(sensor))).toMatchObject({
        status: 403,
        body: expect.stringContaining('does not belong to the authenticated client'),
      });
    },
  );

  it('Z-04 passes on linking data of another session, where it may', async () => {
    const linked = { ...sensor, challengePassword: Buffer.alloc(32, 7).toString('base64') };
    expect(await ask('plant/simpleenroll', authority, await csrFor(linked))).toMatchObject({ status: 400 });
    expect(await ask('foreign/simpleenroll', authority, await csrFor(linked))).toMatchObject({ status: 200 });
    const device = await enrolDevice(gateway, 'device');
    const own = { commonName: 'device', challengePassword: linked.challengePassword };
    expect(await ask('foreign/simpleenroll', device, await csrFor(own))).toMatchObject({ status: 400 });
  });
});

describe('renewal by a registration authority', () => {
  const pump: Names = { commonName: 'pump.plant-1.example', dNSName: 'pump.plant-1.example' };

  it('R-17 Z-02 renews by the record of what the CA issued', async () => {
    expect(await ask('plant/simplereenroll', authority, await csrFor(pump))).toMatchObject({
      status: 403,
      body: expect.stringContaining('no certificate in force with the names of the CSR'),
    });
    await ask('plant/simpleenroll', authority, await csrFor(pump));
    const answer = await ask('plant/simplereenroll', authority, await csrFor(pump));
    expect(answer.status).toBe(200);
    expect(new X509Certificate(await certificateOf(answer)).subject).toBe('CN=pump.plant-1.example');
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({
      operation: 'simplereenroll',
      identity: 'CN=RA 1',
      registrationAuthority: 'plant-1',
      subject: 'CN=pump.plant-1.example',
    });
    const { dNSName: _left, ...less } = pump;
    expect(await ask('plant/simplereenroll', authority, await csrFor(less))).toMatchObject({ status: 403 });
  });

  it('R-17 renews nothing of another alias, and nothing beyond its names', async () => {
    const key = await generateKeyPair('P-256');
    await enrolDevice(gateway, 'valve.plant-1.example');
    const csr = await csrFor({ commonName: 'valve.plant-1.example' }, key);
    expect(await ask('plant/simplereenroll', authority, csr)).toMatchObject({ status: 403 });
    await enrolDevice(gateway, 'stranger', 'unlisted');
    const strange = await csrFor({ commonName: 'stranger' });
    expect(await ask('unlisted/simplereenroll', authority, strange)).toMatchObject({
      status: 403,
      body: expect.stringContaining('may not ask for the commonName'),
    });
  });

  it('R-17 R-14 renews nothing that is revoked', async () => {
    const names = { commonName: 'revoked.plant-1.example' };
    const issued = await certificateOf(await ask('plant/simpleenroll', authority, await csrFor(names)));
    const serialNumber = new X509Certificate(issued).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect(await ask('plant/simplereenroll', authority, await csrFor(names))).toMatchObject({
      status: 403,
      body: expect.stringContaining('it is revoked'),
    });
  });

  it('R-01 renews its own certificate like everybody', async () => {
    const own = await csrFor({ commonName: 'RA 1' });
    for (const alias of ['plant', 'unlisted']) {
      expect(await ask(`${alias}/simplereenroll`, authority, own)).toMatchObject({ status: 200 });
    }
  });
});
