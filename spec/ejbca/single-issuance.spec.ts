import { afterEach, describe, expect, it } from '@jest/globals';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import { startEjbcaGateway, type EjbcaGateway, type EjbcaGatewayOptions } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };

describe('what the answers of EJBCA show of its settings', () => {
  let running: EjbcaGateway;

  afterEach(async () => {
    await running.stop();
  });

  async function start(options: Partial<EjbcaGatewayOptions>): Promise<void> {
    running = await startEjbcaGateway({
      aliases: { basic: byUser },
      backend: { circuitBreaker: { failures: 1000, pause: 1 }, transactionTimeout: 2 },
      ...options,
    });
  }

  const newCsr = async (name: string): Promise<Buffer> =>
    await plainCsr(name, await generateKeyPair('P-256'));
  const enrol = async (csr: Buffer): Promise<Answer> => await enrolWithBasic(running.gateway, csr, 'basic');

  function callsOfOneStep(): number {
    return running.ejbca.requests.filter(({ path }) => path.endsWith('/pkcs10enroll')).length;
  }

  function warnings(): readonly unknown[] {
    return running.gateway.log.entries
      .filter(({ message }) => message.includes('does not give one certificate for each registration'))
      .map(({ fields }) => fields['advice']);
  }

  it.each(['new', 'known'])(
    'that the profile makes passwords: a %s end entity is served in one step',
    async (username) => {
      await start({
        aliases: { basic: { ...byUser, endEntityProfile: 'Made' } },
        prepare: async (ejbca) => {
          ejbca.addEndEntityProfile('Made', { makesPasswords: true });
          ejbca.addEndEntity({ username: 'known', endEntityProfile: 'Made', status: 'GENERATED' });
          await Promise.resolve();
        },
      });
      expect((await enrol(await newCsr(username))).status).toBe(200);
      expect((await enrol(await newCsr('other'))).status).toBe(200);
      expect(callsOfOneStep()).toBe(2);
      expect(warnings()).toEqual([expect.stringContaining('"Auto-generated"')]);
      const csr = await newCsr('lost');
      running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'pkcs10enroll', times: 1 });
      expect((await enrol(csr)).status).toBe(503);
      expect((await enrol(csr)).status).toBe(200);
      expect(running.ejbca.database.certificates).toHaveLength(3);
    },
  );

  it('that the CA does not finish users: they are served in one step from then on', async () => {
    await start({
      prepare: async ({ database }) => {
        const ca = database.certificationAuthorities.get('Device CA');
        if (ca !== undefined) ca.finishesUser = false;
        await Promise.resolve();
      },
    });
    for (const name of ['one', 'two', 'three']) expect((await enrol(await newCsr(name))).status).toBe(200);
    expect(callsOfOneStep()).toBe(2);
    expect(warnings()).toEqual([expect.stringContaining('"Finish User"')]);
    expect(running.ejbca.database.certificates).toHaveLength(3);
  });

  it('in client mode, with which profiles an end entity is registered, whatever those of the alias are', async () => {
    const client = { operationMode: 'client', authenticationModule: 'HttpBasicAuth' };
    await start({
      aliases: { client: { ...client, certificateProfile: 'ENDUSER', endEntityProfile: 'EMPTY' } },
      role: registrationAuthorityRules('Device CA', 'Device'),
      prepare: async (ejbca) => {
        ejbca.addEndEntity({ username: 'meter' });
        await Promise.resolve();
      },
    });
    const { gateway, ejbca } = running;
    const authorization = `Basic ${Buffer.from('meter:foo123').toString('base64')}`;
    const request = enrolment(await newCsr('meter'), { Authorization: authorization });
    const ask = async (): Promise<number> =>
      (await send(`${gateway.url}/client/simpleenroll`, { ca: gateway.trustAnchor, ...request })).status;
    ejbca.setFault({ kind: 'reset', when: 'before', path: 'certificaterequest', times: 1 });
    expect([await ask(), await ask()]).toEqual([503, 200]);
    expect(warnings()).toEqual([]);
  });
});
