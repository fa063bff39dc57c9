import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readCertificate, certificateToPem } from '../../../src/pkix/certificate.ts';
import { setDateAlone } from '../../support/clock.ts';
import { openssl } from '../../support/openssl.ts';
import {
  caOf,
  issue,
  newCaTexts,
  newRequest,
  openLocal,
  signal,
  type CaTexts,
  type OpenedCa,
} from '../setup.ts';
import { newKey, opensslTwoTierCa } from './openssl-ca.ts';

describe('The CRL of the local CA', () => {
  let texts: CaTexts;
  let opened: OpenedCa;

  beforeEach(async () => {
    texts = await newCaTexts();
    opened = await openLocal(texts);
  });

  afterEach(async () => {
    jest.useRealTimers();
    await opened.close();
  });

  async function crl({ ca }: OpenedCa = opened): Promise<Buffer> {
    return (await ca.crl?.(signal)) ?? Buffer.alloc(0);
  }

  async function text(der: Buffer): Promise<string> {
    return await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': der });
  }

  async function revoke(): Promise<string> {
    const { serialNumber } = readCertificate(await issue(opened.ca, newRequest()));
    await opened.certificates.revoke(caOf(texts), serialNumber, 'keyCompromise', new Date());
    return serialNumber;
  }

  it.each([
    ['P-256', async () => await newCaTexts()],
    ['RSA', async () => await opensslTwoTierCa(newKey.rsa)],
    ['P-384', async () => await opensslTwoTierCa(newKey.p384)],
  ])('is signed by the CA: %s', async (_keyType, make) => {
    const made = await make();
    const local = await openLocal(made);
    const files = { 'ca.crl': await crl(local), 'ca.pem': made.certificate };
    expect(await openssl('crl -verify -inform DER -noout -CAfile ca.pem -in ca.crl', files)).toContain(
      'verify OK',
    );
    await local.close();
  });

  it('is of version 2, numbered from 1, empty at first, and valid as long as configured', async () => {
    const der = await crl();
    const shown = await text(der);
    expect(shown).toContain('Version 2 (0x1)');
    expect(shown).toMatch(/X509v3 CRL Number: \s+1\n/);
    expect(shown).toContain('No Revoked Certificates.');
    const dates = /Last Update: (.*)\n\s+Next Update: (.*)\n/.exec(shown) ?? [];
    const [thisUpdate, nextUpdate] = dates.slice(1).map((date) => Date.parse(date));
    expect((nextUpdate ?? 0) - (thisUpdate ?? 0)).toBe(24 * 3_600_000 + 60_000);
  });

  it('is dated back as certificates are, for relying parties whose clock is behind', async () => {
    const later = Date.now() + 10 * 3_600_000;
    setDateAlone(later);
    const [, thisUpdate = ''] = /Last Update: (.*)\n/.exec(await text(await crl())) ?? [];
    expect(later - Date.parse(thisUpdate)).toBeGreaterThanOrEqual(60_000);
    expect(later - Date.parse(thisUpdate)).toBeLessThan(61_000);
  });

  it('says by which key it is signed', async () => {
    const [issuer] = (await opened.ca.caCertificates(signal)).map((der) => readCertificate(der));
    const identifier = issuer?.subjectKeyIdentifier?.toString('hex').toUpperCase().match(/../g)?.join(':');
    expect(await text(await crl())).toMatch(
      new RegExp(`X509v3 Authority Key Identifier: \\s+${identifier ?? 'none'}`),
    );
  });

  it('stays the same until something is revoked', async () => {
    expect(await crl()).toEqual(await crl());
  });

  const hour = 3_600_000;

  it('is made anew when a third of its validity has passed', async () => {
    const start = Date.now();
    const first = await crl();
    setDateAlone(start + 7.9 * hour);
    expect(await crl()).toEqual(first);
    setDateAlone(start + 8.1 * hour);
    expect(await text(await crl())).toMatch(/X509v3 CRL Number: \s+2\n/);
  });

  it('RFC 5280, 3.3: lists a certificate until one CRL after its end has had it', async () => {
    const serialNumber = (await revoke()).toUpperCase();
    const end = Date.now() + 90 * 24 * hour;
    setDateAlone(end + 23 * hour);
    expect(await text(await crl())).toContain(serialNumber);
    setDateAlone(end + 25 * hour);
    expect(await text(await crl())).not.toContain(serialNumber);
  });

  it('shows a revocation by another process at once', async () => {
    const before = await crl();
    const other = await openLocal(texts, {}, opened);
    const serialNumber = await revoke();
    const shown = await text(await crl());
    expect(await text(before)).toContain('No Revoked Certificates.');
    expect(shown).toMatch(new RegExp(`Serial Number: ${serialNumber.toUpperCase()}`));
    expect(shown).toMatch(/X509v3 CRL Reason Code: \s+Key Compromise/);
    expect(shown).toMatch(/X509v3 CRL Number: \s+2\n/);
    expect(await crl(other)).toEqual(await crl());
    await other.close();
  });

  it('shows at once that a reason was raised, and since when it is revoked', async () => {
    const { serialNumber } = readCertificate(await issue(opened.ca, newRequest()));
    const revokedAt = new Date(Date.now() - hour);
    await opened.certificates.revoke(caOf(texts), serialNumber, 'superseded', revokedAt);
    expect(await text(await crl())).toMatch(/X509v3 CRL Reason Code: \s+Superseded/);
    await opened.certificates.revoke(caOf(texts), serialNumber, 'keyCompromise', new Date());
    const shown = await text(await crl());
    expect(shown).toMatch(/X509v3 CRL Reason Code: \s+Key Compromise/);
    expect(shown).toMatch(/X509v3 CRL Number: \s+2\n/);
    const [, date = ''] = /Revocation Date: (.*)/.exec(shown) ?? [];
    expect(Date.parse(date)).toBe(Math.floor(revokedAt.getTime() / 1000) * 1000);
  });

  it('makes openssl refuse the revoked certificate and accept the others', async () => {
    const revoked = await issue(opened.ca, newRequest());
    const good = await issue(opened.ca, newRequest());
    await opened.certificates.revoke(
      caOf(texts),
      readCertificate(revoked).serialNumber,
      'superseded',
      new Date(),
    );
    const der = await crl();
    const pem = await openssl('crl -inform DER -in ca.crl', { 'ca.crl': der });
    const files = {
      'root.pem': texts.chain[0] ?? '',
      'issuing.pem': texts.certificate,
      'ca.crl': pem,
      'revoked.pem': certificateToPem(revoked),
      'good.pem': certificateToPem(good),
    };
    const command = 'verify -x509_strict -crl_check -CRLfile ca.crl -CAfile root.pem -untrusted issuing.pem';
    expect(await openssl(`${command} good.pem`, files)).toContain('good.pem: OK');
    await expect(openssl(`${command} revoked.pem`, files)).rejects.toThrow('certificate revoked');
  });

  it('lists many', async () => {
    const serialNumbers = await Promise.all(Array.from({ length: 100 }, revoke));
    const shown = await text(await crl());
    expect(serialNumbers.every((serialNumber) => shown.includes(serialNumber.toUpperCase()))).toBe(true);
  });
});
