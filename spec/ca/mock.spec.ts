import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EnrollmentResult } from '../../src/ca/ca.ts';
import { mockDriver, type MockOptions } from '../../src/ca/mock.ts';
import { readCertificate } from '../../src/pkix/certificate.ts';
import { recordLog } from '../support/log.ts';
import { certificationAuthorityContract } from './contract.ts';
import { issue, newRequest, openRegistry, signal, type OpenedCa } from './setup.ts';

const defaults: MockOptions = { validityDays: 7, pendingAnswers: 2, retryAfter: 1, delay: 5 };

async function openMock(changes: Partial<MockOptions> = {}): Promise<OpenedCa> {
  const { close, ...registries } = await openRegistry();
  const log = recordLog();
  const services = { name: 'mock', ...registries, pendingExpiry: 60, log };
  return { ca: await mockDriver.open({ ...defaults, ...changes }, services), ...registries, log, close };
}

certificationAuthorityContract('mock', openMock);

function referenceOf(result: EnrollmentResult | undefined): string {
  if (result?.status !== 'pending') throw new Error('The CA did not put the request off.');
  return result.reference;
}

describe('The scripts of the mock CA', () => {
  let opened: OpenedCa;

  beforeAll(async () => {
    opened = await openMock();
  });

  afterAll(async () => {
    await opened.close();
  });

  it.each([undefined, 'issue', 'pending', 'denied', 'rejected', 'slow', 'down', 'wrong-key', 'garbage'])(
    'has a profile %s',
    (profile) => {
      expect(() => opened.ca.checkProfile?.(profile, { keyUsage: [], extendedKeyUsage: [] })).not.toThrow();
    },
  );

  it('pending: puts off twice, then issues', async () => {
    const request = newRequest({ profile: 'pending' });
    const first = await opened.ca.enroll(request, signal);
    expect(first).toEqual({ status: 'pending', reference: expect.any(String), retryAfter: 1 });
    const second = await opened.ca.resume?.(referenceOf(first), request, signal);
    expect(second).toMatchObject({ status: 'pending', retryAfter: 1 });
    expect(await opened.ca.resume?.(referenceOf(second), request, signal)).toMatchObject({
      status: 'issued',
    });
  });

  it('P-04 pending: another mock, as after a restart, goes on where the first one was', async () => {
    const request = newRequest({ profile: 'pending' });
    const another = await openMock({ pendingAnswers: 1 });
    const reference = referenceOf(await another.ca.enroll(request, signal));
    await another.close();
    expect(await opened.ca.resume?.(reference, request, signal)).toMatchObject({ status: 'issued' });
  });

  it('denied: puts off twice, then refuses', async () => {
    const request = newRequest({ profile: 'denied' });
    const first = await opened.ca.enroll(request, signal);
    const second = await opened.ca.resume?.(referenceOf(first), request, signal);
    await expect(opened.ca.resume?.(referenceOf(second), request, signal)).rejects.toMatchObject({
      code: 'rejected_by_ca',
    });
  });

  it('refuses a reference that it does not know, so that the device enrols again', async () => {
    await expect(opened.ca.resume?.('unknown', newRequest(), signal)).rejects.toMatchObject({
      code: 'rejected_by_ca',
    });
  });

  it.each([
    ['rejected', 'rejected_by_ca'],
    ['down', 'ca_unavailable'],
  ])('%s: throws %s', async (profile, code) => {
    await expect(opened.ca.enroll(newRequest({ profile }), signal)).rejects.toMatchObject({ code });
  });

  it('down: says when to ask again', async () => {
    await expect(opened.ca.enroll(newRequest({ profile: 'down' }), signal)).rejects.toMatchObject({
      retryAfter: 1,
    });
  });

  it('writes one log line for each time that the CA is asked', async () => {
    const request = newRequest({ profile: 'pending' });
    const { requestId } = request;
    const reference = referenceOf(await opened.ca.enroll(request, signal));
    await opened.ca.resume?.(reference, request, signal);
    const fields = opened.log.entries.map((entry) => entry.fields);
    expect(fields.filter((line) => line['requestId'] === requestId)).toEqual([
      { requestId, method: 'enroll', script: 'pending', linked: false },
      { requestId, method: 'resume', script: 'pending', linked: false },
    ]);
  });

  it('issues for so many days', async () => {
    const brief = await openMock({ validityDays: 3 });
    const { notBefore, notAfter } = readCertificate(await issue(brief.ca, newRequest({ profile: 'issue' })));
    const days = (notAfter.getTime() - notBefore.getTime()) / 86_400_000;
    expect(Math.round(days)).toBe(3);
    await brief.close();
  });

  it('slow: issues after a while', async () => {
    const quick = await openMock({ delay: 0.05 });
    const start = Date.now();
    const certificate = await issue(quick.ca, newRequest({ profile: 'slow' }));
    expect(Date.now() - start).toBeGreaterThanOrEqual(45);
    expect(readCertificate(certificate).spki.length).toBeGreaterThan(0);
    await quick.close();
  });

  it('slow: stops when the gateway gives up', async () => {
    const waiting = opened.ca.enroll(newRequest({ profile: 'slow' }), AbortSignal.timeout(20));
    await expect(waiting).rejects.toMatchObject({ code: 'ca_timeout' });
  });

  it('wrong-key: issues a certificate for another key', async () => {
    const request = newRequest({ profile: 'wrong-key' });
    const certificate = readCertificate(await issue(opened.ca, request));
    expect(certificate.spki).not.toEqual(request.csr.publicKey.spki);
  });

  it('garbage: issues what is no certificate', async () => {
    const certificate = await issue(opened.ca, newRequest({ profile: 'garbage' }));
    expect(() => readCertificate(certificate)).toThrow();
  });
});
