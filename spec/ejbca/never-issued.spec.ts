import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { forOthers } from '../conformance/ejbca-fleet.ts';
import { certificateDer, named } from '../support/certificate.ts';
import { send, type Answer } from '../support/client.ts';
import type { Signatory } from '../support/cmc.ts';
import { generateKeyPair, integer } from '../support/csr.ts';
import { enrolDevice, enrolment, plainCsr, privatePem } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const client = {
  operationMode: 'client',
  authenticationModule: 'HttpBasicAuth',
  extractUsernameComponent: 'CN',
};

describe('a certificate that EJBCA does not know', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    const serverKeyGeneration = true;
    running = await startEjbcaGateway({
      aliases: {
        basic: { ...byUser, serverKeyGeneration },
        certificate: { serverKeyGeneration, alias: forOthers },
        client: { ...client, serverKeyGeneration },
      },
    });
  });

  beforeEach(() => {
    running.ejbca.requests.length = 0;
  });

  afterAll(async () => {
    await running.stop();
  });

  /** A client certificate that the key of the CA has signed outside of EJBCA. */
  async function forge(serialNumber = 0x0badcafen): Promise<Signatory> {
    const authority = running.ejbca.database.certificationAuthorities.get('Device CA')?.authority;
    if (authority === undefined) throw new Error('There is no Device CA.');
    const { privateKey, subject } = authority;
    const key = await generateKeyPair('P-256');
    const der = await certificateDer({
      ...{ subject: named('meter'), issuer: subject.der, serialNumber: integer(serialNumber), key },
      issuerKey: { privateKey, publicKey: createPublicKey(privateKey) },
    });
    return { cert: certificateToPem(der), key: privatePem(key.privateKey) };
  }

  async function ask(path: string, { key, cert }: Signatory): Promise<Answer> {
    const { gateway } = running;
    const csr = await plainCsr('meter', await generateKeyPair('P-256'));
    return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, key, cert, ...enrolment(csr) });
  }

  /** The calls that make certificates. */
  function enrolments(): readonly string[] {
    const paths = running.ejbca.requests.map(({ path }) => path);
    return paths.filter((path) => /pkcs10enroll|certificaterequest/.test(path));
  }

  it.each([
    ['basic/simplereenroll', 403],
    ['certificate/simpleenroll', 403],
    ['certificate/simplereenroll', 403],
    ['certificate/serverkeygen', 403],
    ['client/simplereenroll', 403],
    // As a renewal it is refused, and for a first certificate it is of no use here.
    ['basic/serverkeygen', 401],
    ['client/serverkeygen', 401],
  ])('S-07 is refused for %s with %i, and no certificate is asked for', async (path, expected) => {
    const { status, body } = await ask(path, await forge());
    expect(status).toBe(expected);
    expect(body).toMatch(status === 401 ? /^$/ : /it is not among the certificates that this CA has issued/);
    expect(enrolments()).toEqual([]);
    expect(running.gateway.log.entries).toContainEqual(
      expect.objectContaining({
        message: 'A certificate is refused that its CA has signed and never issued.',
        fields: expect.objectContaining({
          serialNumber: '0badcafe',
          issuer: expect.stringMatching(/CN=Device CA/),
        }),
      }),
    );
  });

  it('S-07 is not renewed under the serial number of another one', async () => {
    const device = await enrolDevice(running.gateway, 'meter', 'basic');
    running.ejbca.requests.length = 0;
    const double = await forge(BigInt(`0x${new X509Certificate(device.cert).serialNumber}`));
    for (const alias of ['basic', 'client']) {
      expect(await ask(`${alias}/simplereenroll`, double)).toMatchObject({ status: 403 });
    }
    expect(enrolments()).toEqual([]);
    expect(await ask('basic/simplereenroll', device)).toMatchObject({ status: 200 });
  });

  it('S-07 is accepted in RA mode where the record is incomplete; client mode needs its end entity', async () => {
    await running.gateway.reload((written) => ({
      ...written,
      backends: { ...written.backends, ejbca: { ...written.backends['ejbca'], record: 'incomplete' } },
    }));
    const stranger = await forge();
    for (const path of ['basic/simplereenroll', 'certificate/simpleenroll', 'certificate/serverkeygen']) {
      expect(await ask(path, stranger)).toMatchObject({ status: 200 });
    }
    expect(await ask('client/simplereenroll', stranger)).toMatchObject({ status: 403 });
  });
});
