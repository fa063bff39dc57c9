import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RevocationReason } from '../../src/store/store.ts';
import { output, run } from '../cli/command-line.ts';
import { startChain } from '../relay/chain.ts';
import { send, type Answer } from '../support/client.ts';
import { issueByCa, type Signatory } from '../support/cmc.ts';
import { generateKeyPair, type KeyPair } from '../support/csr.ts';
import {
  certificateOf,
  enrolDevice,
  enrolment,
  enrolWithBasic,
  plainCsr,
  privatePem,
  renew,
} from '../support/device.ts';
import {
  newAuthority,
  newServerCertificate,
  type TestAuthority,
  type TestGateway,
} from '../support/gateway.ts';
import { keyPairOf, startAmongKeyHolders } from '../support/key-holders.ts';
import { openssl } from '../support/openssl.ts';

const purposes = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';
const keyOfShown = { status: 403, body: expect.stringContaining('has a key that has been compromised') };
const theirs = { status: 403, body: expect.stringContaining('The key of the CSR belongs to somebody else') };

describe('keys that no client may have', () => {
  let gateway: TestGateway;
  let sibling: TestAuthority;
  let vendor: TestAuthority;

  beforeAll(async () => {
    const proxy = await newServerCertificate(await newAuthority());
    ({ gateway, sibling, vendor } = await startAmongKeyHolders({
      proxy: {
        ...{ address: '127.0.0.1', port: 0, clientCertificate: 'nginx' },
        tls: {
          certificate: 'proxy.pem',
          privateKey: 'file:proxy.key',
          trustAnchors: ['sibling-root.pem'],
          names: ['localhost'],
        },
      },
      files: { 'proxy.pem': proxy.certificate, 'proxy.key': proxy.key },
    }));
  });

  afterAll(async () => {
    await gateway.stop();
  });

  const enrolWith = async (key: KeyPair, commonName = 'device'): Promise<Answer> =>
    await enrolWithBasic(gateway, await plainCsr(commonName, key));

  async function asAuthority(
    { key, cert }: Signatory,
    operation: string,
    commonName: string,
    keyPair: KeyPair,
  ): Promise<Answer> {
    return await send(`${gateway.url}/plant/${operation}`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(await plainCsr(commonName, keyPair)),
    });
  }

  it.each<[string, () => { readonly issuingKey: string }]>([
    ['of the CA', () => gateway],
    ["of another alias's CA", () => sibling],
    ["of another alias's vendor", () => vendor],
  ])('V-24 S-17 refuses the key %s', async (_whose, ca) => {
    const key = keyPairOf(gateway, ca().issuingKey);
    expect(await enrolWith(key)).toMatchObject(theirs);
  });

  it.each([
    ["of the gateway's own TLS certificate", 'server.key'],
    ['of its TLS certificate for a proxy', 'proxy.key'],
    ['by which a webhook knows it', 'webhook.key'],
  ])('S-17 refuses the key %s', async (_what, file) => {
    const key = keyPairOf(gateway, await readFile(join(gateway.directory, file), 'utf8'));
    expect(await enrolWith(key, 'localhost')).toMatchObject(theirs);
  });

  it('S-17 refuses the key by which a backend knows the gateway', async () => {
    const chain = await startChain();
    try {
      const key = keyPairOf(gateway, await readFile(join(chain.relay.directory, 'ra.key'), 'utf8'));
      expect(await enrolWithBasic(chain.relay, await plainCsr('relay', key))).toMatchObject(theirs);
      expect(await chain.upstream.store.enrollments.list(1)).toEqual([]);
    } finally {
      await chain.stop();
    }
  });

  it('S-17 refuses the key of a registration authority that the CA has certified', async () => {
    const keyPair = await generateKeyPair('P-256');
    const csr = join(gateway.directory, 'ra.csr');
    await writeFile(csr, await plainCsr('RA 1', keyPair));
    const config = ['--config', gateway.configurationFile];
    await output([
      'ca',
      'issue',
      '--role',
      'registration-authority',
      '--csr',
      csr,
      '--backend',
      'local',
      ...config,
    ]);
    expect(await enrolWith(keyPair)).toMatchObject(theirs);
  });

  it('S-17 lets a registration authority renew itself with its key, and ask for nobody else with it', async () => {
    const authority = await issueByCa(gateway, 'RA 1', purposes);
    const other = await generateKeyPair('P-256');
    const sensor = 'sensor.plant.example';
    expect(await asAuthority(authority, 'simpleenroll', sensor, authority.keyPair)).toMatchObject(theirs);
    expect(await asAuthority(authority, 'simpleenroll', sensor, other)).toMatchObject({ status: 200 });
    expect(await asAuthority(authority, 'simplereenroll', sensor, authority.keyPair)).toMatchObject(theirs);
    expect(await asAuthority(authority, 'simplereenroll', 'RA 1', authority.keyPair)).toMatchObject({
      status: 200,
    });
  });

  /** Two certificates of one device over one key, of which the first is revoked. */
  async function withTwoCertificates(commonName: string, reason: RevocationReason) {
    const device = await enrolDevice(gateway, commonName);
    const cert = await certificateOf(
      await renew(gateway, device, await plainCsr(commonName, device.keyPair)),
    );
    const serialNumber = new X509Certificate(device.cert).serialNumber.toLowerCase();
    expect(new X509Certificate(cert).serialNumber.toLowerCase()).not.toBe(serialNumber);
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, reason, new Date());
    return { ...device, cert, revoked: serialNumber };
  }

  it.each(['keyCompromise', 'cACompromise', 'aACompromise'] as const)(
    'S-17 refuses a key that was revoked for %s, also to who shows another certificate of it',
    async (reason) => {
      const compromised = { status: 403, body: expect.stringContaining('has been compromised') };
      const device = await withTwoCertificates(`device-${reason}`, reason);
      const again = await plainCsr(device.commonName, device.keyPair);
      expect(await renew(gateway, device, again)).toMatchObject(compromised);
      expect(await enrolWithBasic(gateway, again)).toMatchObject(compromised);
      expect(await enrolWithBasic(gateway, again, 'sibling')).toMatchObject(compromised);
      const rekeyed = await plainCsr(device.commonName, await generateKeyPair('P-256'));
      expect(await renew(gateway, device, rekeyed)).toMatchObject(keyOfShown);
    },
  );

  it('S-17 refuses the key once the reason of an earlier revocation is raised to a compromise', async () => {
    const device = await withTwoCertificates('device-raised', 'superseded');
    const rekey = async () =>
      await renew(gateway, device, await plainCsr(device.commonName, await generateKeyPair('P-256')));
    expect(await rekey()).toMatchObject({ status: 200 });
    const words = ['ca', 'revoke', device.revoked, '--reason', 'keyCompromise', '--backend', 'local'];
    const raise = async () => await output([...words, '--config', gateway.configurationFile]);
    expect(await raise()).toBe(`${device.revoked} was revoked before; its reason is keyCompromise now.\n`);
    expect(await raise()).toBe(`${device.revoked} was revoked before; nothing was changed.\n`);
    expect(await rekey()).toMatchObject(keyOfShown);
    const crl = await openssl('crl -in crl -noout -text', {
      crl: await output(['ca', 'crl', '--backend', 'local', '--config', gateway.configurationFile]),
    });
    expect(crl.toLowerCase()).toMatch(new RegExp(`serial number: 0*${device.revoked}\n[^]*key compromise`));
  });

  it('S-17 refuses the key in a certificate of another CA, and to ca issue', async () => {
    const keyPair = await generateKeyPair('P-256');
    const first = await certificateOf(await enrolWithBasic(gateway, await plainCsr('two-cas', keyPair)));
    const other = await enrolWithBasic(gateway, await plainCsr('two-cas', keyPair), 'sibling');
    const device = { key: privatePem(keyPair.privateKey), cert: await certificateOf(other) };
    const rekey = async () =>
      await renew(gateway, device, await plainCsr('two-cas', await generateKeyPair('P-256')), 'sibling');
    expect(await rekey()).toMatchObject({ status: 200 });
    const serialNumber = new X509Certificate(first).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    expect(await rekey()).toMatchObject(keyOfShown);
    const csr = join(gateway.directory, 'compromised.csr');
    await writeFile(csr, await plainCsr('RA 2', keyPair));
    const words = ['ca', 'issue', '--role', 'registration-authority', '--csr', csr, '--backend', 'local'];
    expect(await run([...words, '--config', gateway.configurationFile])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('The key of the CSR has been compromised; make a new key.'),
    });
  });

  it('S-17 has nothing against a key whose certificate was superseded', async () => {
    const device = await withTwoCertificates('device-superseded', 'superseded');
    const again = await plainCsr(device.commonName, device.keyPair);
    expect(await renew(gateway, device, again)).toMatchObject({ status: 200 });
  });
});
