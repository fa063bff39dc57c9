import { describe, expect, it } from '@jest/globals';
import { signCertificateRevocationList, type RevokedCertificate } from '../../src/pkix/crl.ts';
import { nameFromAttributes } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { createSigner, generateSigningKey } from '../../src/pkix/signer.ts';
import { openssl } from '../support/openssl.ts';

async function crlWith(revoked: readonly RevokedCertificate[], crlNumber = 1): Promise<Buffer> {
  const { privateKey } = await generateSigningKey();
  return await signCertificateRevocationList(
    {
      issuer: nameFromAttributes([{ type: oids.commonName, value: 'Issuer' }]),
      thisUpdate: new Date('2049-12-31T23:59:59.999Z'),
      nextUpdate: new Date('2050-01-01T00:00:00Z'),
      crlNumber,
      authorityKeyIdentifier: Buffer.from('0123456789abcdef', 'hex'),
      revoked,
    },
    createSigner(privateKey),
  );
}

describe('A certificate revocation list (RFC 5280, section 5)', () => {
  it('has UTCTime until 2049 and GeneralizedTime from 2050', async () => {
    const parsed = await openssl('asn1parse -inform DER -in ca.crl', { 'ca.crl': await crlWith([]) });
    expect(parsed).toMatch(/UTCTIME +:491231235959Z\n.*GENERALIZEDTIME +:20500101000000Z\n/);
  });

  it('leaves revokedCertificates out when there are none', async () => {
    const parsed = await openssl('asn1parse -inform DER -in ca.crl', { 'ca.crl': await crlWith([]) });
    expect(parsed).toMatch(/GENERALIZEDTIME.*\n.*d=2 .*cont \[ 0 \]/);
  });

  it('has a critical mark on nothing, a number and a key identifier', async () => {
    const shown = await openssl('crl -inform DER -noout -text -in ca.crl', {
      'ca.crl': await crlWith([], 300),
    });
    expect(shown).not.toContain('critical');
    expect(shown).toMatch(/X509v3 CRL Number: \s+300\n/);
    expect(shown).toMatch(/X509v3 Authority Key Identifier: \s+01:23:45:67:89:AB:CD:EF\n/);
  });

  it.each([
    ['keyCompromise', 'Key Compromise'],
    ['cACompromise', 'CA Compromise'],
    ['affiliationChanged', 'Affiliation Changed'],
    ['superseded', 'Superseded'],
    ['cessationOfOperation', 'Cessation Of Operation'],
    ['privilegeWithdrawn', 'Privilege Withdrawn'],
    ['aACompromise', 'AA Compromise'],
  ] as const)('says the reason %s', async (reason, shown) => {
    const der = await crlWith([{ serialNumber: '4badcafe', at: new Date('2030-05-06T07:08:09.9Z'), reason }]);
    const text = await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': der });
    expect(text).toMatch(
      new RegExp(
        `Serial Number: 4BADCAFE\\s+Revocation Date: May  6 07:08:09 2030 GMT\\s+CRL entry extensions:\\s+X509v3 CRL Reason Code: \\s+${shown}\n`,
      ),
    );
  });

  it('says the reason unspecified by saying nothing', async () => {
    const der = await crlWith([{ serialNumber: '4badcafe', at: new Date(), reason: 'unspecified' }]);
    const text = await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': der });
    expect(text).toContain('Serial Number: 4BADCAFE');
    expect(text).not.toContain('Reason Code');
  });

  it('holds a serial number whose first bit is set as a positive number', async () => {
    const der = await crlWith([{ serialNumber: 'ff00', at: new Date(), reason: 'unspecified' }]);
    const parsed = await openssl('asn1parse -inform DER -in ca.crl', { 'ca.crl': der });
    expect(parsed).toMatch(/INTEGER +:FF00\n/);
  });

  it('holds 100,000 entries', async () => {
    const at = new Date();
    const revoked = Array.from({ length: 100_000 }, (_, index) => ({
      serialNumber: (0x40000000 + index).toString(16),
      at,
      reason: 'superseded' as const,
    }));
    const der = await crlWith(revoked);
    const number = await openssl('crl -inform DER -noout -crlnumber -in ca.crl', { 'ca.crl': der });
    expect(number.trim()).toMatch(/^crlNumber=(0x)?0?1$/);
    expect(der.length).toBeGreaterThan(3_000_000);
  });
});
