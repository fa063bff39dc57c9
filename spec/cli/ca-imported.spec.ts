import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { signCertificateRevocationList } from '../../src/pkix/crl.ts';
import { createSigner } from '../../src/pkix/signer.ts';
import { caOf } from '../ca/setup.ts';
import { newKey, opensslCertificate, pkcs8, type OpensslCa } from '../ca/local/openssl-ca.ts';
import { send, type Answer } from '../support/client.ts';
import { enrolDevice, enrolment, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openssl, opensslOctets } from '../support/openssl.ts';
import { output } from './command-line.ts';

/** The last CRL of a CA, number 57, with a certificate on it; DER. */
async function lastCrl(ca: OpensslCa, cert: string): Promise<Buffer> {
  const [issuer] = certificatesFromPem(ca.certificate);
  if (issuer?.subjectKeyIdentifier === undefined) throw new Error('The CA has no key identifier.');
  const at = new Date(Date.now() - 3_600_000);
  return await signCertificateRevocationList(
    {
      ...{
        issuer: issuer.subject,
        thisUpdate: at,
        nextUpdate: new Date(Date.now() + 3_600_000),
        crlNumber: 57,
      },
      authorityKeyIdentifier: issuer.subjectKeyIdentifier,
      revoked: [
        { serialNumber: new X509Certificate(cert).serialNumber.toLowerCase(), at, reason: 'keyCompromise' },
      ],
    },
    createSigner(ca.key),
  );
}

describe('devices of a CA that was imported', () => {
  let gateway: TestGateway;
  /** PEM of a certificate from before the import, and of its key. */
  let before: { readonly cert: string; readonly key: string };
  /** The same, on the last CRL of the CA, whose number is 57. */
  let listed: typeof before;
  /** The same, not on it, in the folder of what was issued. */
  let taken: typeof before;
  /** The same, in no file. */
  let shown: typeof before;
  let since: Device;
  let issuing: string;

  beforeAll(async () => {
    const root = await opensslCertificate({ key: newKey.p256(), name: 'Old Root' });
    const ca = await opensslCertificate({ key: newKey.p256(), name: 'Old Issuing', issuer: root });
    issuing = ca.certificate;
    const { key, certificate } = await opensslCertificate({
      key: newKey.p256(),
      name: 'old-device',
      issuer: ca,
      basicConstraints: 'CA:FALSE',
      keyUsage: 'digitalSignature',
    });
    before = { cert: certificate, key: pkcs8(key) };
    const device = { issuer: ca, basicConstraints: 'CA:FALSE', keyUsage: 'digitalSignature' };
    const make = async (name: string): Promise<typeof before> => {
      const made = await opensslCertificate({ key: newKey.p256(), name, ...device });
      return { cert: made.certificate, key: pkcs8(made.key) };
    };
    [listed, taken, shown] = [await make('listed'), await make('taken'), await make('shown')];
    gateway = await startTestGateway();
    const texts = { 'old-root.pem': root.certificate, 'old.pem': ca.certificate, 'old.key': pkcs8(ca.key) };
    for (const [name, text] of Object.entries(texts)) await writeFile(join(gateway.directory, name), text);
    await writeFile(join(gateway.directory, 'last.crl'), await lastCrl(ca, listed.cert));
    await mkdir(join(gateway.directory, 'newcerts'));
    await writeFile(join(gateway.directory, 'newcerts/01.pem'), taken.cert);
    const files =
      '--key old.key --certificate old.pem --chain old-root.pem --crl last.crl --issued newcerts'.split(' ');
    const words = ['ca', 'import', ...files, '--backend', 'plant', '--config', gateway.configurationFile];
    const printed = parse(await output(words, { cwd: gateway.directory })) as Record<string, object>;
    await gateway.reload((written) => ({
      ...written,
      backends: { ...written.backends, ...printed },
      aliases: { est: { ...written.aliases['est'], backend: 'plant' } },
    }));
    since = await enrolDevice(gateway, 'new-device');
  });

  afterAll(async () => {
    await gateway.stop();
  });

  async function renew({ cert, key }: typeof before, subject: string): Promise<Answer> {
    const csr = await opensslOctets(`req -new -key device.key -subj ${subject} -outform DER`, {
      'device.key': key,
    });
    return await send(`${gateway.url}/simplereenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(csr),
    });
  }

  it('S-07 renew what they had before the import, by the configuration that the command prints', async () => {
    expect(await renew(before, '/O=Acme/CN=old-device')).toMatchObject({ status: 200 });
    expect(await renew(since, '/CN=new-device')).toMatchObject({ status: 200 });
  });

  it('S-07 stay revoked by the CRL from before the import, whose number and entries are carried on', async () => {
    expect(await renew(listed, '/O=Acme/CN=listed')).toMatchObject({ status: 403 });
    const crl = Buffer.from(await (await fetch(`${gateway.httpUrl}/crl/plant.crl`)).arrayBuffer());
    const text = await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': crl });
    expect(text).toMatch(/X509v3 CRL Number: \s+58\n/);
    expect(text).toContain(`Serial Number: ${new X509Certificate(listed.cert).serialNumber}`);
    expect(text).toContain('Key Compromise');
  });

  it('S-07 can be revoked when their certificates were taken along, or shown', async () => {
    const renewals = async (): Promise<readonly number[]> => [
      (await renew(taken, '/O=Acme/CN=taken')).status,
      (await renew(shown, '/O=Acme/CN=shown')).status,
    ];
    expect(await renewals()).toEqual([200, 200]);
    for (const { cert } of [taken, shown]) {
      const serialNumber = new X509Certificate(cert).serialNumber.toLowerCase();
      const ca = caOf({ certificate: issuing });
      expect(await gateway.store.certificates.revoke(ca, serialNumber, 'superseded', new Date())).toBe(
        'revoked',
      );
    }
    expect(await renewals()).toEqual([403, 403]);
  });

  it('S-07 renew no longer what the store does not have, once its record is said to be complete', async () => {
    await gateway.reload((written) => ({
      ...written,
      backends: { ...written.backends, plant: { ...written.backends['plant'], record: 'complete' } },
    }));
    expect(await renew(before, '/O=Acme/CN=old-device')).toMatchObject({
      status: 403,
      body: expect.stringContaining('it is not among the certificates that this CA has issued'),
    });
    expect(await renew(since, '/CN=new-device')).toMatchObject({ status: 200 });
  });
});
