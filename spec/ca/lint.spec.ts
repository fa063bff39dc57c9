import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { LocalOptions } from '../../src/ca/local/options.ts';
import { certificatesFromPem, certificateToPem, readCertificate } from '../../src/pkix/certificate.ts';
import { keyIdentifierOf } from '../../src/pkix/extensions-write.ts';
import { dNSName, iPAddress, uniformResourceIdentifier } from '../../src/pkix/general-names.ts';
import { nameFromAttributes } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { openssl } from '../support/openssl.ts';
import { lint } from './lint.ts';
import { newKey, opensslCertificate, opensslTwoTierCa, pkcs8 } from './local/openssl-ca.ts';
import { issue, keyTypes, newCaTexts, newRequest, openLocal, signal, type OpenedCa } from './setup.ts';

type Profile = LocalOptions['profiles'][string];

const client: Profile = {
  validityDays: 90,
  keyUsage: ['digitalSignature', 'keyEncipherment'],
  extendedKeyUsage: ['clientAuth'],
  approval: 'none',
};

const profiles = {
  client,
  server: { ...client, extendedKeyUsage: ['serverAuth', oids.serverAuth, 'clientAuth'] },
  mail: {
    ...client,
    keyUsage: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement'],
    extendedKeyUsage: ['emailProtection', '1.3.6.1.4.1.311.20.2.2'],
  },
  silent: { ...client, extendedKeyUsage: [], crlUrls: [], caIssuersUrls: [] },
  twoUrls: { ...client, crlUrls: ['http://a.example/ca.crl', 'http://b.example/ca.crl'] },
  day: { ...client, validityDays: 1 },
  long: { ...client, validityDays: 36_525 },
} satisfies Record<string, Profile>;

const names = {
  'a subject and a subjectAltName': {},
  'a subject alone': { subjectAltName: [] },
  'a subjectAltName alone': {
    subject: nameFromAttributes([]),
    subjectAltName: [dNSName('a.example'), iPAddress('2001:db8::1'), uniformResourceIdentifier('urn:uuid:1')],
  },
};

const cases = Object.keys(profiles).flatMap((profile) =>
  keyTypes.map((keyType) => [profile, keyType] as const),
);

/** openssl on the path may be too old to read ML-DSA keys. */
const casesOfOpenssl = cases.filter(([, keyType]) => !keyType.startsWith('ML-DSA'));

describe.each([
  ['P-256', async () => await newCaTexts()],
  ['RSA', async () => await opensslTwoTierCa(newKey.rsa)],
  [
    'P-384 beyond 2050',
    async () => {
      const { key, certificate } = await opensslCertificate({
        key: newKey.p384(),
        name: 'Only',
        days: 20_000,
      });
      return { certificate, privateKey: pkcs8(key), chain: [] };
    },
  ],
])("A linter's rules for certificates of a local CA with %s", (_caKey, makeTexts) => {
  let opened: OpenedCa;

  beforeAll(async () => {
    opened = await openLocal(await makeTexts(), { profiles });
  });

  afterAll(async () => {
    await opened.close();
  });

  it.each(cases)('hold for the profile %s and %s keys', async (profile, keyType) => {
    for (const changes of Object.values(names)) {
      const certificate = await issue(opened.ca, newRequest({ profile, ...changes }, keyType));
      expect(lint(certificate)).toEqual([]);
    }
  });

  it('go together with what openssl verifies strictly, for every profile', async () => {
    const chain = (await opened.ca.caCertificates(signal)).map((der) => certificateToPem(der));
    const leaves = await Promise.all(
      casesOfOpenssl.map(async ([profile, keyType]) => {
        const certificate = await issue(opened.ca, newRequest({ profile }, keyType));
        return [`${profile}-${keyType}.pem`, certificateToPem(certificate)] as const;
      }),
    );
    const names = leaves.map(([name]) => name);
    const verified = await openssl(
      `verify -x509_strict -CAfile root.pem -untrusted chain.pem ${names.join(' ')}`,
      { 'root.pem': chain.at(-1) ?? '', 'chain.pem': chain.join(''), ...Object.fromEntries(leaves) },
    );
    expect(verified.trim().split('\n')).toEqual(names.map((name) => `${name}: OK`));
  });

  it('link the certificate to its issuer and its key', async () => {
    const certificate = readCertificate(await issue(opened.ca, newRequest({ profile: 'client' })));
    const issuer = readCertificate((await opened.ca.issuingCertificate?.(signal)) ?? Buffer.alloc(0));
    expect(certificate.issuer.der).toEqual(issuer.subject.der);
    expect(certificate.authorityKeyIdentifier).toEqual(issuer.subjectKeyIdentifier);
    expect(certificate.subjectKeyIdentifier).toEqual(keyIdentifierOf(certificate.spki));
  });
});

it('GeneralizedTime begins in 2050', async () => {
  const { key, certificate } = await opensslCertificate({ key: newKey.p256(), name: 'Only', days: 20_000 });
  const texts = { certificate, privateKey: pkcs8(key), chain: [] };
  const opened = await openLocal(texts, { profiles: { long: profiles.long } });
  const leaf = certificateToPem(await issue(opened.ca, newRequest()));
  const parsed = await openssl('asn1parse -in leaf.pem', { 'leaf.pem': leaf });
  expect(parsed).toMatch(/UTCTIME +:\d{12}Z\n.*GENERALIZEDTIME +:20[5-9]\d{11}Z\n/);
  await opened.close();
});

describe('The linter', () => {
  it('finds what is wrong with a bad certificate', async () => {
    const configuration = [
      '[req]',
      'distinguished_name = dn',
      '[dn]',
      '[bad]',
      'keyUsage = keyCertSign,digitalSignature',
      'extendedKeyUsage = critical,anyExtendedKeyUsage,clientAuth,clientAuth',
      'basicConstraints = critical,CA:TRUE',
      'subjectAltName = critical,DNS:a.example',
      'crlDistributionPoints = critical,URI:https://a.example/ca.crl',
      'authorityInfoAccess = critical,caIssuers;URI:ldap://a.example/ca',
      'subjectKeyIdentifier = 01:02',
      '1.2.3.4 = DER:30:00',
      '',
    ].join('\n');
    const command =
      'req -x509 -new -config req.cnf -extensions bad -key own.key -subj /CN=Bad -set_serial 5 -days 1';
    const files = { 'req.cnf': configuration, 'own.key': pkcs8(newKey.p256()) };
    const [bad] = certificatesFromPem(await openssl(command, files));
    expect(lint(bad?.der ?? Buffer.alloc(0))).toEqual([
      'the serial number has at least 64 bits',
      'no extension is empty',
      'the subjectKeyIdentifier is there, not critical',
      'the authorityKeyIdentifier is there, not critical, with a key identifier alone',
      'the keyUsage is there and critical',
      'the keyUsage has nothing of a CA',
      'the extendedKeyUsage is not critical',
      'the extendedKeyUsage is not any',
      'no extendedKeyUsage is there twice',
      'the basicConstraints make no CA',
      'the subjectAltName is critical just when there is no subject',
      'the CRL distribution points are not critical',
      'the authority information access is not critical',
      'URLs are http',
    ]);
  });
});
