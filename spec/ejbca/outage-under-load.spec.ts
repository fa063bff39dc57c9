import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { databaseOutage, redeploy, restart, type State } from '../support/ejbca/state.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

/** What a device may read while EJBCA is away: it comes back by itself. */
const expected = [200, 503, 504];

describe('devices that go on enrolling while EJBCA is away', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: { requireClientCertificate: false, requireUsernameAndPassword: true } },
      backend: { timeouts: { answer: 1 }, circuitBreaker: { failures: 3, pause: 1 } },
    });
  });

  afterAll(async () => {
    await running.stop();
  });

  /** Each device repeats its request until it has a certificate, then the next one comes. */
  async function load(name: string, statuses: number[], isOver: () => boolean): Promise<void> {
    for (let n = 0; !isOver(); n += 1) {
      const csr = await plainCsr(`${name}-${n}`, await generateKeyPair('P-256'));
      let status = 0;
      while (status !== 200) {
        ({ status } = await enrolWithBasic(running.gateway, csr, 'basic'));
        statuses.push(status);
        if (!expected.includes(status)) return;
        if (status !== 200) await wait(20);
      }
    }
  }

  it.each<[string, readonly State[]]>([
    ['is started anew', restart],
    ['is deployed anew', redeploy],
    ['has no database', databaseOutage],
  ])(
    'read nothing but "later" while it %s, and each gets one certificate afterwards',
    async (what, states) => {
      const statuses: number[] = [];
      let isOver = false;
      const name = what.replaceAll(' ', '-');
      const devices = ['a', 'b', 'c'].map(async (each) => {
        await load(`${name}-${each}`, statuses, () => isOver);
      });
      for (const state of states) {
        await running.ejbca.setState(state);
        // The real ones last for up to 45 seconds.
        await wait(700);
      }
      isOver = true;
      await Promise.all(devices);
      expect(statuses.filter((status) => !expected.includes(status))).toEqual([]);
      expect(statuses).toContain(503);
      expect(statuses.at(-1)).toBe(200);
      const names = running.ejbca.database.certificates
        .map(({ subjectDn }) => subjectDn)
        .filter((subject) => subject.includes(name));
      expect(new Set(names).size).toBe(names.length);
      expect(names).toHaveLength(statuses.filter((status) => status === 200).length);
    },
  );
});
