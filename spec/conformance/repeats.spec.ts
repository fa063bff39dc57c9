import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { send, type Answer } from '../support/client.ts';
import { setDateAlone } from '../support/clock.ts';
import { issueByCa, type Signatory } from '../support/cmc.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolment, plainCsr, renew } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const hour = 3_600_000;

/** The same CA, with certificates for a day, and one whose requests wait. */
const other = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { short: { validityDays: 1 }, guarded: { approval: 'all' } },
};

const policy = { subject: ['commonName'], names: 'any' };
const registrationAuthorities = { plant: { commonName: 'RA 1', names: { commonName: ['*'] } } };

let gateway: TestGateway;
let authority: Signatory;
let devices = 0;

beforeAll(async () => {
  gateway = await startTestGateway({
    backends: { other },
    aliases: {
      short: {
        ...{ backend: 'other', profile: 'short', registrationAuthorities },
        policy: { ...policy, renewAfterPercent: 50, renewWithSameKey: false },
      },
      est: { policy, registrationAuthorities },
      lenient: {
        ...{ backend: 'other', profile: 'short', registrationAuthorities },
        policy: { ...policy, renewExpiredDays: 3 },
      },
      guarded: { backend: 'other', profile: 'guarded', policy, registrationAuthorities },
    },
  });
  authority = await newAuthority();
});
afterEach(() => {
  jest.useRealTimers();
});
afterAll(async () => {
  await gateway.stop();
});

async function newAuthority(): Promise<Signatory> {
  return await issueByCa(gateway, 'RA 1', 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28');
}

function newName(): string {
  return `device-${(devices += 1)}`;
}

async function ask(path: string, { key, cert }: Omit<Signatory, 'keyPair'>, csr: Buffer): Promise<Answer> {
  return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, key, cert, ...enrolment(csr) });
}

async function newCsr(commonName: string): Promise<Buffer> {
  return await plainCsr(commonName, await generateKeyPair('P-256'));
}

async function serialOf(answer: Answer): Promise<string> {
  expect([answer.status, answer.status === 200 ? '' : answer.body]).toEqual([200, '']);
  return new X509Certificate(await certificateOf(answer)).serialNumber;
}

const never = new Date(0);

async function undecided(commonName: string): Promise<readonly string[]> {
  const held = await gateway.store.heldRequests.undecided(gateway.ca, never);
  return held.filter(({ subject }) => subject === `CN=${commonName}`).map(({ reference }) => reference);
}

async function approve(commonName: string): Promise<void> {
  for (const reference of await undecided(commonName)) {
    await gateway.store.heldRequests.decide(gateway.ca, reference, { state: 'approved' }, never);
  }
}

describe('a repeat after a lost answer', () => {
  it('E-22 R-17 gives a registration authority the certificate that it has renewed, neither too early nor of the same key', async () => {
    const commonName = newName();
    await serialOf(await ask('short/simpleenroll', authority, await newCsr(commonName)));
    const csr = await newCsr(commonName);
    expect((await ask('short/simplereenroll', authority, csr)).body).toContain('too early');
    setDateAlone(Date.now() + 20 * hour);
    const renewed = await serialOf(await ask('short/simplereenroll', authority, csr));
    expect(await serialOf(await ask('short/simplereenroll', authority, csr))).toBe(renewed);
    // It is a renewal of what has just been renewed for everybody who asks for something else.
    expect((await ask('short/simplereenroll', authority, await newCsr(commonName))).body).toContain(
      'too early',
    );
  });

  it('R-17 is none when its certificate was revoked: then all of it is asked about a new request', async () => {
    const commonName = newName();
    await serialOf(await ask('short/simpleenroll', authority, await newCsr(commonName)));
    const csr = await newCsr(commonName);
    setDateAlone(Date.now() + 20 * hour);
    const renewed = await serialOf(await ask('short/simplereenroll', authority, csr));
    await serialOf(await ask('short/simpleenroll', authority, await newCsr(commonName)));
    await gateway.store.certificates.revoke(gateway.ca, renewed.toLowerCase(), 'superseded', new Date());
    expect((await ask('short/simplereenroll', authority, csr)).body).toContain('too early');
    const open = (await gateway.store.enrollments.list(5)).filter(({ state }) => state === 'open');
    expect(open).toEqual([]);
  });

  it('R-01 renews the certificate that is shown, although all else is the same', async () => {
    const device = await enrolDevice(gateway, newName());
    const csr = await plainCsr(device.commonName, device.keyPair);
    const first = await renew(gateway, device, csr);
    const second = await renew(gateway, { ...device, cert: await certificateOf(first) }, csr);
    expect(await serialOf(second)).not.toBe(await serialOf(first));
    expect(await serialOf(await renew(gateway, device, csr))).toBe(await serialOf(first));
  });
});

