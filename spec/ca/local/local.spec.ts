import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenedCa } from '../setup.ts';
import type { EnrollmentRequest, Usages } from '../../../src/ca/ca.ts';
import type { LocalOptions } from '../../../src/ca/local/options.ts';
import { readCertificate, type Certificate } from '../../../src/pkix/certificate.ts';
import type { KeyType } from '../../../src/pkix/keys.ts';
import { oids } from '../../../src/pkix/oids.ts';
import { certificationAuthorityContract } from '../contract.ts';
import {
  caOf,
  issue,
  keyTypes,
  newCaTexts,
  newRequest,
  openLocal,
  openRegistry,
  signal,
  type CaTexts,
} from '../setup.ts';
import { newKey, opensslCertificate, opensslTwoTierCa, pkcs8 } from './openssl-ca.ts';

certificationAuthorityContract('local, P-256 and encrypted PKCS#8 as init makes it', async () =>
  openLocal(await newCaTexts()),
);

certificationAuthorityContract('local, RSA and PKCS#1', async () =>
  openLocal(
    await opensslTwoTierCa(newKey.rsa, (key) => key.export({ type: 'pkcs1', format: 'pem' }).toString()),
  ),
);

certificationAuthorityContract('local, P-384 and SEC 1', async () =>
  openLocal(
    await opensslTwoTierCa(newKey.p384, (key) => key.export({ type: 'sec1', format: 'pem' }).toString()),
  ),
);

certificationAuthorityContract('local, a root that issues by itself', async () => {
  const { key, certificate } = await opensslCertificate({ key: newKey.p256(), name: 'Only' });
  return await openLocal({ certificate, privateKey: pkcs8(key), chain: [] });
});

const profile = (changes: Partial<LocalOptions['profiles'][string]>): LocalOptions['profiles'][string] => ({
  validityDays: 90,
  keyUsage: ['digitalSignature', 'keyEncipherment'],
  extendedKeyUsage: ['clientAuth', 'serverAuth'],
  approval: 'none',
  ...changes,
});

const profiles = {
  device: profile({}),
  agreement: profile({ keyUsage: ['digitalSignature', 'keyAgreement'] }),
  encipherment: profile({ keyUsage: ['keyEncipherment'] }),
  anyPurpose: profile({ extendedKeyUsage: [] }),
  elsewhere: profile({ crlUrls: [], caIssuersUrls: ['http://elsewhere.example/ca.cer'] }),
  long: profile({ validityDays: 36_500 }),
};

