import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

describe('a repeat whose certificate EJBCA has revoked meanwhile', () => {
  let running: EjbcaGateway;
  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: { requireClientCertificate: false, requireUsernameAndPassword: true } },
    });
  });
  afterAll(async () => {
    await running.stop();
  });

  it.each([
    ['SUPERSEDED', 200, 2],
    ['CERTIFICATE_HOLD', 403, 1],
    ['PRIVILEGES_WITHDRAWN', 403, 1],
  ] as const)('E-22 for %s gets %d', async (reason, status, certificates) => {
    const { database } = running.ejbca;
    const csr = await plainCsr(`device-${reason}`, await generateKeyPair('P-256'));
    const before = database.certificates.length;
    const first = await enrolWithBasic(running.gateway, csr, 'basic');
    expect((await enrolWithBasic(running.gateway, csr, 'basic')).body).toBe(first.body);
    const issued = database.certificates.at(-1);
    if (issued === undefined) throw new Error('expected a certificate');
    issued.revocation = { reason, at: new Date() };
    running.ejbca.requests.length = 0;
    const again = await enrolWithBasic(running.gateway, csr, 'basic');
    expect([again.status, database.certificates.length - before]).toEqual([status, certificates]);
    expect(again.body).not.toBe(first.body);
    const asked = running.ejbca.requests.map(({ path }) => path.split('/'));
    const questions = asked.filter((path) => path.includes(issued.serialNumber.toLowerCase()));
    expect(questions.map((path) => path.at(-1))).toEqual(['revocationstatus']);
  });
});
