import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { nameToString } from '../../src/pkix/names.ts';
import { forOthers } from '../conformance/ejbca-fleet.ts';
import { send } from '../support/client.ts';
import {
  certificationRequest,
  generateKeyPair,
  id,
  name,
  printableString,
  utf8String,
} from '../support/csr.ts';
import {
  basic,
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
} from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const countryName = '2.5.4.6';

describe('RA mode', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: byUser,
        both: { requireUsernameAndPassword: true, alias: forOthers },
        certificate: { alias: forOthers },
        newkeys: {
          ...byUser,
          allowUpdateWithSameKey: false,
        },
        random: { ...byUser, nameGeneration: { scheme: 'RANDOM' }, certificateAuthority: 'Random CA' },
        affixed: {
          ...byUser,
          nameGeneration: { prefix: 'est-', postfix: '-${RANDOM}' },
          certificateAuthority: 'Affixed CA',
        },
        whole: { ...byUser, nameGeneration: { scheme: 'USERNAME' }, certificateAuthority: 'Whole CA' },
        uid: { ...byUser, nameGeneration: { parameters: 'UID;SN' } },
        keygen: {
          ...byUser,
          serverKeyGeneration: true,
        },
      },
      // A CA gives a subject to one end entity alone.
      prepare: async (ejbca) => {
        for (const ca of ['Random CA', 'Affixed CA', 'Whole CA']) await ejbca.addCertificationAuthority(ca);
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

  it('renews for a client that keeps the order of its first CSR, which EJBCA changes', async () => {
    const { gateway } = running;
    const key = await generateKeyPair('P-256');
    const csr = await certificationRequest({
      key,
      subject: name(
        [countryName, printableString('SE')],
        [id.organizationName, utf8String('Example')],
        [id.commonName, utf8String('meter-3')],
      ),
    });
    const cert = await certificateOf(await enrolWithBasic(gateway, csr, 'basic'));
    const [certificate] = certificatesFromPem(cert);
    expect(certificate && nameToString(certificate.subject)).toBe('C=SE,O=Example,CN=meter-3');
    const answer = await renew(gateway, { key: privatePem(key.privateKey), cert }, csr, 'basic');
    expect(answer.status).toBe(200);
  });

  it('refuses a renewal under another subject, and asks EJBCA for nothing', async () => {
    const { gateway, ejbca } = running;
    const device = await enrolDevice(gateway, 'meter-4', 'basic');
    const issued = ejbca.database.certificates.length;
    const answer = await renew(gateway, device, await plainCsr('meter-5', device.keyPair), 'basic');
    expect(answer.status).toBe(403);
    expect(ejbca.database.certificates).toHaveLength(issued);
  });

  it('refuses a renewal with the same key where allowUpdateWithSameKey is false', async () => {
    const { gateway } = running;
    const device = await enrolDevice(gateway, 'meter-6', 'newkeys');
    const sameKey = await renew(gateway, device, await plainCsr('meter-6', device.keyPair), 'newkeys');
    expect(sameKey).toMatchObject({ status: 403, body: expect.stringMatching(/new key is required/) });
    const newKey = await plainCsr('meter-6', await generateKeyPair('P-256'));
    expect((await renew(gateway, device, newKey, 'newkeys')).status).toBe(200);
  });

  it('wants what the alias requires to enrol: a certificate, a user, or both', async () => {
    const { gateway } = running;
    const device = await enrolDevice(gateway, 'authority', 'basic');
    const [key, cert] = [device.key, device.cert];
    const csr = await plainCsr('meter-7', await generateKeyPair('P-256'));
    const statusOf = async (
      alias: string,
      ...shown: readonly ('user' | 'certificate')[]
    ): Promise<number> => {
      const headers = shown.includes('user') ? { Authorization: basic } : {};
      const answer = await send(`${gateway.url}/${alias}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...(shown.includes('certificate') && { key, cert }),
        ...enrolment(csr, headers),
      });
      return answer.status;
    };
    expect(await statusOf('basic')).toBe(401);
    expect(await statusOf('basic', 'certificate')).toBe(401);
    expect(await statusOf('both', 'certificate')).toBe(401);
    expect(await statusOf('both', 'user')).toBe(403);
    expect(await statusOf('certificate')).toBe(403);
    expect(await statusOf('certificate', 'certificate')).toBe(200);
    expect(await statusOf('both', 'user', 'certificate')).toBe(200);
    expect(await statusOf('basic', 'user')).toBe(200);
  });

  it('never wants a user for a renewal, but always a certificate', async () => {
    const { gateway } = running;
    const device = await enrolDevice(gateway, 'meter-8', 'basic');
    for (const alias of ['both', 'certificate', 'basic']) {
      const csr = await plainCsr('meter-8', await generateKeyPair('P-256'));
      expect((await renew(gateway, device, csr, alias)).status).toBe(200);
      expect((await renew(gateway, undefined, csr, alias)).status).toBe(403);
    }
  });

  it('makes keys for clients where serverKeyGeneration is on, and certifies them at EJBCA', async () => {
    const { gateway, ejbca } = running;
    const csr = await plainCsr('keyless', await generateKeyPair('P-256'));
    const headers = { Authorization: basic };
    const answer = await send(`${gateway.url}/keygen/serverkeygen`, {
      ca: gateway.trustAnchor,
      ...enrolment(csr, headers),
    });
    expect(answer.status).toBe(200);
    const [, keyPart = '', certificatePart = ''] = answer.body.split(/--[^\r\n]+\r\n/);
    const [key, p7] = [keyPart, certificatePart].map((part) =>
      Buffer.from(part.split('\r\n\r\n')[1] ?? '', 'base64'),
    );
    const publicKey = createPublicKey(
      createPrivateKey({ key: key ?? Buffer.alloc(0), format: 'der', type: 'pkcs8' }),
    );
    const issued = ejbca.database.certificates.at(-1);
    expect(issued?.username).toBe('keyless');
    expect(p7?.includes(issued?.der ?? 'nothing')).toBe(true);
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    expect(new X509Certificate(issued?.der ?? '').publicKey.export({ type: 'spki', format: 'der' })).toEqual(
      spki,
    );
  });

  it('gives 404 for serverkeygen where it is off', async () => {
    const { gateway } = running;
    const csr = await plainCsr('keyless', await generateKeyPair('P-256'));
    const url = `${gateway.url}/basic/serverkeygen`;
    expect((await send(url, { ca: gateway.trustAnchor, ...enrolment(csr) })).status).toBe(404);
  });

  it('names the end entity as nameGeneration says', async () => {
    const { gateway, ejbca } = running;
    const usernameFor = async (alias: string): Promise<string | undefined> => {
      await enrolDevice(gateway, 'named', alias);
      return ejbca.database.certificates.at(-1)?.username;
    };
    expect(await usernameFor('random')).toMatch(/^[A-Za-z0-9]{12}$/);
    expect(await usernameFor('affixed')).toMatch(/^est-named-[A-Za-z0-9]{12}$/);
    expect(await usernameFor('whole')).toBe('CN=named');
    const csr = await plainCsr('no UID', await generateKeyPair('P-256'));
    const refused = await enrolWithBasic(gateway, csr, 'uid');
    expect(refused).toMatchObject({ status: 400, body: expect.stringMatching(/must have one of UID, SN/) });
  });
});