describe('What the local CA issues', () => {
  let texts: CaTexts;
  let opened: OpenedCa;

  beforeAll(async () => {
    texts = await newCaTexts();
    opened = await openLocal(texts, { profiles });
  });

  afterAll(async () => {
    await opened.close();
  });

  async function issued(changes: Partial<EnrollmentRequest>, keyType?: KeyType): Promise<Certificate> {
    return readCertificate(await issue(opened.ca, newRequest({ profile: 'device', ...changes }, keyType)));
  }

  it('is valid for as long as the profile says, in whole seconds, and a minute back', async () => {
    const before = Math.floor(Date.now() / 1000);
    const { notBefore, notAfter } = await issued({});
    const seconds = notBefore.getTime() / 1000;
    expect(seconds).toBeGreaterThanOrEqual(before - 60);
    expect(seconds).toBeLessThanOrEqual(Date.now() / 1000 - 60);
    expect(notAfter.getTime() / 1000).toBe(seconds + 60 + 90 * 86_400);
  });

  it('never outlives its issuer', async () => {
    const { notAfter } = await issued({ profile: 'long' });
    const [issuer] = (await opened.ca.caCertificates(signal)).map((der) => readCertificate(der));
    expect(notAfter).toEqual(issuer?.notAfter);
  });

  it('never begins before its issuer', async () => {
    const young = await openLocal(await opensslTwoTierCa(newKey.p256), { backdate: 86_400 });
    const { notBefore } = readCertificate(await issue(young.ca, newRequest()));
    const [issuer] = (await young.ca.caCertificates(signal)).map((der) => readCertificate(der));
    expect(notBefore).toEqual(issuer?.notBefore);
    await young.close();
  });

  it('has a serial number of 16 octets, positive', async () => {
    const serials = await Promise.all(
      Array.from({ length: 50 }, async () => (await issued({})).serialNumber),
    );
    expect(serials.every((serial) => /^[4-7][0-9a-f]{31}$/.test(serial))).toBe(true);
  });

  it.each([
    ['RSA', ['digitalSignature', 'keyEncipherment']],
    ['P-256', ['digitalSignature']],
    ['Ed25519', ['digitalSignature']],
    ['ML-DSA-65', ['digitalSignature']],
  ] as const)('PQ-02 keyEncipherment is for RSA alone: %s gets %s', async (keyType, usages) => {
    expect((await issued({}, keyType)).keyUsage).toEqual(usages);
  });

  it.each([
    ['RSA', ['digitalSignature']],
    ['P-384', ['digitalSignature', 'keyAgreement']],
    ['Ed25519', ['digitalSignature']],
    ['ML-DSA-44', ['digitalSignature']],
  ] as const)('PQ-02 keyAgreement is for EC keys alone: %s gets %s', async (keyType, usages) => {
    expect((await issued({ profile: 'agreement' }, keyType)).keyUsage).toEqual(usages);
  });

  it.each([
    ['RSA', ['clientAuth'], ['digitalSignature']],
    ['RSA', ['serverAuth'], ['digitalSignature', 'keyEncipherment']],
    ['RSA', ['emailProtection'], ['digitalSignature', 'nonRepudiation', 'keyEncipherment']],
    ['RSA', ['ipsecIKE'], ['digitalSignature', 'nonRepudiation']],
    ['RSA', ['secureShellClient', 'clientAuth'], ['digitalSignature']],
    [
      'RSA',
      ['1.3.6.1.4.1.99999.1'],
      ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'],
    ],
    ['RSA', [], ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment']],
    ['P-256', ['clientAuth'], ['digitalSignature', 'keyAgreement']],
    ['P-256', ['ipsecIKE'], ['digitalSignature', 'nonRepudiation']],
  ] as const)('gives %s keys with the purposes %j what these want: %j', async (keyType, purposes, usages) => {
    const device = profile({
      keyUsage: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement'],
      extendedKeyUsage: purposes,
    });
    const local = await openLocal(texts, { profiles: { device } });
    expect(readCertificate(await issue(local.ca, newRequest({}, keyType))).keyUsage).toEqual(usages);
    await local.close();
  });

  it('gives no key usage that only purposes want for which the CSR does not ask', async () => {
    const { keyUsage } = await issued({ extendedKeyUsage: [oids.clientAuth] }, 'RSA');
    expect(keyUsage).toEqual(['digitalSignature']);
    await expect(
      issued({ keyUsage: ['keyEncipherment'], extendedKeyUsage: [oids.clientAuth] }, 'RSA'),
    ).rejects.toMatchObject({ code: 'rejected_by_ca' });
  });

  it('does not start with a profile whose purposes want none of its key usages', async () => {
    const device = profile({ keyUsage: ['keyEncipherment'], extendedKeyUsage: ['clientAuth'] });
    await expect(openLocal(texts, { profiles: { device } })).rejects.toThrow(
      'profiles.device.keyUsage: expected at least one key usage that the extendedKeyUsage may want (RFC 5280, section 4.2.1.12); found keyEncipherment.',
    );
  });

  it('E-09 narrows the key usage to what the CSR asks for', async () => {
    const { keyUsage } = await issued({ keyUsage: ['keyEncipherment', 'keyAgreement'] }, 'RSA');
    expect(keyUsage).toEqual(['keyEncipherment']);
  });

  it('E-09 narrows the extended key usage to what the CSR asks for', async () => {
    const { extendedKeyUsage } = await issued({ extendedKeyUsage: [oids.serverAuth, oids.emailProtection] });
    expect(extendedKeyUsage).toEqual([oids.serverAuth]);
  });

  it('E-09 refuses rather than grant another key usage than was asked for', async () => {
    await expect(issued({ keyUsage: ['keyAgreement'] })).rejects.toMatchObject({
      code: 'rejected_by_ca',
      message:
        'The certificate profile grants these key usages for P-256 keys only: digitalSignature; the CSR asks for others.',
    });
  });

  it('E-09 refuses rather than grant another extended key usage than was asked for', async () => {
    await expect(issued({ extendedKeyUsage: [oids.emailProtection] })).rejects.toMatchObject({
      code: 'rejected_by_ca',
      message:
        'The certificate profile grants these extended key usages only: clientAuth, serverAuth; the CSR asks for others.',
    });
  });

  it('refuses an extended key usage when the profile has none', async () => {
    await expect(
      issued({ profile: 'anyPurpose', extendedKeyUsage: [oids.clientAuth] }),
    ).rejects.toMatchObject({
      code: 'rejected_by_ca',
    });
    expect((await issued({ profile: 'anyPurpose' })).extendedKeyUsage).toBeUndefined();
  });

  it('refuses a key that can do nothing of what the profile grants', async () => {
    await expect(issued({ profile: 'encipherment' }, 'P-256')).rejects.toMatchObject({
      code: 'rejected_by_ca',
      message: 'The certificate profile grants no key usage that P-256 keys can have.',
    });
  });

  it('names CRL and issuer of the backend, or those of the profile', async () => {
    const has = ({ extensions }: Certificate, oid: string, text: string): boolean =>
      extensions.some((extension) => extension.oid === oid && extension.value.includes(text));
    const usual = await issued({});
    const elsewhere = await issued({ profile: 'elsewhere' });
    expect(has(usual, oids.cRLDistributionPoints, 'http://gateway.example/crl/local.crl')).toBe(true);
    expect(has(usual, oids.authorityInfoAccess, 'http://gateway.example/ca/local.cer')).toBe(true);
    expect(has(elsewhere, oids.cRLDistributionPoints, '')).toBe(false);
    expect(has(elsewhere, oids.authorityInfoAccess, 'http://elsewhere.example/ca.cer')).toBe(true);
  });

  it('is in the registry before anyone gets it', async () => {
    const request = newRequest({ profile: 'device' });
    const certificate = readCertificate(await issue(opened.ca, request));
    expect(await opened.certificates.findByIdempotencyKey(caOf(texts), request.idempotencyKey)).toEqual({
      ca: caOf(texts),
      serialNumber: certificate.serialNumber,
      idempotencyKey: request.idempotencyKey,
      publicKey: request.csr.publicKey.sha256,
      subject: 'serialNumber=0815,CN=device-1',
      notBefore: certificate.notBefore,
      notAfter: certificate.notAfter,
      certificate: certificate.der,
      revocation: undefined,
    });
  });

  it('is given to nobody when the registry fails', async () => {
    const { certificates, close } = await openRegistry();
    const failing = {
      ...certificates,
      add: async () => await Promise.reject(new Error('The disk is full.')),
    };
    const local = await openLocal(await newCaTexts(), {}, { certificates: failing });
    await expect(issue(local.ca, newRequest())).rejects.toThrow('The disk is full.');
    await local.close();
    await close();
  });

  it('R-14 is revoked as soon as the registry says so', async () => {
    const certificate = await issued({});
    await opened.certificates.revoke(caOf(texts), certificate.serialNumber, 'keyCompromise', new Date());
    const revoked = { reason: 'keyCompromise', since: expect.any(Date) };
    expect(await opened.ca.certificateStatus?.(certificate, signal)).toEqual(revoked);
  });

  it('never issued another certificate under the serial number of one that it issued, however incomplete its record', async () => {
    const certificate = await issued({});
    const other = { ...certificate, der: Buffer.from([...certificate.der, 0]) };
    const status = async (ca: typeof opened.ca, asked: Certificate) =>
      await ca.certificateStatus?.(asked, signal);
    const incomplete = await openLocal(texts, { record: 'incomplete' }, opened);
    for (const { ca } of [opened, incomplete]) {
      expect(await status(ca, certificate)).toBe('good');
      expect(await status(ca, other)).toBe('unknown');
    }
    const elsewhere = { ...other, serialNumber: '0badcafe' };
    expect(await status(opened.ca, elsewhere)).toBe('unknown');
    expect(await status(incomplete.ca, elsewhere)).toBe('uncovered');
    await opened.certificates.revoke(caOf(texts), certificate.serialNumber, 'superseded', new Date());
    const revoked = { reason: 'superseded', since: expect.any(Date) };
    for (const { ca } of [opened, incomplete]) expect(await status(ca, other)).toEqual(revoked);
    await incomplete.close();
  });

  it('is refused for a request that was given up already', async () => {
    await expect(
      opened.ca.enroll(newRequest({ profile: 'device' }), AbortSignal.abort()),
    ).rejects.toMatchObject({
      code: 'ca_timeout',
    });
  });

  it('needs a profile when there are several', () => {
    expect(() => opened.ca.checkProfile?.(undefined, { keyUsage: [], extendedKeyUsage: [] })).toThrow(
      'No certificate profile is named; expected one of: device, agreement, encipherment, anyPurpose, elsewhere, long.',
    );
  });

  it('refuses what every CSR must ask for and the profile never grants, at start', () => {
    const demand = (demanded: Partial<Usages>) => (): void =>
      opened.ca.checkProfile?.('device', { keyUsage: [], extendedKeyUsage: [], ...demanded });
    expect(demand({ extendedKeyUsage: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.17'] })).toThrow(
      'policy.required.extendedKeyUsage demands ipsecIKE, which the profile device of the CA does not grant; it grants: ',
    );
    expect(demand({ keyUsage: ['decipherOnly'] })).toThrow('policy.required.keyUsage demands decipherOnly');
    expect(demand({ keyUsage: ['digitalSignature'], extendedKeyUsage: ['1.3.6.1.5.5.7.3.2'] })).not.toThrow();
  });

  it('AIA: gives the issuing certificate that the signature leads to', async () => {
    const issuer = readCertificate((await opened.ca.issuingCertificate?.(signal)) ?? Buffer.alloc(0));
    const certificate = await issued({});
    expect(issuer.subject.der).toEqual(certificate.issuer.der);
    expect(issuer.subjectKeyIdentifier).toEqual(certificate.authorityKeyIdentifier);
  });

  it('lets every kind of key sign', async () => {
    const all = await Promise.all(keyTypes.map(async (keyType) => await issued({}, keyType)));
    expect(all.every(({ keyUsage }) => keyUsage?.includes('digitalSignature'))).toBe(true);
  });
});
