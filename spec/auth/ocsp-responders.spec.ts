import { beforeAll, describe, expect, it } from '@jest/globals';
import type { OcspClient } from '../../src/auth/revocation/ocsp.ts';
import { createOcspSource } from '../../src/auth/revocation/ocsp-source.ts';
import type { RevocationSource, Verdict } from '../../src/auth/revocation/source.ts';
import type { Certificate } from '../../src/pkix/certificate.ts';
import type { CertificateStatusAnswer } from '../../src/pkix/ocsp.ts';
import { certificate as makeCertificate, named } from '../support/certificate.ts';
import { extension, integer, objectIdentifier, sequence, tlv } from '../support/csr.ts';

/** By who is asked about whom: the status, and who signs it; undefined: the CA. What is missing is no answer. */
type Answers = Readonly<
  Record<string, readonly [CertificateStatusAnswer['status'], responder: string | undefined]>
>;

const names = ['device', 'R1', 'R2', 'R3', 'R4', 'R5', 'R6'];

describe('the certificate of an OCSP responder without id-pkix-ocsp-nocheck', () => {
  let issuer: Certificate;
  const certificates = new Map<string, Certificate>();
  beforeAll(async () => {
    issuer = await makeCertificate({ subject: named('CA') });
    for (const [at, name] of names.entries()) {
      const serialNumber = integer(BigInt(at + 1));
      certificates.set(
        name,
        await makeCertificate({ subject: named(name), issuer: named('CA'), serialNumber }),
      );
    }
    const url = tlv(0x86, Buffer.from('http://named/'));
    const access = sequence(sequence(objectIdentifier('1.3.6.1.5.5.7.48.1'), url));
    certificates.set(
      'pointing',
      await makeCertificate({
        subject: named('pointing'),
        issuer: named('CA'),
        serialNumber: integer(99n),
        extensions: [extension('1.3.6.1.5.5.7.1.1', access)],
      }),
    );
  });

  const certificateOf = (name: string): Certificate => {
    const found = certificates.get(name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  const nameOf = ({ sha256 }: Certificate): string =>
    [...certificates].find(([, certificate]) => certificate.sha256 === sha256)?.[0] ?? '';

  /** The verdict on the device, and who was asked about whom. */
  async function judge(
    urls: readonly string[],
    answers: Answers,
    others: readonly RevocationSource[] = [],
  ): Promise<{ readonly verdict: Verdict; readonly asked: readonly string[] }> {
    const asked: string[] = [];
    const client: OcspClient = {
      async ask(url, { certificate }) {
        const question = `${new URL(url).hostname} ${nameOf(certificate)}`;
        asked.push(question);
        const answer = answers[question];
        if (answer === undefined) throw new Error(`${question}: no answer.`);
        const [status, responder] = answer;
        const dates = { thisUpdate: new Date(), nextUpdate: undefined, revocation: undefined };
        return await Promise.resolve({
          status,
          ...dates,
          responder: responder === undefined ? undefined : certificateOf(responder),
        });
      },
    };
    const source = createOcspSource({
      client,
      responders: urls.map((host) => ({ issuer, url: `http://${host}/` })),
      followCertificates: true,
      others,
    });
    const verdict = await source.status({
      certificate: certificateOf('device'),
      issuer,
      trustAnchor: issuer,
      configured: [issuer],
      now: new Date(),
      signal: new AbortController().signal,
    });
    return { verdict, asked };
  }

  const byR1 = { 'a device': ['good', 'R1'] } as const;

  it.each<readonly [string, readonly string[], Answers, Verdict['status']]>([
    ['is its own word for itself', ['a'], { ...byR1, 'a R1': ['good', 'R1'] }, 'good'],
    ['does not know itself', ['a'], { ...byR1, 'a R1': ['unknown', 'R1'] }, 'good'],
    ['does not answer about itself', ['a'], byR1, 'good'],
    ['is revoked by its own word', ['a'], { ...byR1, 'a R1': ['revoked', 'R1'] }, 'undetermined'],
    ['is good by the word of its CA', ['a'], { ...byR1, 'a R1': ['good', undefined] }, 'good'],
    ['is unknown to its CA', ['a'], { ...byR1, 'a R1': ['unknown', undefined] }, 'undetermined'],
    ['is revoked by the word of its CA', ['a'], { ...byR1, 'a R1': ['revoked', undefined] }, 'undetermined'],
    [
      'is revoked by the word of another responder',
      ['a', 'b'],
      { ...byR1, 'a R1': ['good', 'R1'], 'b R1': ['revoked', undefined] },
      'undetermined',
    ],
    [
      'is good by the word of another responder, which is revoked',
      ['a', 'b'],
      { ...byR1, 'a R1': ['good', 'R1'], 'b R1': ['good', 'R2'], 'b R2': ['revoked', 'R2'] },
      'undetermined',
    ],
    [
      'is good by the word of another responder, for which it speaks itself',
      ['a', 'b'],
      {
        ...byR1,
        'a R1': ['good', 'R1'],
        'b R1': ['good', 'R2'],
        'a R2': ['good', 'R1'],
        'b R2': ['good', 'R2'],
      },
      'good',
    ],
    [
      'gets no answer from another responder',
      ['a', 'b'],
      { ...byR1, 'a R1': ['good', 'R1'] },
      'undetermined',
    ],
    [
      'names a responder, by which it is revoked',
      ['a'],
      { 'a device': ['good', 'pointing'], 'named pointing': ['revoked', undefined] },
      'undetermined',
    ],
  ])('S-07 %s: the answer counts, or not', async (_what, urls, answers, expected) => {
    const { verdict } = await judge(urls, answers);
    const text = verdict.status === 'undetermined' ? verdict.reasons.join(' ') : '';
    expect([verdict.status, text.includes('the certificate of the OCSP responder is')]).toEqual([
      expected,
      expected === 'undetermined',
    ]);
  });

  it('S-07 is asked about again where another source could not find out', async () => {
    const failing: RevocationSource = {
      name: 'crl',
      status: async () => await Promise.resolve({ status: 'undetermined', reasons: ['no CRL'] }),
    };
    const answer = async (responder: string | undefined) =>
      (await judge(['a'], { ...byR1, 'a R1': ['good', responder] }, [failing])).verdict.status;
    expect(await answer(undefined)).toBe('good');
    expect(await answer('R1')).toBe('undetermined');
  });

  it('S-07 is asked about so far, however many responders vouch for each other', async () => {
    const responders = names.slice(1);
    const next = (name: string): string =>
      responders[(responders.indexOf(name) + 1) % responders.length] ?? '';
    // Each responder is asked about each, and answers by a further one.
    const answers = Object.fromEntries(
      names.map((about) => [`a ${about}`, ['good', about === 'device' ? 'R1' : next(about)] as const]),
    );
    const { verdict, asked } = await judge(['a'], answers);
    expect(verdict.status).toBe('good');
    expect(asked).toEqual(['a device', 'a R1', 'a R2', 'a R3']);
  });
});
