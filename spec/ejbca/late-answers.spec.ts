import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };

describe('an EJBCA that answers when the time of the request is over', () => {
  let running: EjbcaGateway;
  let csr: Buffer;

  beforeEach(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: byUser },
      limits: { requestTimeout: 1, headersTimeout: 1 },
    });
    csr = await plainCsr('device', await generateKeyPair('P-256'));
  });

  afterEach(async () => {
    await running.stop();
  });

  async function enrol(): Promise<Answer> {
    return await enrolWithBasic(running.gateway, csr, 'basic');
  }

  /** As a device that repeats until it is answered. */
  async function enrolInTheEnd(): Promise<Answer> {
    for (;;) {
      const answer = await enrol();
      if (answer.status !== 504) return answer;
    }
  }

  async function issuedInJournal(): Promise<number> {
    const entries = await running.gateway.store.enrollments.list(10);
    return entries.filter(({ state }) => state === 'issued').length;
  }

  it('E-22 is not given up: a repeat waits for it, and there is one certificate', async () => {
    running.ejbca.setFault({ kind: 'latency', milliseconds: 1800, path: 'v1/certificate', times: 1 });
    expect((await enrol()).status).toBe(504);
    const repeats = await Promise.all([enrolInTheEnd(), enrolInTheEnd()]);
    expect(repeats.map(({ status }) => status)).toEqual([200, 200]);
    expect(repeats[0].body).toBe(repeats[1].body);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it('is heard though nobody asks again', async () => {
    running.ejbca.setFault({ kind: 'latency', milliseconds: 1500, path: 'v1/certificate', times: 1 });
    expect((await enrol()).status).toBe(504);
    const patience = Date.now() + 10_000;
    while ((await issuedInJournal()) === 0 && Date.now() < patience) await new Promise(setImmediate);
    expect(await issuedInJournal()).toBe(1);
  });

  it('does not keep the gateway from ending', async () => {
    running.ejbca.setFault({ kind: 'silence', when: 'before', path: 'v1/certificate', times: 1 });
    expect((await enrol()).status).toBe(504);
    const began = performance.now();
    await running.gateway.restart();
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
