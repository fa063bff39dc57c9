import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { send } from '../support/client.ts';
import { issueByCa } from '../support/cmc.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  id,
  name,
  sequence,
  utf8String,
} from '../support/csr.ts';
import {
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

type Attribute = readonly [type: string, value: Buffer];

describe('policy.quota', () => {
  let gateway: TestGateway;
  let vendor: TestGateway;
  beforeAll(async () => {
    vendor = await startTestGateway();
    const subjectTypes = ['commonName', 'organizationalUnitName'];
    const authority = { commonName: 'RA 1', names: { commonName: ['*'], organizationalUnitName: ['*'] } };
    gateway = await startTestGateway({
      aliases: {
        narrow: { policy: { quota: { certificates: 2, period: 3600 } } },
        renewing: { policy: { quota: { certificates: 3, period: 3600 } } },
        looping: { policy: { quota: { certificates: 4, period: 3600 } } },
        coded: {
          policy: { names: 'any', changeSubjectName: true, quota: { certificates: 4, period: 3600 } },
        },
        elsewhere: { policy: { names: 'any', quota: { certificates: 1, period: 3600 } } },
        holding: {
          implicitTrustAnchors: [`${vendor.directory}/root.pem`, `${vendor.directory}/issuing.pem`],
          policy: { subject: subjectTypes, names: 'any', quota: { certificates: 2, period: 3600 } },
        },
        plant: {
          policy: { subject: subjectTypes, quota: { certificates: 1, period: 3600 } },
          registrationAuthorities: {
            plant: { ...authority, quota: { certificates: 3, period: 3600 } },
            other: { ...authority, commonName: 'RA 2' },
          },
        },
        total: {
          policy: { subject: subjectTypes },
          registrationAuthorities: { plant: { ...authority, quota: { certificates: 1, period: 3600 } } },
        },
      },
    });
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), vendor.stop()]);
  });

  const freshCsr = async (commonName: string): Promise<Buffer> =>
    await plainCsr(commonName, await generateKeyPair('P-256'));

  it('S-29 gives a user so many certificates in a period, whatever their names, and then 429', async () => {
    const burst = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => await enrolWithBasic(gateway, await freshCsr(name), 'narrow')),
    );
    expect(burst.map(({ status }) => status).toSorted()).toEqual([200, 200, 429, 429]);
    const refused = burst.find(({ status }) => status === 429);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(3590);
    expect(refused?.body).toMatch(/^This client has had as many certificates as it may have for now\./);
    expect((await enrolWithBasic(gateway, await freshCsr('e'))).status).toBe(200);
    const issued = (await gateway.store.certificates.list(gateway.ca)).map(({ subject }) => subject);
    expect(issued.filter((subject) => /^CN=[a-d]$/.test(subject))).toHaveLength(2);
  });

  it('S-29 E-22 does not count a repeat', async () => {
    const device = await enrolDevice(gateway, 'repeats', 'renewing');
    const csr = await freshCsr('repeats');
    const answers = [];
    for (let n = 0; n < 5; n += 1) answers.push(await renew(gateway, device, csr, 'renewing'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  it('S-29 stops a device that renews in a loop, though its certificate is another one each time', async () => {
    let device = await enrolDevice(gateway, 'loops', 'looping');
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const keyPair = await generateKeyPair('P-256');
      const answer = await renew(gateway, device, await plainCsr('loops', keyPair), 'looping');
      statuses.push(answer.status);
      if (answer.status !== 200) continue;
      const cert = await certificateOf(answer);
      device = { ...device, keyPair, key: privatePem(keyPair.privateKey), cert };
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });

  /** Posts a CSR for a new key with a certificate, and gives the device that has the answer, or the status of a refusal. */
  async function ask(
    path: string,
    { key, cert }: Pick<Device, 'key' | 'cert'>,
    ...parts: readonly Attribute[]
  ): Promise<Device | number> {
    const keyPair = await generateKeyPair('P-256');
    const csr = await certificationRequest({ key: keyPair, subject: name(...parts) });
    const answer = await send(`${gateway.url}/${path}`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(csr),
    });
    if (answer.status !== 200) return answer.status;
    const certificate = await certificateOf(answer);
    return { commonName: '', keyPair, key: privatePem(keyPair.privateKey), cert: certificate };
  }
  const cn = (text: string): Attribute => [id.commonName, utf8String(text)];
  const ou = (text: string): Attribute => ['2.5.4.11', utf8String(text)];
  const granted = expect.objectContaining({ cert: expect.any(String) });

  it('S-29 bounds a user by what it gets with its certificates, too, whatever their names', async () => {
    const first = await enrolDevice(gateway, 'coded', 'coded');
    const second = await ask('coded/simpleenroll', first, cn('another'));
    expect(second).toEqual(granted);
    const third = await renamed(second as Device, 'renamed');
    expect(third).toEqual(granted);
    expect(await ask('coded/simpleenroll', third as Device, cn('fourth'))).toEqual(granted);
    for (const device of [first, second, third]) {
      expect(await ask('coded/simpleenroll', device as Device, cn('fifth'))).toBe(429);
    }
    expect((await enrolWithBasic(gateway, await freshCsr('fifth'), 'coded')).status).toBe(429);
  });

  async function renamed({ key, cert, keyPair }: Device, commonName: string): Promise<Device | number> {
    const csr = await certificationRequest({
      key: keyPair,
      subject: name(cn('another')),
      attributes: [attribute(id.changeSubjectName, sequence(name(cn(commonName))))],
    });
    const answer = await renew(gateway, { key, cert }, csr, 'coded');
    return answer.status === 200
      ? { commonName, keyPair, key, cert: await certificateOf(answer) }
      : answer.status;
  }

  it('S-29 knows at one alias who got a certificate at another one, and takes it for no user of its own', async () => {
    const device = await enrolDevice(gateway, 'elsewhere');
    const first = await ask('elsewhere/simpleenroll', device, cn('a'));
    expect(first).toEqual(granted);
    expect(await ask('elsewhere/simpleenroll', device, cn('b'))).toBe(429);
    expect(await ask('elsewhere/simpleenroll', first as Device, cn('b'))).toBe(429);
    expect((await enrolWithBasic(gateway, await freshCsr('c'), 'elsewhere')).status).toBe(200);
  });

  it('S-29 bounds the holder of a certificate of a vendor, also by what it got with that one', async () => {
    const device = await enrolDevice(vendor, 'Meter 7');
    const sameHolder = await enrolDevice(vendor, 'meter  7');
    const first = await ask('holding/simpleenroll', device, cn('meter'));
    expect(first).toEqual(granted);
    expect(await ask('holding/simpleenroll', sameHolder, cn('METER'), ou('one more'))).toEqual(granted);
    expect(await ask('holding/simpleenroll', device, cn('meter'), ou('another'))).toBe(429);
    expect(await ask('holding/simplereenroll', first as Device, cn('meter'))).toBe(429);
    expect(await ask('holding/simpleenroll', await enrolDevice(vendor, 'Meter 8'), cn('meter'))).toEqual(
      granted,
    );
  });

  const purposes = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';

  it('S-29 bounds each subject that registration authorities ask for, and each of them in all', async () => {
    const authority = await issueByCa(gateway, 'RA 1', purposes);
    const another = await issueByCa(gateway, 'RA 1', purposes);
    const first = await ask('plant/simpleenroll', authority, cn('Pump 1'));
    expect(first).toEqual(granted);
    expect(await ask('plant/simpleenroll', authority, cn('pump 1'))).toBe(429);
    expect(await ask('plant/simplereenroll', first as Device, cn('Pump 1'))).toBe(429);
    expect(await ask('plant/simpleenroll', another, cn('Pump 2'))).toEqual(granted);
    expect(await ask('plant/simpleenroll', authority, cn('Pump 2'), ou('one more'))).toEqual(granted);
    expect(await ask('plant/simpleenroll', authority, cn('Pump 3'))).toBe(429);
    expect(gateway.log.entries.at(-1)?.fields).toMatchObject({ rule: 'registrationAuthorities.quota' });
    const other = await issueByCa(gateway, 'RA 2', purposes);
    expect(await ask('plant/simpleenroll', other, cn('Pump 3'))).toEqual(granted);
  });

  it('S-29 bounds a registration authority where clients have no quota', async () => {
    const authority = await issueByCa(gateway, 'RA 1', purposes);
    const csrs = await Promise.all(
      ['a', 'b', 'c'].map(async (text) => await ask('total/simpleenroll', authority, cn(text))),
    );
    expect(csrs.filter((answer) => answer === 429)).toHaveLength(2);
  });
});
