import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  createLocalCertificationAuthority,
  createServerCertificate,
  type CreatedCertificationAuthority,
} from '../../../src/ca/local/create.ts';
import { openssl } from '../../support/openssl.ts';

const passphrase = 'a passphrase';
const now = new Date('2030-01-31T12:00:00.500Z');
const at = String(Math.floor(now.getTime() / 1000));

describe('A new local CA', () => {
  let ca: CreatedCertificationAuthority;

  beforeAll(async () => {
    ca = await createLocalCertificationAuthority({ name: 'Acme', passphrase, now });
  });

  it('has a root and an issuing CA that openssl verifies', async () => {
    const files = { 'root.pem': ca.rootCertificate, 'issuing.pem': ca.issuingCertificate };
    const verified = await openssl(
      `verify -attime ${at} -x509_strict -check_ss_sig -CAfile root.pem issuing.pem`,
      files,
    );
    expect(verified).toContain('issuing.pem: OK');
  });

  it('has a root of 20 years and an issuing CA of 10 years that may not make further CAs', async () => {
    const root = await openssl('x509 -noout -text -in root.pem', { 'root.pem': ca.rootCertificate });
    const issuing = await openssl('x509 -noout -text -in issuing.pem', {
      'issuing.pem': ca.issuingCertificate,
    });
    expect(root).toMatch(/Not After : Jan 31 12:00:00 2050 GMT/);
    expect(root).toMatch(/Basic Constraints: critical\s+CA:TRUE\n/);
    expect(root).toContain('Subject: CN = Acme Root CA');
    expect(issuing).toMatch(/Not After : Jan 31 12:00:00 2040 GMT/);
    expect(issuing).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    expect(issuing).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(issuing).toContain('Subject: CN = Acme Issuing CA');
    expect(issuing).not.toContain('CRL Distribution');
  });

  it('writes 2050 as GeneralizedTime and what comes before as UTCTime', async () => {
    const root = await openssl('asn1parse -in root.pem', { 'root.pem': ca.rootCertificate });
    expect(root).toMatch(/UTCTIME +:300131110000Z\n.*GENERALIZEDTIME +:20500131120000Z\n/);
  });

  it.each(['rootKey', 'issuingKey'] as const)('encrypts the %s with the passphrase', (key) => {
    const certificate = key === 'rootKey' ? ca.rootCertificate : ca.issuingCertificate;
    expect(ca[key]).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
    expect(() => createPrivateKey({ key: ca[key], passphrase: 'wrong' })).toThrow();
    expect(
      new X509Certificate(certificate).checkPrivateKey(createPrivateKey({ key: ca[key], passphrase })),
    ).toBe(true);
  });

  it('refuses a name that does not fit into a commonName', async () => {
    await expect(
      createLocalCertificationAuthority({ name: 'x'.repeat(60), passphrase, now }),
    ).rejects.toThrow('a common name may have at most 64 characters');
  });

  it('makes a TLS server certificate for the host and localhost', async () => {
    const hostnames = ['est.example', '192.0.2.7', 'localhost'];
    const { certificate, key } = await createServerCertificate({ ...ca, passphrase, hostnames, now });
    const files = {
      'root.pem': ca.rootCertificate,
      'issuing.pem': ca.issuingCertificate,
      'server.pem': certificate,
    };
    const verify = async (check: string): Promise<string> =>
      await openssl(
        `verify -attime ${at} -x509_strict -purpose sslserver ${check} -CAfile root.pem -untrusted issuing.pem server.pem`,
        files,
      );
    expect(await verify('-verify_hostname est.example')).toContain('OK');
    expect(await verify('-verify_hostname localhost')).toContain('OK');
    expect(await verify('-verify_ip 192.0.2.7')).toContain('OK');
    expect(await verify('-verify_ip 127.0.0.1')).toContain('OK');
    expect(await verify('-verify_ip ::1')).toContain('OK');
    await expect(verify('-verify_hostname other.example')).rejects.toThrow('hostname mismatch');
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(new X509Certificate(certificate).subjectAltName?.split(', ')).toHaveLength(5);
  });

  it('makes a server certificate of 397 days to the second', async () => {
    const { certificate } = await createServerCertificate({ ...ca, passphrase, hostnames: [], now });
    const { validFrom, validTo } = new X509Certificate(certificate);
    expect(Date.parse(validTo) - Date.parse(validFrom)).toBe(397 * 86_400_000 - 1000);
  });

  it('copes with a host name that is too long for a commonName', async () => {
    const hostname = `${'label.'.repeat(12)}example`;
    const { certificate } = await createServerCertificate({ ...ca, passphrase, hostnames: [hostname], now });
    expect(new X509Certificate(certificate).checkHost(hostname)).toBe(hostname);
    expect(new X509Certificate(certificate).subject).toBe('CN=localhost');
  });
});
