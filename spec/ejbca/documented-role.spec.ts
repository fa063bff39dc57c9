import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolment, enrolWithBasic, plainCsr, privatePem, renew } from '../support/device.ts';
import { recordLog } from '../support/log.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

/** The rules that docs/ejbca.md has in its table of access rules. */
const documented = [...readFileSync('docs/ejbca.md', 'utf8').matchAll(/^\| `(\/[^`]+\/)` +\|/gm)].map(
  ([, rule = '']) => rule,
);

describe('the role that docs/ejbca.md describes', () => {
  let running: EjbcaGateway;
  /** Of the gateway; a spec may shorten it. */
  const role: string[] = [...documented];

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        ra: { requireClientCertificate: false, requireUsernameAndPassword: true },
        client: {
          operationMode: 'client',
          authenticationModule: 'HttpBasicAuth',
          extractUsernameComponent: 'CN',
        },
      },
      role,
      backend: { circuitBreaker: { failures: 1000, pause: 1 } },
    });
  });

  beforeEach(() => {
    role.splice(0, role.length, ...documented);
  });

  afterAll(async () => {
    await running.stop();
  });

  let count = 0;

  /** A first enrolment and a renewal in RA mode, and an enrolment in client mode. */
  async function statuses(): Promise<readonly number[]> {
    const { gateway, ejbca } = running;
    const name = `device-${(count += 1)}`;
    const key = await generateKeyPair('P-256');
    const first = await enrolWithBasic(gateway, await plainCsr(name, key), 'ra');
    const renewed = first.status === 200 ? [await renewal(first, name, key)] : [];
    ejbca.addEndEntity({ username: `meter-${count}`, password: 'secret-17' });
    const meter = await plainCsr(`meter-${count}`, await generateKeyPair('P-256'));
    const code = `Basic ${Buffer.from(`meter-${count}:secret-17`).toString('base64')}`;
    const registered = await send(`${gateway.url}/client/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(meter, { Authorization: code }),
    });
    return [first, ...renewed, registered].map(({ status }) => status);
  }

  async function renewal(
    first: Answer,
    commonName: string,
    keyPair: Awaited<ReturnType<typeof generateKeyPair>>,
  ): Promise<Answer> {
    const device = {
      commonName,
      keyPair,
      key: privatePem(keyPair.privateKey),
      cert: await certificateOf(first),
    };
    const csr = await plainCsr(commonName, await generateKeyPair('P-256'));
    return await renew(running.gateway, device, csr, 'ra');
  }

  it('S-37 has seven rules, with which everything works and check finds nothing', async () => {
    expect(documented).toHaveLength(7);
    expect(await statuses()).toEqual([200, 200, 200]);
    const configuration = await loadConfiguration(running.gateway.configurationFile);
    expect(await checkGateway(configuration, recordLog())).toEqual([]);
  });

  it.each(documented)('needs %s: without it something fails', async (rule) => {
    role.splice(role.indexOf(rule), 1);
    const without = await statuses();
    expect(without).not.toEqual([200, 200, 200]);
    // It is not the device's fault.
    expect(without.filter((status) => status >= 400 && status < 500)).toEqual([]);
  });
});
