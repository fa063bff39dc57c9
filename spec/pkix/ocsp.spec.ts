import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { OcspClient } from '../../src/auth/revocation/ocsp.ts';
import { createOcspSource } from '../../src/auth/revocation/ocsp-source.ts';
import type { Verdict } from '../../src/auth/revocation/source.ts';
import { freshnessOf, type Freshness } from '../../src/pass-through/freshness.ts';
import { kindsByName } from '../../src/pass-through/kinds.ts';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { ocspRequest, readOcspResponse, type CertificateStatusAnswer } from '../../src/pkix/ocsp.ts';
import { certificate as makeCertificate } from '../support/certificate.ts';
import { id, name, printableString, utf8String } from '../support/csr.ts';
import { describeWith } from '../support/programs.ts';
import { openVendor, type Vendor } from '../support/vendor.ts';

const mayAnswer = 'extendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature';

describeWith('openssl', 'who signs OCSP answers', () => {
  let vendor: Vendor;
  let certificate: Certificate;
  let issuer: Certificate;
  beforeAll(async () => {
    vendor = await openVendor();
    const { cert } = await vendor.issue('device');
    [certificate, issuer] = [cert, await readFile(vendor.file('issuing.pem'), 'utf8')].map(
      (pem) => certificatesFromPem(pem)[0],
    ) as [Certificate, Certificate];
  });
  afterAll(async () => {
    await vendor.remove();
  });

  async function answerBy(signer: string, extensions?: string): Promise<CertificateStatusAnswer> {
    if (extensions !== undefined) await vendor.issue(signer, extensions);
    await vendor.bash(`openssl ocsp -index issuing.index -CA issuing.pem -rsigner ${signer}.pem -rkey ${signer}.key \
      -issuer issuing.pem -cert device.pem -no_nonce -nmin 5 -respout ${signer}.der`);
    return await readOcspResponse(
      await readFile(vendor.file(`${signer}.der`)),
      { certificate, issuer },
      new Date(),
    );
  }

  it('S-07 gives the certificate of a responder that may be revoked', async () => {
    expect((await answerBy('issuing')).responder).toBeUndefined();
    const { responder } = await answerBy('responder', mayAnswer);
    expect(responder?.sha256).toBe(
      certificatesFromPem(await readFile(vendor.file('responder.pem'), 'utf8'))[0]?.sha256,
    );
    expect((await answerBy('unchecked', `${mayAnswer}\nnoCheck=ignored`)).responder).toBeUndefined();
  });

  it('S-07 refuses the certificate of a responder that has an unknown critical extension', async () => {
    await expect(answerBy('critical', `${mayAnswer}\n1.2.3.4=critical,ASN1:NULL`)).rejects.toThrow(
      /unknown critical extension/,
    );
  });

  it('keeps no answer without nextUpdate for other clients, and none beyond it (RFC 6960, section 4.2.2.1)', async () => {
    const freshness = async (options: string): Promise<Freshness> => {
      await vendor.bash(`openssl ocsp -index issuing.index -CA issuing.pem -rsigner issuing.pem \
        -rkey issuing.key -issuer issuing.pem -cert device.pem -no_nonce ${options} -respout kept.der`);
      const validity = kindsByName.ocsp.readValidity(await readFile(vendor.file('kept.der')));
      return freshnessOf({}, validity, { maxAge: 60, staleFor: 86_400 }, Date.now());
    };
    expect((await freshness('')).isStorable).toBe(false);
    const { isStorable, usableUntil } = await freshness('-nmin 5');
    expect(isStorable).toBe(true);
    expect(usableUntil).toBeLessThanOrEqual(Date.now() + 300_000);
    expect(usableUntil).toBeGreaterThan(Date.now() + 60_000);
  });

  it('S-07 names the issuer as the certificate does', async () => {
    const subject = await makeCertificate({
      issuer: name([id.commonName, printableString('CA')]),
    });
    const ca = await makeCertificate({ subject: name([id.commonName, utf8String('CA')]) });
    const request = ocspRequest({ certificate: subject, issuer: ca });
    expect(request.includes(createHash('sha1').update(subject.issuer.der).digest())).toBe(true);
  });

  it.each([
    ['good', 'good'],
    ['uncovered', 'good'],
    ['revoked', 'undetermined'],
    ['neverIssued', 'undetermined'],
    ['undetermined', 'undetermined'],
  ])('S-07 takes the word of a responder that is %s itself for %s', async (ofResponder, expected) => {
    const answer = await answerBy('responder', mayAnswer);
    const client: OcspClient = { ask: async () => await Promise.resolve(answer) };
    const verdict = { status: ofResponder, revocation: undefined, reasons: [] } as unknown as Verdict;
    const asked: Certificate[] = [];
    const other = {
      name: 'crl',
      status: async (question: { certificate: Certificate }) => {
        asked.push(question.certificate);
        return await Promise.resolve(verdict);
      },
    } as const;
    const source = createOcspSource({
      client,
      responders: [{ issuer, url: 'http://ocsp.example/' }],
      followCertificates: false,
      others: [other],
    });
    const question = { certificate, issuer, trustAnchor: issuer, configured: [], now: new Date() };
    const { status } = await source.status({ ...question, signal: new AbortController().signal });
    expect(status).toBe(expected);
    expect(asked).toEqual([answer.responder]);
  });
});
