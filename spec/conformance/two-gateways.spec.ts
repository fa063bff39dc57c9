import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { setDateAlone } from '../support/clock.ts';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { createHeldCa, type HeldCa } from '../support/held-ca.ts';

describe('two gateways with one store, of which one waits longer than the other', () => {
  let ca: HeldCa;
  let patient: TestGateway;
  let hasty: TestGateway;

  beforeEach(async () => {
    ca = await createHeldCa();
    const options = {
      backends: { held: { driver: 'held' } },
      aliases: { held: { backend: 'held', profile: undefined } },
      drivers: { certificationAuthorities: [ca.driver] },
    };
    patient = await startTestGateway({ ...options, limits: { requestTimeout: 60 } });
    hasty = await startTestGateway({
      ...options,
      limits: { requestTimeout: 5, headersTimeout: 5 },
      store: { driver: 'sqlite', file: join(patient.directory, 'state.sqlite') },
    });
  });
  afterEach(async () => {
    jest.useRealTimers();
    await hasty.stop();
    await patient.stop();
  });

  async function serialOf(answer: Answer): Promise<string> {
    expect(answer.status).toBe(200);
    return new X509Certificate(await certificateOf(answer)).serialNumber.toLowerCase();
  }

  it('E-22 asks the CA once while the one that began may still be waiting for it', async () => {
    const csr = await plainCsr('waiting', await generateKeyPair('P-256'));
    const began = enrolWithBasic(patient, csr, 'held');
    const call = await ca.next();
    setDateAlone(Date.now() + 58_000);
    expect(await enrolWithBasic(hasty, csr, 'held')).toMatchObject({ status: 202 });
    call.issue();
    const serialNumber = await serialOf(await began);
    expect(await serialOf(await enrolWithBasic(hasty, csr, 'held'))).toBe(serialNumber);
    expect(ca.asked()).toBe(1);
  });

  it('E-22 never forgets a certificate, and gives the first one though another attempt ends with another', async () => {
    const csr = await plainCsr('late', await generateKeyPair('P-256'));
    const began = enrolWithBasic(patient, csr, 'held');
    const late = await ca.next();
    setDateAlone(Date.now() + 63_000);
    const again = enrolWithBasic(hasty, csr, 'held');
    (await ca.next()).issue();
    const serialNumber = await serialOf(await again);
    late.issue();
    expect(await serialOf(await began)).toBe(serialNumber);
    expect(await serialOf(await enrolWithBasic(hasty, csr, 'held'))).toBe(serialNumber);
    const [surplus, record, ...more] = await patient.store.enrollments.list(10);
    expect(record).toMatchObject({ state: 'issued', serialNumber });
    expect(surplus).toMatchObject({
      state: 'surplus',
      serialNumber: expect.not.stringMatching(serialNumber),
    });
    expect(more).toEqual([]);
    expect(ca.revoked).toEqual([surplus?.serialNumber]);
    expect(patient.log.entries).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: 'The CA has issued again for a request that was answered meanwhile.',
        fields: expect.objectContaining({ serialNumber: surplus?.serialNumber, revoked: true }),
      }),
    );
  });
});
