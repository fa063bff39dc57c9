import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import type { StandIn } from '../support/ejbca/start.ts';
import { recordLog } from '../support/log.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const vendorMode = { operationMode: 'client', vendorCertificateMode: true, vendorCas: ['Root CA'] };

/** Nothing answers any more. */
function takeDown(ejbca: StandIn): void {
  ejbca.setFault({ kind: 'reset', when: 'before' });
}

describe('a gateway that starts while EJBCA is down', () => {
  let running: EjbcaGateway;

  beforeEach(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: byUser, vendor: vendorMode },
      backend: { circuitBreaker: { failures: 1000, pause: 1 } },
    });
  });

  afterEach(async () => {
    await running.stop();
  });

  async function cacerts(alias = 'basic'): Promise<Answer> {
    const { url, trustAnchor } = running.gateway;
    return await send(`${url}/${alias}/cacerts`, { ca: trustAnchor });
  }

  async function enrol(alias = 'basic'): Promise<Answer> {
    return await enrolWithBasic(
      running.gateway,
      await plainCsr('device', await generateKeyPair('P-256')),
      alias,
    );
  }

  function messages(): readonly string[] {
    return running.gateway.log.entries.map(({ message }) => message);
  }

  async function untilServed(ask: () => Promise<Answer>): Promise<Answer> {
    const patience = Date.now() + 30_000;
    let answer = await ask();
    while (answer.status === 503 && Date.now() < patience) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      answer = await ask();
    }
    return answer;
  }

  it('serves the CA certificates that EJBCA last gave, and 503 for all else, until it is back', async () => {
    const before = await cacerts();
    const device = await enrolDevice(running.gateway, 'device', 'basic');
    await running.gateway.restart(async () => {
      takeDown(running.ejbca);
      await Promise.resolve();
    });
    expect(await cacerts()).toMatchObject({ status: 200, body: before.body });
    expect((await cacerts('vendor')).status).toBe(200);
    const refused = await enrol();
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    expect((await renew(running.gateway, device, csr, 'basic')).status).toBe(503);
    expect(messages()).toContain(
      'A CA does not answer; what it said last of itself stays in use, and enrolments get 503.',
    );

    running.ejbca.clearFaults();
    expect((await untilServed(enrol)).status).toBe(200);
    expect((await renew(running.gateway, device, csr, 'basic')).status).toBe(200);
  });

  it('says so in check', async () => {
    takeDown(running.ejbca);
    const configuration = await loadConfiguration(running.gateway.configurationFile);
    const log = recordLog();
    expect(await checkGateway(configuration, log)).toEqual([
      expect.stringMatching(/^backends\.ejbca: EJBCA cannot be reached\./),
    ]);
    expect(log.entries.map(({ message }) => message)).toContain(
      'A CA does not answer; what it said last of itself stays in use, and enrolments get 503.',
    );
  });

  it('reloads as it starts, with aliases whose CA has never answered at 503 until it does', async () => {
    takeDown(running.ejbca);
    await running.gateway.reload((written) => ({
      ...written,
      aliases: {
        ...written.aliases,
        root: { ...written.aliases['basic'], ejbca: { ...byUser, certificateAuthority: 'Root CA' } },
      },
    }));
    expect((await cacerts()).status).toBe(200);
    const refused = await cacerts('root');
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('30');
    expect((await enrol('root')).status).toBe(503);
    expect((await cacerts('nobody-knows')).status).toBe(400);
    expect(messages()).toContain(
      'aliases.root: its CA is down and has never answered; all operations get 503 until it does.',
    );

    running.ejbca.clearFaults();
    expect((await untilServed(() => cacerts('root'))).status).toBe(200);
    expect(messages()).toContain('A CA answers again; all is served with what it says now.');
  });

  it('still refuses what EJBCA says is wrong', async () => {
    await expect(
      running.gateway.reload((written) => ({
        ...written,
        aliases: {
          ...written.aliases,
          wrong: { ...written.aliases['basic'], ejbca: { ...byUser, certificateAuthority: 'No CA' } },
        },
      })),
    ).rejects.toThrow(/EJBCA has no CA No CA/);
  });

  it('does not take a wrong configuration when EJBCA is back, and says what is wrong', async () => {
    takeDown(running.ejbca);
    await running.gateway.reload((written) => ({
      ...written,
      aliases: {
        ...written.aliases,
        wrong: { ...written.aliases['basic'], ejbca: { ...byUser, certificateAuthority: 'No CA' } },
      },
    }));
    running.ejbca.clearFaults();
    expect((await untilServed(enrol)).status).toBe(200);
    const wrong = 'A CA answers again, but not as the configuration needs it; all is served as before.';
    const patience = Date.now() + 30_000;
    while (!messages().includes(wrong) && Date.now() < patience) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(running.gateway.log.entries).toContainEqual({
      level: 'error',
      message: wrong,
      fields: { backend: 'ejbca', reason: expect.stringMatching(/EJBCA has no CA No CA/) },
    });
    expect((await cacerts('wrong')).status).toBe(503);
  });
});
