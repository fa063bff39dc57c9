import { afterEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { loadConfiguration } from '../../src/config/load.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { oids } from '../../src/pkix/oids.ts';
import { checkGateway } from '../../src/server.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair, spkiOf } from '../support/csr.ts';
import {
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
} from '../support/device.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import { issueCertificate } from '../support/ejbca/authority.ts';
import { nameFromDn } from '../support/ejbca/distinguished-name.ts';
import type { StandIn } from '../support/ejbca/start.ts';
import { recordLog } from '../support/log.ts';
import { openssl } from '../support/openssl.ts';
import { startEjbcaGateway, type EjbcaGateway, type EjbcaGatewayOptions } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const vendor = {
  operationMode: 'client',
  vendorCertificateMode: true,
  vendorCas: ['Vendor CA'],
  extractUsernameComponent: 'CN',
};

describe('the CAs of EJBCA', () => {
  let running: EjbcaGateway | undefined;
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  async function start(options: EjbcaGatewayOptions): Promise<EjbcaGateway> {
    return (running = await startEjbcaGateway(options));
  }

  function setStatus({ database }: StandIn, name: string, status: 'offline' | 'external'): void {
    const ca = database.certificationAuthorities.get(name);
    if (ca === undefined) throw new Error(`no CA ${name}`);
    ca.status = status;
  }

  async function addVendorCa(ejbca: StandIn, status: 'offline' | 'external'): Promise<void> {
    await ejbca.addCertificationAuthority('Vendor Root');
    await ejbca.addCertificationAuthority('Vendor CA', { signedBy: 'Vendor Root' });
    setStatus(ejbca, 'Vendor Root', status);
    setStatus(ejbca, 'Vendor CA', status);
  }

  async function enrolByVendorCertificate({ ejbca, gateway }: EjbcaGateway): Promise<Answer> {
    const authority = ejbca.database.certificationAuthorities.get('Vendor CA')?.authority;
    if (authority === undefined) throw new Error('no CA');
    const keyPair = await generateKeyPair('P-256');
    const { der } = await issueCertificate(authority, {
      subject: nameFromDn('CN=pump', 'ldap'),
      alternativeNames: [],
      spki: spkiOf(keyPair.publicKey),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3650 * 86_400_000),
      extendedKeyUsage: [oids.clientAuth],
    });
    ejbca.addEndEntity({ username: 'pump' });
    return await send(`${gateway.url}/vendor/simpleenroll`, {
      ca: gateway.trustAnchor,
      key: privatePem(keyPair.privateKey),
      cert: certificateToPem(der) + certificateToPem(authority.certificate),
      ...enrolment(await plainCsr('pump', keyPair)),
    });
  }

  async function subjectsOfCaCertificates({ gateway }: EjbcaGateway): Promise<string> {
    const { body } = await send(`${gateway.url}/basic/cacerts`, { ca: gateway.trustAnchor });
    const der = Buffer.from(body, 'base64');
    return await openssl('pkcs7 -inform DER -in answer.p7 -print_certs -noout', { 'answer.p7': der });
  }

  const role = [...registrationAuthorityRules('Device CA', 'Device'), '/ca/Vendor CA/'];

  it.each(['7.10.0.2', '7.11.0.1', '8.0.0'])(
    'are found by the web service where version %s has no list of them',
    async (version) => {
      const gateway = await start({
        installation: { version },
        role,
        aliases: { basic: byUser, vendor },
        prepare: async (ejbca) => {
          await addVendorCa(ejbca, 'external');
        },
      });
      expect(await subjectsOfCaCertificates(gateway)).toMatch(/Device CA[^]*Root CA/);
      const device = await enrolDevice(gateway.gateway, 'device', 'basic');
      const next = await plainCsr('device', await generateKeyPair('P-256'));
      expect((await renew(gateway.gateway, device, next, 'basic')).status).toBe(200);
      expect((await enrolByVendorCertificate(gateway)).status).toBe(200);
      const [issued] = gateway.ejbca.database.certificates;
      if (issued !== undefined) issued.revocation = { reason: 'KEY_COMPROMISE', at: new Date() };
      const other = await plainCsr('device', await generateKeyPair('P-256'));
      const refused = await renew(gateway.gateway, device, other, 'basic');
      expect(refused).toMatchObject({ status: 403, body: expect.stringMatching(/revoked/) });
      const configuration = await loadConfiguration(gateway.gateway.configurationFile);
      expect(await checkGateway(configuration, recordLog())).toEqual([]);
    },
  );

  it.each(['offline', 'external'] as const)('may be of a vendor while they are %s', async (status) => {
    const gateway = await start({
      installation: { version: '8.2.0.1' },
      role,
      aliases: { vendor },
      prepare: async (ejbca) => {
        await addVendorCa(ejbca, status);
      },
    });
    const answer = await enrolByVendorCertificate(gateway);
    expect(answer.status).toBe(200);
    expect(new X509Certificate(await certificateOf(answer)).issuer).toContain('CN=Device CA');
  });

  it('are named when one of them issues nothing, and devices are told to come later', async () => {
    const gateway = await start({
      aliases: { basic: byUser },
      prepare: async (ejbca) => {
        setStatus(ejbca, 'Device CA', 'offline');
        await Promise.resolve();
      },
    });
    expect(gateway.gateway.log.entries).toContainEqual({
      level: 'warn',
      message: expect.stringMatching(/issues nothing at the moment/),
      fields: expect.objectContaining({ backend: 'ejbca', certificateAuthority: 'Device CA' }),
    });
    expect(await subjectsOfCaCertificates(gateway)).toMatch(/Device CA[^]*Root CA/);
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    const answer = await enrolWithBasic(gateway.gateway, csr, 'basic');
    expect(answer.status).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('are all named when the one that is asked for is not among them', async () => {
    const refused = start({
      role,
      aliases: { vendor: { ...vendor, vendorCas: ['Pump CA'] } },
      prepare: async (ejbca) => {
        await addVendorCa(ejbca, 'external');
      },
    });
    await expect(refused).rejects.toThrow(
      "aliases.vendor: ejbca.vendorCas: EJBCA has no CA Pump CA that the gateway's role may use; it may use: Device CA, Vendor CA.",
    );
  });
});
