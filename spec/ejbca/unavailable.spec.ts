import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addUser } from '../../src/cli/user.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, enrolment, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { databaseOutage, redeploy, restart } from '../support/ejbca/state.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

/** EJBCA holds what is asked while it starts, and answers then. */
const down = [...new Set([...restart, ...redeploy, ...databaseOutage])].filter(
  (state) => state !== 'running' && state !== 'starting',
);

describe('while EJBCA is not available', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: { requireClientCertificate: false, requireUsernameAndPassword: true },
        keys: {
          requireClientCertificate: false,
          requireUsernameAndPassword: true,
          serverKeyGeneration: true,
        },
      },
      backend: { circuitBreaker: { failures: 1000, pause: 1 } },
    });
  });

  afterAll(async () => {
    await running.stop();
  });

  async function inState(state: (typeof down)[number], ask: () => Promise<Answer>): Promise<Answer> {
    await running.ejbca.setState(state);
    try {
      return await ask();
    } finally {
      await running.ejbca.setState('running');
    }
  }

  function issuedTo(username: string): number {
    return running.ejbca.database.certificates.filter((issued) => issued.username === username).length;
  }

  const later = { status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } };

  it.each(down)('%s: lets a device enrol later, and issues once', async (state) => {
    const name = `enrols-${state.replaceAll(' ', '-')}`;
    const csr = await plainCsr(name, await generateKeyPair('P-256'));
    const enrol = async (): Promise<Answer> => await enrolWithBasic(running.gateway, csr, 'basic');
    expect(await inState(state, enrol)).toMatchObject(later);
    expect(await enrol()).toMatchObject({ status: 200 });
    expect(issuedTo(name)).toBe(1);
  });

  /** When its database comes back, EJBCA finds again, and fails to register: what came of that nobody knows. */
  const deaf = down.filter((state) => state !== 'database back');

  it.each(deaf)('%s: leaves the one use of a code to a device that wants a key', async (state) => {
    const name = `keyless-${state.replaceAll(' ', '-')}`;
    const code = 'correct-horse-battery-2';
    await addUser(running.gateway.store, { alias: 'keys', name, code, remainingUses: 1 });
    const csr = await plainCsr(name, await generateKeyPair('P-256'));
    const Authorization = `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}`;
    const ask = async (): Promise<Answer> =>
      await send(`${running.gateway.url}/keys/serverkeygen`, {
        ca: running.gateway.trustAnchor,
        ...enrolment(csr, { Authorization }),
      });
    expect(await inState(state, ask)).toMatchObject(later);
    expect(await ask()).toMatchObject({ status: 200 });
    expect(await ask()).toMatchObject({ status: 403 });
    expect(issuedTo(name)).toBe(1);
  });

  it.each(down)('%s: lets a device renew later, and issues once', async (state) => {
    const name = `renews-${state.replaceAll(' ', '-')}`;
    const device = await enrolDevice(running.gateway, name, 'basic');
    const csr = await plainCsr(name, await generateKeyPair('P-256'));
    const again = async (): Promise<Answer> => await renew(running.gateway, device, csr, 'basic');
    expect(await inState(state, again)).toMatchObject(later);
    expect(await again()).toMatchObject({ status: 200 });
    expect(issuedTo(name)).toBe(2);
  });
});
