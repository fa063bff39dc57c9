import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  readAuthority,
  requireUsable,
  type Authority,
  type AuthorityTexts,
} from '../../../src/ca/local/authority.ts';
import { certificatesFromPem, certificateToPem } from '../../../src/pkix/certificate.ts';
import { createIssuance } from '../../../src/ca/local/issuance.ts';
import { createProfile } from '../../../src/ca/local/profile.ts';
import { openssl } from '../../support/openssl.ts';
import { newCaTexts, newRequest, openLocal, type CaTexts } from '../setup.ts';
import { newKey, opensslCertificate, pkcs8, type OpensslCa } from './openssl-ca.ts';

const newProfile = { validityDays: 1, keyUsage: ['digitalSignature'], approval: 'none' } as const;

function open(texts: Partial<AuthorityTexts>, now = new Date()): Authority {
  return readAuthority(
    {
      certificate: '',
      privateKey: '',
      passphrase: undefined,
      chain: [],
      ...texts,
    },
    now,
  );
}

describe('Opening a local CA', () => {
  let good: CaTexts;
  let root: OpensslCa;
  let issuing: OpensslCa;
  let texts: Partial<AuthorityTexts>;

  beforeAll(async () => {
    good = await newCaTexts();
    root = await opensslCertificate({ key: newKey.p256(), name: 'Root' });
    issuing = await opensslCertificate({ key: newKey.p256(), name: 'Issuing', issuer: root });
    texts = {
      certificate: issuing.certificate,
      privateKey: pkcs8(issuing.key),
      chain: [root.certificate],
    };
  });

  const below = async (options: {
    basicConstraints?: string;
    keyUsage?: string;
  }): Promise<Partial<AuthorityTexts>> => {
    const { certificate, key } = await opensslCertificate({
      key: newKey.p256(),
      name: 'Below',
      issuer: root,
      ...options,
    });
    return { certificate, privateKey: pkcs8(key), chain: [root.certificate] };
  };

  it('accepts the certificates above the issuing one in any order, and in its own file', async () => {
    const middle = await opensslCertificate({ key: newKey.p256(), name: 'Middle', issuer: root });
    const lowest = await opensslCertificate({ key: newKey.p256(), name: 'Lowest', issuer: middle });
    const privateKey = pkcs8(lowest.key);
    const expected = [lowest, middle, root].map(
      ({ certificate }) => certificatesFromPem(certificate)[0]?.sha256,
    );
    const shuffled = open({
      privateKey,
      certificate: lowest.certificate,
      chain: [root.certificate, middle.certificate],
    });
    const bundled = open({
      privateKey,
      certificate: [lowest, root, middle].map((ca) => ca.certificate).join('\n'),
    });
    expect(shuffled.chain.map(({ sha256 }) => sha256)).toEqual(expected);
    expect(bundled.chain.map(({ sha256 }) => sha256)).toEqual(expected);
  });

  it('says that an encrypted key needs a passphrase', () => {
    const { passphrase: _passphrase, ...without } = good;
    expect(() => open(without)).toThrow(
      'passphrase: the private key is encrypted, so its passphrase is needed.',
    );
  });

  it('says that the passphrase is wrong', () => {
    expect(() => open({ ...good, passphrase: 'wrong' })).toThrow(
      'passphrase: it does not open the private key.',
    );
  });

  it('says that there is no private key', () => {
    expect(() => open({ ...texts, privateKey: 'nothing' })).toThrow(
      'privateKey: expected PEM of a private key; the file has no line "-----BEGIN ...-----".',
    );
  });

  it('says that there is no certificate', () => {
    expect(() => open({ ...texts, certificate: 'nothing' })).toThrow(
      'certificate: There is no certificate in PEM form: the file has no line "-----BEGIN ...-----".',
    );
  });

  it('refuses a key that is not that of the certificate', () => {
    expect(() => open({ ...texts, privateKey: pkcs8(root.key) })).toThrow(
      'privateKey: the key does not belong to the CA certificate; give the one it was issued for.',
    );
  });

  it('refuses a kind of key that it does not sign with', async () => {
    const privateKey = await openssl('genpkey -algorithm ed25519');
    expect(() => open({ ...texts, privateKey })).toThrow(
      'A CA key must be RSA of 2048 to 8192 bits, P-256 or P-384.',
    );
  });

  it('refuses a chain that does not reach the root', () => {
    expect(() => open({ ...texts, chain: [] })).toThrow(
      'chain: the issuer of CN=Issuing,O=Acme, CN=Root,O=Acme, is missing; the chain must lead up to the self-signed root.',
    );
  });

  it('refuses a root of the right name that did not sign', async () => {
    const other = await opensslCertificate({ key: newKey.p256(), name: 'Root' });
    expect(() => open({ ...texts, chain: [other.certificate] })).toThrow(
      'chain: the issuer of CN=Issuing,O=Acme, CN=Root,O=Acme, is missing',
    );
  });

  it('refuses a chain with a key that cannot be read', async () => {
    const [root] = certificatesFromPem(good.chain[0] ?? '');
    const der = Buffer.from(root?.der ?? '');
    const point = der.indexOf(Buffer.from('03420004', 'hex'));
    der.fill(0xff, point + 4, point + 36);
    await expect(openLocal({ ...good, chain: [certificateToPem(der)] })).rejects.toThrow(
      'chain: the public key of CN=Spec Root CA cannot be read.',
    );
  });

  it('C-12 refuses what is not above the CA', async () => {
    const other = await opensslCertificate({ key: newKey.p256(), name: 'Other' });
    expect(() => open({ ...texts, chain: [root.certificate, other.certificate] })).toThrow(
      'chain: CN=Other,O=Acme is not above the CA certificate; remove it from the chain.',
    );
  });

  it('C-12 refuses duplicates', () => {
    expect(() => open({ ...texts, chain: [root.certificate, root.certificate] })).toThrow(
      'chain: the same certificate is there twice; remove one.',
    );
  });

  it('refuses an issuing certificate that is an end entity', async () => {
    const leaf = await below({ basicConstraints: 'critical,CA:FALSE' });
    expect(() => open(leaf)).toThrow(
      'CN=Below,O=Acme may not issue certificates: expected basicConstraints with CA:TRUE',
    );
  });

  it('refuses an issuing certificate without keyCertSign', async () => {
    const without = await below({ keyUsage: 'critical,cRLSign' });
    expect(() => open(without)).toThrow('and a keyUsage that has keyCertSign.');
  });

  it('refuses a chain that is longer than a pathLenConstraint allows', async () => {
    const narrow = await opensslCertificate({
      key: newKey.p256(),
      name: 'Narrow',
      basicConstraints: 'critical,CA:TRUE,pathlen:0',
    });
    const lowest = await opensslCertificate({ key: newKey.p256(), name: 'Lowest', issuer: narrow });
    const chain = [narrow.certificate];
    expect(() => open({ certificate: lowest.certificate, privateKey: pkcs8(lowest.key), chain })).toThrow(
      'chain: CN=Narrow,O=Acme allows 0 CA certificates below it, but there are 1.',
    );
  });

  it('C-12 refuses a chain that has expired', async () => {
    const old = await newCaTexts('Old', new Date('2001-01-01T00:00:00Z'));
    expect(() => open(old)).toThrow(
      'The certificate CN=Old Issuing CA expired at 2011-01-01T00:00:00.000Z; renew the CA.',
    );
  });

  it('refuses a chain that is not valid yet', () => {
    expect(() => open(texts, new Date('2001-01-01T00:00:00Z'))).toThrow(
      /is valid only from .*Z; is the clock right\?/,
    );
  });

  it('finds later that the chain has expired', () => {
    const authority = open(texts);
    expect(() => {
      requireUsable(authority, new Date('2050-01-01T00:00:00Z'));
    }).toThrow('expired');
  });

  it('does not issue once the CA has expired', async () => {
    const issueWith = createIssuance(open(texts), 60);
    const options = { ...newProfile, extendedKeyUsage: [] };
    const profile = createProfile('device', options, { crl: [], caIssuers: [] });
    const issued = issueWith(newRequest(), profile, new Date('2050-01-01T00:00:00Z'));
    await expect(issued).rejects.toMatchObject({ code: 'ca_unavailable' });
  });

  it('warns when a certificate of the chain expires within 30 days', async () => {
    const shortLived = await opensslCertificate({ key: newKey.p256(), name: 'Short', days: 29 });
    const texts = { certificate: shortLived.certificate, privateKey: pkcs8(shortLived.key), chain: [] };
    const local = await openLocal(texts);
    expect(local.log.entries).toEqual([
      {
        level: 'warn',
        message: expect.stringContaining('expires within 30 days'),
        fields: expect.objectContaining({ backend: 'local', subject: 'CN=Short,O=Acme' }),
      },
    ]);
    await local.close();
  });

  it('warns of nothing when there is time', async () => {
    const local = await openLocal(good);
    expect(local.log.entries).toEqual([]);
    await local.close();
  });

  it('names the file that cannot be read', async () => {
    await expect(openLocal(good, { certificate: '/nowhere/ca.pem' })).rejects.toThrow(
      'certificate: the file /nowhere/ca.pem cannot be read.',
    );
  });

  it('refuses CRL URLs when the CA may not sign CRLs, and has no CRL', async () => {
    const mute = await below({ keyUsage: 'critical,keyCertSign' });
    const caTexts = {
      certificate: mute.certificate ?? '',
      privateKey: mute.privateKey ?? '',
      chain: mute.chain ?? [],
    };
    await expect(openLocal(caTexts)).rejects.toThrow(
      'crl.urls: the keyUsage of the CA certificate has no cRLSign',
    );
    const local = await openLocal(caTexts, { crl: { validityHours: 24, urls: [] } });
    expect(local.ca).not.toHaveProperty('crl');
    await local.close();
  });

  it.each(['anyExtendedKeyUsage', 'cmcRA', 'OCSPSigning', 'codeSigning'])(
    'refuses a profile that grants %s',
    async (purpose) => {
      const profile = { ...newProfile, extendedKeyUsage: [purpose] };
      await expect(openLocal(good, { profiles: { device: profile } })).rejects.toThrow(
        `profiles.device.extendedKeyUsage: ${purpose} is never given to a device.`,
      );
    },
  );
});
