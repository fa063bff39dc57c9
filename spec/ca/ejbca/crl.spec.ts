import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { certificateToPem } from '../../../src/pkix/certificate.ts';
import { generateKeyPair } from '../../support/csr.ts';
import { plainCsr } from '../../support/device.ts';
import { publishCrl } from '../../support/ejbca/model/revocation-list.ts';
import { startEjbca, type StandIn } from '../../support/ejbca/start.ts';
import { openssl } from '../../support/openssl.ts';
import { rest } from '../../ejbca-stand-in/rest-client.ts';
import { signal, type OpenedCa } from '../setup.ts';
import { defaultOptions, openForContract, settingsFor } from './setup.ts';

describe.each(['7.11.0', '8.2.0.1'])('CRLs of EJBCA %s', (version) => {
  let ejbca: StandIn;
  let opened: OpenedCa;
  beforeEach(async () => {
    ejbca = await startEjbca({ version });
    await ejbca.addCertificationAuthority('Divided CA', {
      crlPartitions: 3,
      crlDistributionPoint: 'http://crl.example/divided-*.crl',
    });
    const { certificateFile: certificate, keyFile } = ejbca.clientCertificate;
    opened = await openForContract(
      defaultOptions({
        baseUrl: ejbca.url,
        trustAnchor: ejbca.trustAnchorFile,
        clientCertificate: { certificate, privateKey: `file:${keyFile}` },
      }),
      settingsFor({ certificateAuthority: 'Divided CA' }),
      async () => {
        await Promise.resolve();
      },
    );
  });
  afterEach(async () => {
    await opened.close();
    await ejbca.stop();
  });

  async function serialNumbersIn(partition?: number): Promise<readonly string[]> {
    const crl = (await opened.ca.crl?.(signal, partition)) ?? '';
    const text = await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': crl });
    return Array.from(text.matchAll(/Serial Number: ([0-9A-F]+)/g), ([, serialNumber = '']) => serialNumber);
  }

  /** Issues to some devices and revokes the certificates. Gives each serial number with the partition that it names. */
  async function revokedCertificates(): Promise<readonly (readonly [string, number])[]> {
    for (let n = 0; n < 8; n += 1) {
      const csr = await plainCsr(`device-${n}`, await generateKeyPair('P-256'));
      const json = {
        certificate_request: csr.toString('base64'),
        certificate_authority_name: 'Divided CA',
        certificate_profile_name: 'Device',
        end_entity_profile_name: 'Device',
        username: `device-${n}`,
        password: 'foo123',
      };
      expect(await rest(ejbca, 'POST', '/v1/certificate/pkcs10enroll', { json })).toMatchObject({
        status: 201,
      });
    }
    const { certificates, certificationAuthorities } = ejbca.database;
    for (const issued of certificates) issued.revocation = { reason: 'SUPERSEDED', at: new Date() };
    const ca = certificationAuthorities.get('Divided CA');
    if (ca !== undefined) await publishCrl(ejbca.database, ca);
    return await Promise.all(
      certificates.map(async ({ der }) => {
        const text = await openssl('x509 -noout -serial -ext crlDistributionPoints -in a.pem', {
          'a.pem': certificateToPem(der),
        });
        const [, serialNumber = '', partition] = /serial=([0-9A-F]+)[^]*divided-(\d)\.crl/.exec(text) ?? [];
        return [serialNumber, Number(partition)] as const;
      }),
    );
  }

  it('are there for each partition, with the certificates that name it', async () => {
    const revoked = await revokedCertificates();
    expect(new Set(revoked.map(([, partition]) => partition)).size).toBeGreaterThan(1);
    expect(await serialNumbersIn()).toEqual([]);
    for (const partition of [1, 2, 3]) {
      const named = revoked.flatMap(([serialNumber, own]) => (own === partition ? [serialNumber] : []));
      expect([...(await serialNumbersIn(partition))].sort()).toEqual([...named].sort());
    }
  });

  it('are missed in words', async () => {
    await expect(opened.ca.crl?.(signal, 4)).rejects.toMatchObject({
      code: 'ca_bad_answer',
      message: 'EJBCA has no CRL of partition 4 of this CA.',
      cause: expect.objectContaining({ message: expect.stringMatching(/Create a CRL of Divided CA/) }),
    });
    ejbca.database.certificationAuthorities.get('Divided CA')?.crls.clear();
    await expect(opened.ca.crl?.(signal)).rejects.toMatchObject({
      message: 'EJBCA has no CRL of this CA.',
    });
  });
});
