import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import {
  randomSerialNumber,
  signCertificate,
  type TbsCertificate,
} from '../../src/pkix/certificate-write.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  certificationAuthorityConstraints,
  cRLDistributionPoints,
  extendedKeyUsage,
  keyIdentifierOf,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../src/pkix/extensions-write.ts';
import { keyUsages, type Extension } from '../../src/pkix/extensions.ts';
import { dNSName, iPAddress } from '../../src/pkix/general-names.ts';
import { nameFromAttributes } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { createSigner, generateSigningKey } from '../../src/pkix/signer.ts';
import { openssl } from '../support/openssl.ts';

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' });

/** A self-signed certificate, so that openssl can check its signature. */
async function selfSigned(key: KeyObject, changes: Partial<TbsCertificate> = {}): Promise<string> {
  const name = nameFromAttributes([{ type: oids.commonName, value: 'Self' }]);
  const spki = spkiOf(key);
  const tbs = {
    serialNumber: randomSerialNumber(),
    issuer: name,
    subject: name,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 60_000),
    spki,
    extensions: [certificationAuthorityConstraints(undefined), subjectKeyIdentifier(keyIdentifierOf(spki))],
  };
  return certificateToPem(await signCertificate({ ...tbs, ...changes }, createSigner(key)));
}

async function textOf(extensions: readonly Extension[]): Promise<string> {
  const certificate = await selfSigned(ec('P-256'), { extensions });
  return await openssl('x509 -noout -text -in c.pem', { 'c.pem': certificate });
}

describe('Signing a certificate', () => {
  it.each([
    ['RSA of 2048 bits', rsa(2048), 'sha256WithRSAEncryption'],
    ['RSA of 3072 bits', rsa(3072), 'sha256WithRSAEncryption'],
    ['P-256', ec('P-256'), 'ecdsa-with-SHA256'],
    ['P-384', ec('P-384'), 'ecdsa-with-SHA384'],
  ])('%s: openssl verifies the signature, inside and outside named alike', async (_name, key, algorithm) => {
    const certificate = await selfSigned(key);
    const files = { 'c.pem': certificate };
    expect(await openssl('verify -x509_strict -check_ss_sig -CAfile c.pem c.pem', files)).toContain(
      'c.pem: OK',
    );
    const shown = await openssl('x509 -noout -text -in c.pem', files);
    expect(shown.match(/Signature Algorithm: .*/g)).toEqual(
      Array(2).fill(`Signature Algorithm: ${algorithm}`),
    );
    expect(shown).toContain('Version: 3 (0x2)');
  });

  it.each([
    ['RSA of 1024 bits', rsa(1024)],
    ['P-521', ec('P-521')],
    ['secp256k1', ec('secp256k1')],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
    ['a public key', createPublicKey(ec('P-256'))],
  ])('refuses %s', (_name, key) => {
    expect(() => createSigner(key)).toThrow('A CA key must be RSA of 2048 to 8192 bits, P-256 or P-384.');
  });

  it('has parameters NULL with RSA and none with ECDSA (RFC 4055, RFC 5758)', async () => {
    const withRsa = await openssl('asn1parse -in c.pem', { 'c.pem': await selfSigned(rsa(2048)) });
    const withEc = await openssl('asn1parse -in c.pem', { 'c.pem': await selfSigned(ec('P-256')) });
    expect(withRsa.match(/:sha256WithRSAEncryption\n.* NULL/g)).toHaveLength(2);
    expect(withEc).not.toContain('NULL');
  });

  it.each(['7f', '80', 'ff'.repeat(16), '01'])(
    'keeps the serial number %s positive',
    async (serialNumber) => {
      const certificate = await selfSigned(ec('P-256'), { serialNumber });
      const shown = await openssl('x509 -noout -serial -in c.pem', { 'c.pem': certificate });
      expect(shown.trim()).toBe(`serial=${serialNumber.toUpperCase()}`);
    },
  );
});

describe('The extensions of a certificate', () => {
  it('keyUsage is critical and has just the given bits, as openssl reads them', async () => {
    const names: Readonly<Record<(typeof keyUsages)[number], string>> = {
      digitalSignature: 'Digital Signature',
      nonRepudiation: 'Non Repudiation',
      keyEncipherment: 'Key Encipherment',
      dataEncipherment: 'Data Encipherment',
      keyAgreement: 'Key Agreement',
      keyCertSign: 'Certificate Sign',
      cRLSign: 'CRL Sign',
      encipherOnly: 'Encipher Only',
      decipherOnly: 'Decipher Only',
    };
    const someUsages = fc.subarray([...keyUsages], { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(someUsages, async (usages) => {
        const expected = usages.map((usage) => names[usage]).join(', ');
        expect(await textOf([keyUsage(usages)])).toMatch(new RegExp(`Key Usage: critical\\s+${expected}\n`));
      }),
      { numRuns: 20 },
    );
  });

  it('keyUsage drops the zero bits at its end (X.690, section 11.2.2)', () => {
    expect(keyUsage(['digitalSignature', 'keyEncipherment']).value.toString('hex')).toBe('030205a0');
    expect(keyUsage(['decipherOnly']).value.toString('hex')).toBe('0303070080');
    expect(keyUsage(['keyCertSign', 'cRLSign']).value.toString('hex')).toBe('03020106');
  });

  it('the others read as they were given', async () => {
    const shown = await textOf([
      authorityKeyIdentifier(Buffer.from('0102', 'hex')),
      extendedKeyUsage([oids.clientAuth, oids.emailProtection, '1.2.3.4']),
      subjectAltName([dNSName('a.example'), iPAddress('192.0.2.1')], true),
      cRLDistributionPoints(['http://a.example/1.crl', 'http://b.example/1.crl']),
      authorityInfoAccess(['http://a.example/1.cer']),
      certificationAuthorityConstraints(3),
    ]);
    const withoutSpaces = shown.replaceAll(/\s+/g, ' ');
    expect(withoutSpaces).toContain('Authority Key Identifier: 01:02 ');
    expect(withoutSpaces).toContain(
      'Extended Key Usage: TLS Web Client Authentication, E-mail Protection, 1.2.3.4 ',
    );
    expect(withoutSpaces).toContain(
      'Subject Alternative Name: critical DNS:a.example, IP Address:192.0.2.1 ',
    );
    expect(withoutSpaces).toContain(
      'CRL Distribution Points: Full Name: URI:http://a.example/1.crl URI:http://b.example/1.crl ',
    );
    expect(withoutSpaces).toContain('Authority Information Access: CA Issuers - URI:http://a.example/1.cer ');
    expect(withoutSpaces).toContain('Basic Constraints: critical CA:TRUE, pathlen:3 ');
  });

  it('the key identifier is SHA-256 over the key, shortened to 160 bits (RFC 7093, section 2)', async () => {
    const { spki } = await generateSigningKey();
    // The last 65 octets of a P-256 SubjectPublicKeyInfo are the key.
    const digest = await openssl('dgst -sha256 -r key', { key: spki.subarray(-65) });
    expect(keyIdentifierOf(spki).toString('hex')).toBe(digest.slice(0, 40));
  });
});

describe('A serial number', () => {
  it('is positive, of 16 octets, and never the same', () => {
    const serials = Array.from({ length: 1000 }, randomSerialNumber);
    expect(serials.every((serial) => /^[4-7][0-9a-f]{31}$/.test(serial))).toBe(true);
    expect(new Set(serials).size).toBe(1000);
  });
});
