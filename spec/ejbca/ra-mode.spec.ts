import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, plainCsr, renew } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

describe('RA mode', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: { requireClientCertificate: false, requireUsernameAndPassword: true },
        both: { requireUsernameAndPassword: true },
        certificate: {},
        newkeys: {
          requireClientCertificate: false,
          requireUsernameAndPassword: true,
          allowUpdateWithSameKey: false,
        },
        keygen: {
          requireClientCertificate: false,
          requireUsernameAndPassword: true,
          serverKeyGeneration: true,
        },
      },
    });
  });

  afterAll(async () => {
    await running.stop();
  });

  it('gives the chain of the CA without authentication', async () => {
    const { gateway, ejbca } = running;
    const answer = await send(`${gateway.url}/basic/cacerts`, { ca: gateway.trustAnchor });
    const chain = ejbca.database.certificationAuthorities.get('Device CA')?.chain ?? [];
    expect(answer.status).toBe(200);
    for (const der of chain) {
      expect(Buffer.from(answer.body, 'base64').includes(der)).toBe(true);
    }
  });

  it('registers the end entity under the name that the alias makes, and gives its one certificate', async () => {
    const { gateway, ejbca } = running;
    const device = await enrolDevice(gateway, 'meter-1', 'basic');
    expect(ejbca.database.endEntities.get('meter-1')).toMatchObject({
      subjectDn: 'CN=meter-1',
      status: 'GENERATED',
      certificateProfile: 'Device',
      endEntityProfile: 'Device',
    });
    const [certificate] = certificatesFromPem(device.cert);
    expect(ejbca.database.certificates.map(({ der }) => der)).toContainEqual(certificate?.der);
  });

  it('renews by the certificate alone, for the end entity that has it, whatever it is called', async () => {
    const { gateway, ejbca } = running;
    const device = await enrolDevice(gateway, 'meter-2', 'basic');
    const issued = ejbca.database.certificates.at(-1);
    Object.assign(issued ?? {}, { username: 'renamed in EJBCA' });
    const answer = await renew(
      gateway,
      device,
      await plainCsr('meter-2', await generateKeyPair('P-256')),
      'basic',
    );
    expect(answer.status).toBe(200);
    expect(ejbca.database.certificates.at(-1)).toMatchObject({ username: 'renamed in EJBCA' });
  });
});
