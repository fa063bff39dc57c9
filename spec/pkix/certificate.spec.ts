import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  certificatesFromPem,
  certificateToPem,
  readCertificate,
  trustedCertificateToPem,
} from '../../src/pkix/certificate.ts';
import { DerError } from '../../src/pkix/der.ts';
import { nameToString } from '../../src/pkix/names.ts';
import { caConstraints, certificate, certificateDer, named } from '../support/certificate.ts';
import { extension, generateKeyPair, id, integer, null_, sequence, tlv } from '../support/csr.ts';
import { openssl } from '../support/openssl.ts';
import { thrownBy } from '../support/thrown.ts';

const newCertificate = (extra: string): Promise<string> =>
  openssl(`req -x509 -newkey ed25519 -nodes -keyout key.pem -days 10 -subj /O=Example/CN=device ${extra}`);

describe('readCertificate', () => {
  it('reads what openssl writes, as Node sees it', async () => {
    const pem = await newCertificate(
      '-set_serial 0x00f0 -addext keyUsage=critical,digitalSignature,keyCertSign ' +
        '-addext extendedKeyUsage=clientAuth -addext subjectAltName=DNS:a.example.org',
    );
    const x509 = new X509Certificate(pem.slice(pem.indexOf('-----BEGIN CERT')));
    const read = readCertificate(x509.raw);
    expect(read).toMatchObject({
      serialNumber: 'f0',
      notBefore: x509.validFromDate,
      notAfter: x509.validToDate,
      basicConstraints: { cA: true, pathLenConstraint: undefined },
      keyUsage: ['digitalSignature', 'keyCertSign'],
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'],
      subjectAltName: [{ type: 'dNSName', value: 'a.example.org' }],
      sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    });
    expect(nameToString(read.subject)).toBe('CN=device,O=Example');
    expect(read.issuer.der).toEqual(read.subject.der);
    expect(read.spki).toEqual(x509.publicKey.export({ format: 'der', type: 'spki' }));
    expect(read.subjectKeyIdentifier).toHaveLength(20);
    expect(read.authorityKeyIdentifier).toEqual(read.subjectKeyIdentifier);
  });

  it('reads version 1 and a certificate without extensions', async () => {
    for (const version of [1, 3] as const) {
      const read = await certificate({ version });
      expect(read.extensions).toEqual([]);
      expect(read).toMatchObject({
        serialNumber: '0a1b',
        keyUsage: undefined,
        authorityKeyIdentifier: undefined,
      });
    }
  });

  it.each([
    ['two different signature algorithms', { innerAlgorithm: sequence() }],
    ['a negative serialNumber', { serialNumber: tlv(0x02, Buffer.of(0x80)) }],
    ['a serialNumber that is no number', { serialNumber: null_ }],
    ['a date that does not exist', { notAfter: '20230230000000Z' }],
    ['an extension twice', { extensions: [caConstraints(), caConstraints()] }],
    ['a malformed extension', { extensions: [extension(id.keyUsage, integer(1n))] }],
    ['a malformed subject', { subject: sequence(null_) }],
  ])('refuses %s', async (_, parts) => {
    await expect(certificate(parts)).rejects.toThrow(DerError);
  });

  it('throws DerError and nothing else when octets are changed', async () => {
    const der = await certificateDer({ extensions: [caConstraints(1)] });
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (position, change) => {
        const mutated = Buffer.from(der);
        mutated.writeUInt8(mutated.readUInt8(position) ^ change, position);
        expect(thrownBy(() => readCertificate(mutated)) ?? new DerError()).toBeInstanceOf(DerError);
      }),
      { numRuns: 500 },
    );
  });
});

describe('PEM', () => {
  it('reads every certificate of a file and skips what stands between', async () => {
    const ders = [await certificateDer(), await certificateDer({ subject: named('other') })];
    const [first = '', second = ''] = ders.map(certificateToPem);
    const file = `subject=x\r\n${first.replaceAll('\n', '\r\n')}\nkey:\n-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n${second}`;
    expect(certificatesFromPem(file).map(({ der }) => der)).toEqual(ders);
  });

  it('writes what openssl reads', async () => {
    const pem = certificateToPem(await certificateDer());
    expect(pem).toMatch(
      /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/]{64}\n)+[A-Za-z0-9+/=]{1,64}\n-----END CERTIFICATE-----\n$/,
    );
    expect(await openssl('x509 -in c.pem -noout -subject', { 'c.pem': pem })).toContain('subject');
  });

  it('lets OpenSSL end the path of a TLS client at an issuing CA, and of nobody else', async () => {
    const keys = { root: await generateKeyPair('P-256'), issuing: await generateKeyPair('P-256') };
    const issuing = await certificateDer({
      subject: named('issuing'),
      issuer: named('root'),
      key: keys.issuing,
      issuerKey: keys.root,
      extensions: [caConstraints()],
    });
    const client = await certificateDer({
      subject: named('client'),
      issuer: named('issuing'),
      issuerKey: keys.issuing,
    });
    const files = {
      'client.pem': certificateToPem(client),
      'ca.pem': certificateToPem(issuing),
      'trusted.pem': trustedCertificateToPem(issuing),
    };
    const verify = async (ca: string, purpose: string): Promise<string> =>
      await openssl(`verify -purpose ${purpose} -CAfile ${ca} client.pem`, files);
    expect(await verify('trusted.pem', 'sslclient')).toContain('client.pem: OK');
    await expect(verify('ca.pem', 'sslclient')).rejects.toThrow('unable to get issuer certificate');
    await expect(verify('trusted.pem', 'sslserver')).rejects.toThrow('rejected');
  });

  it("refuses OpenSSL's form of a trusted certificate, whose purposes would be lost", async () => {
    const trusted = trustedCertificateToPem(await certificateDer());
    for (const pem of [trusted, `${certificateToPem(await certificateDer())}${trusted}`]) {
      expect(() => certificatesFromPem(pem)).toThrow(/the file holds TRUSTED CERTIFICATE/);
    }
  });

  it('refuses a file without certificate, and a certificate that is none', () => {
    expect(() => certificatesFromPem('')).toThrow('no certificate');
    expect(() => certificatesFromPem(certificateToPem(Buffer.from('hello')))).toThrow(DerError);
  });
});
