import { derRead, partsRead } from '../support/watch-der.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import crypto, { X509Certificate } from 'node:crypto';
import { Agent } from 'node:https';
import { certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolment,
  plainCsr,
  privatePem,
  renew,
  type Device,
} from '../support/device.ts';
import { send, type Answer } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('what a request costs', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const imports = jest.spyOn(crypto, 'createPublicKey');
  beforeEach(() => {
    derRead.length = 0;
    imports.mockClear();
  });
  afterAll(() => {
    imports.mockRestore();
  });

  const readingsOf = (der: Buffer): number =>
    derRead.filter((octets) => octets === der.toString('hex')).length;
  const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;

  /** How often what a request brought, and what was issued, was read, and how many keys were imported meanwhile. */
  async function countedOf(csr: Buffer, post: () => Promise<Answer>, shown?: Pick<Device, 'cert'>) {
    derRead.length = 0;
    imports.mockClear();
    const answer = await post();
    expect(answer.status).toBe(200);
    const keys = imports.mock.calls.length;
    const issued = derOf(await certificateOf(answer));
    return {
      csr: readingsOf(csr),
      issued: readingsOf(issued),
      ...(shown && { shown: readingsOf(derOf(shown.cert)) }),
      keys,
    };
  }

  async function enrol(csr: Buffer): Promise<Answer> {
    return await send(`${gateway.url}/est/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(csr, { Authorization: basic }),
    });
  }

  async function newDevice(commonName: string): Promise<Device> {
    const keyPair = await generateKeyPair('P-256');
    const cert = await certificateOf(await enrol(await plainCsr(commonName, keyPair)));
    return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert };
  }

  it('reads the CSR and the certificate of a first enrolment once, and imports one key', async () => {
    // The CA's own certificates and keys are read at the first request of all.
    await newDevice('first');
    const csr = await plainCsr('second', await generateKeyPair('P-256'));
    expect(await countedOf(csr, async () => await enrol(csr))).toEqual({ csr: 1, issued: 1, keys: 1 });
  });

  it('reads the certificate of a renewal once for all requests of its holder', async () => {
    const other = await newDevice('other');
    const device = await newDevice('renews');
    const { key, cert } = device;
    const agent = new Agent({ ca: gateway.trustAnchor, key, cert, keepAlive: true, maxSockets: 1 });
    const renewWith = async (csr: Buffer, through: Agent | false): Promise<Answer> =>
      await send(`${gateway.url}/est/simplereenroll`, {
        ca: gateway.trustAnchor,
        ...(through === false ? { key, cert } : {}),
        agent: through,
        ...enrolment(csr),
      });
    // The keys of the CA's own certificates are imported when they are needed first.
    await renew(gateway, other, await plainCsr('other', await generateKeyPair('P-256')));
    const counts = [];
    for (const through of [false, false, agent, agent] as const) {
      const csr = await plainCsr('renews', await generateKeyPair('P-256'));
      counts.push(await countedOf(csr, async () => await renewWith(csr, through), device));
    }
    agent.destroy();
    const later = { csr: 1, issued: 1, shown: 0, keys: 1 };
    expect(counts).toEqual([{ ...later, shown: 1 }, later, later, later]);
  });

  it('reads a CSR that is refused once, and says for whom it is', async () => {
    const csr = await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: name([id.commonName, utf8String('refused')]),
      spki: Buffer.from('3000', 'hex'),
    });
    partsRead.length = 0;
    const { status } = await enrol(csr);
    const { fields } = gateway.log.entries.findLast(({ message }) => message === 'request') ?? {};
    expect([status, fields?.['subject'], readingsOf(csr), imports.mock.calls.length]).toEqual([
      400,
      'CN=refused',
      1,
      0,
    ]);
    expect(partsRead.filter((part) => part === 'The subject')).toHaveLength(1);
  });
});
