import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { newKey, opensslCertificate, pkcs8 } from '../ca/local/openssl-ca.ts';
import { send, type Answer } from '../support/client.ts';
import { enrolDevice, enrolment, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { opensslOctets } from '../support/openssl.ts';
import { output } from './command-line.ts';

describe('devices of a CA that was imported', () => {
  let gateway: TestGateway;
  /** PEM of a certificate from before the import, and of its key. */
  let before: { readonly cert: string; readonly key: string };
  let since: Device;

  beforeAll(async () => {
    const root = await opensslCertificate({ key: newKey.p256(), name: 'Old Root' });
    const ca = await opensslCertificate({ key: newKey.p256(), name: 'Old Issuing', issuer: root });
    const { key, certificate } = await opensslCertificate({
      key: newKey.p256(),
      name: 'old-device',
      issuer: ca,
      basicConstraints: 'CA:FALSE',
      keyUsage: 'digitalSignature',
    });
    before = { cert: certificate, key: pkcs8(key) };
    gateway = await startTestGateway();
    const texts = { 'old-root.pem': root.certificate, 'old.pem': ca.certificate, 'old.key': pkcs8(ca.key) };
    for (const [name, text] of Object.entries(texts)) await writeFile(join(gateway.directory, name), text);
    const files = '--key old.key --certificate old.pem --chain old-root.pem'.split(' ');
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
