import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPair } from '../support/csr.ts';
import {
  certificateOf,
  enrolDevice,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
} from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('policy.quota', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      aliases: {
        narrow: { policy: { quota: { certificates: 2, period: 3600 } } },
        renewing: { policy: { quota: { certificates: 3, period: 3600 } } },
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
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
    const issued = (await gateway.store.certificates.list('local')).map(({ subject }) => subject);
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
    let device = await enrolDevice(gateway, 'loops', 'renewing');
    const statuses: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      const keyPair = await generateKeyPair('P-256');
      const answer = await renew(gateway, device, await plainCsr('loops', keyPair), 'renewing');
      statuses.push(answer.status);
      if (answer.status !== 200) continue;
      const cert = await certificateOf(answer);
      device = { ...device, keyPair, key: privatePem(keyPair.privateKey), cert };
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
  });
});
