import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

describe('quota where EJBCA checks codes', () => {
  let running: EjbcaGateway;
  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: {
          operationMode: 'client',
          extractUsernameComponent: 'CN',
          authenticationModule: 'HttpBasicAuth',
          alias: { policy: { quota: { certificates: 1, period: 86400 } } },
        },
      },
    });
  });
  afterAll(async () => {
    await running.stop();
  });

  async function post(username: string, code: string): Promise<Answer> {
    const Authorization = `Basic ${Buffer.from(`${username}:${code}`).toString('base64')}`;
    const csr = await plainCsr('meter', await generateKeyPair('P-256'));
    const { gateway } = running;
    return await send(`${gateway.url}/basic/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(csr, { Authorization }),
    });
  }

  it('is not used up by a stranger without a code while EJBCA is down', async () => {
    running.ejbca.addEndEntity({ username: 'meter', subjectDn: 'CN=meter', password: 'secret-17' });
    running.ejbca.setFault({ kind: 'reset', when: 'before' });
    expect((await post('nobody', 'guess')).status).toBe(503);
    running.ejbca.clearFaults();
    const answer = await post('meter', 'secret-17');
    expect(answer.status).toBe(200);
    expect((await post('meter', 'secret-17')).status).toBe(429);
  });
});