describe('the certificate of another that a registration authority renews', () => {
  async function issueMany(commonName: string, count: number): Promise<readonly string[]> {
    const serials: string[] = [];
    for (let n = 0; n < count; n += 1) {
      const csr = await newCsr(commonName);
      serials.push(await serialOf(await ask('est/simpleenroll', authority, csr)));
    }
    return serials;
  }

  async function revoke(serialNumbers: readonly string[]): Promise<void> {
    for (const serialNumber of serialNumbers) {
      await gateway.store.certificates.revoke(
        gateway.ca,
        serialNumber.toLowerCase(),
        'superseded',
        new Date(),
      );
    }
  }

  it('R-17 is a good one, though newer ones are revoked', async () => {
    const commonName = newName();
    const serials = await issueMany(commonName, 3);
    await revoke(serials.slice(1));
    const last = await serialOf(await ask('est/simplereenroll', authority, await newCsr(commonName)));
    await revoke([...serials, last]);
    const answer = await ask('est/simplereenroll', authority, await newCsr(commonName));
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('it is revoked')]);
  });

  it('R-17 is found among more than a hundred', async () => {
    const commonName = newName();
    const serials = await issueMany(commonName, 104);
    await revoke(serials.slice(1));
    const renewed = await serialOf(await ask('est/simplereenroll', authority, await newCsr(commonName)));
    expect(serials).not.toContain(renewed);
  }, 120_000);

  it('R-17 is found by names that are the same, however they are written', async () => {
    const commonName = newName();
    await serialOf(await ask('est/simpleenroll', authority, await newCsr(commonName)));
    const csr = await newCsr(commonName.toUpperCase());
    expect(await ask('est/simplereenroll', authority, csr)).toMatchObject({ status: 200 });
  });

  it('R-17 R-13 is none that has expired, though it could renew itself', async () => {
    const commonName = newName();
    const csr = await newCsr(commonName);
    await serialOf(await ask('lenient/simpleenroll', authority, csr));
    setDateAlone(Date.now() + 25 * hour);
    const answer = await ask('lenient/simplereenroll', authority, await newCsr(commonName));
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('no certificate in force')]);
  });
});

describe('a request that waits', () => {
  it('P-06 is found again by a registration authority that has renewed itself', async () => {
    const csr = await newCsr(newName());
    const commonName = `device-${devices}`;
    expect(await ask('guarded/simpleenroll', authority, csr)).toMatchObject({ status: 202 });
    const renewed = await newAuthority();
    expect(await ask('guarded/simpleenroll', renewed, csr)).toMatchObject({ status: 202 });
    expect(await undecided(commonName)).toHaveLength(1);
    await approve(commonName);
    const serial = await serialOf(await ask('guarded/simpleenroll', renewed, csr));
    expect(await serialOf(await ask('guarded/simpleenroll', authority, csr))).toBe(serial);
  });

  it('P-06 is found again by a device whose certificate was renewed', async () => {
    const device = await enrolDevice(gateway, newName());
    const csr = await newCsr(device.commonName);
    expect(await ask('guarded/simpleenroll', device, csr)).toMatchObject({ status: 202 });
    const renewed = await certificateOf(
      await renew(gateway, device, await plainCsr(device.commonName, device.keyPair)),
    );
    await approve(device.commonName);
    const answer = await ask('guarded/simpleenroll', { ...device, cert: renewed }, csr);
    expect(answer).toMatchObject({ status: 200 });
  });

  it('P-06 is not found by the holder of another certificate, or by a registration authority that has no scope', async () => {
    const csr = await newCsr(newName());
    const commonName = `device-${devices}`;
    const holders = [await enrolDevice(gateway, 'one'), await enrolDevice(gateway, 'two'), authority];
    for (const holder of holders) {
      expect(await ask('guarded/simpleenroll', holder, csr)).toMatchObject({ status: 202 });
    }
    expect(await undecided(commonName)).toHaveLength(3);
  });
});
