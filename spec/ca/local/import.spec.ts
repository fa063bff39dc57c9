import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { importCertificationAuthority } from '../../../src/ca/local/import.ts';
import { issue, newRequest, openLocal, type CaTexts } from '../setup.ts';
import { newKey, opensslCertificate, opensslTwoTierCa, pkcs8 } from './openssl-ca.ts';

const passphrase = 'old';
const newPassphrase = 'new';

const forms: readonly (readonly [string, () => KeyObject, (key: KeyObject) => string, string | undefined])[] =
  [
    ['PKCS#8', newKey.p256, pkcs8, undefined],
    [
      'encrypted PKCS#8',
      newKey.p384,
      (key) => key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase }).toString(),
      passphrase,
    ],
    ['PKCS#1', newKey.rsa, (key) => key.export({ type: 'pkcs1', format: 'pem' }).toString(), undefined],
    [
      'encrypted PKCS#1',
      newKey.rsa,
      (key) => key.export({ type: 'pkcs1', format: 'pem', cipher: 'aes-128-cbc', passphrase }).toString(),
      passphrase,
    ],
    ['SEC 1', newKey.p256, (key) => key.export({ type: 'sec1', format: 'pem' }).toString(), undefined],
  ];

describe('Import of an existing CA', () => {
  it.each(forms)('takes a key in %s and keeps it encrypted', async (_form, makeKey, toPem, opening) => {
    const texts = await opensslTwoTierCa(makeKey, toPem);
    const imported = importCertificationAuthority({
      ...texts,
      passphrase: opening,
      newPassphrase,
      now: new Date(),
    });
    const privateKey = createPrivateKey({ key: imported.privateKey, passphrase: newPassphrase });
    expect(imported.privateKey).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect(() => createPrivateKey({ key: imported.privateKey, passphrase })).toThrow();
    expect(new X509Certificate(imported.certificate).checkPrivateKey(privateKey)).toBe(true);
  });

  it('gives texts that the local backend opens and issues with', async () => {
    const { certificate, privateKey, chain } = importCertificationAuthority({
      ...(await opensslTwoTierCa(newKey.p256)),
      passphrase: undefined,
      newPassphrase,
      now: new Date(),
    });
    const local = await openLocal({ certificate, privateKey, passphrase: newPassphrase, chain: [chain] });
    const issued = new X509Certificate(await issue(local.ca, newRequest()));
    expect(issued.verify(new X509Certificate(certificate).publicKey)).toBe(true);
    await local.close();
  });

  it('puts the chain in order and drops the text between certificates', async () => {
    const root = await opensslCertificate({ key: newKey.p256(), name: 'Root' });
    const middle = await opensslCertificate({ key: newKey.p256(), name: 'Middle', issuer: root });
    const lowest = await opensslCertificate({ key: newKey.p256(), name: 'Lowest', issuer: middle });
    const imported = importCertificationAuthority({
      certificate: `subject=Lowest\n${lowest.certificate}`,
      privateKey: pkcs8(lowest.key),
      passphrase: undefined,
      chain: [`Root:\n${root.certificate}Middle:\n${middle.certificate}`],
      newPassphrase,
      now: new Date(),
    });
    expect(imported.certificate).toBe(lowest.certificate);
    expect(imported.chain).toBe(middle.certificate + root.certificate);
  });

  it('has no chain for a root that issues by itself', async () => {
    const { key, certificate } = await opensslCertificate({ key: newKey.p256(), name: 'Only' });
    const texts: CaTexts = { certificate, privateKey: pkcs8(key), chain: [] };
    const imported = importCertificationAuthority({
      ...texts,
      passphrase: undefined,
      newPassphrase,
      now: new Date(),
    });
    expect(imported.chain).toBe('');
  });

  it('refuses what the local backend would refuse', async () => {
    const texts = { ...(await opensslTwoTierCa(newKey.p256)), chain: [] };
    expect(() =>
      importCertificationAuthority({ ...texts, passphrase: undefined, newPassphrase, now: new Date() }),
    ).toThrow('chain: the issuer of CN=Issuing,O=Acme, CN=Root,O=Acme, is missing');
  });
});
