import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { findState } from '../../../src/ca/local/state.ts';
import { certificatesFromPem, readCertificate, type Certificate } from '../../../src/pkix/certificate.ts';
import { caOf, issue, newCaTexts, newRequest, openLocal, openRegistry, type CaTexts } from '../setup.ts';

/** What an earlier release wrote of a backend, as the migration leaves it. */
const earlier = (name: string): string => `backend ${name}`;

let texts: CaTexts;
let registry: Awaited<ReturnType<typeof openRegistry>>;
beforeEach(async () => {
  [texts, registry] = await Promise.all([newCaTexts(), openRegistry()]);
});
afterEach(async () => {
  await registry.close();
});

/** A certificate of a CA, recorded under a name by an earlier release. */
async function recordEarlier(of: CaTexts, name: string, notBefore = new Date()): Promise<Certificate> {
  const local = await openLocal(of);
  const certificate = readCertificate(await issue(local.ca, newRequest()));
  await local.close();
  const { der, serialNumber, notAfter } = certificate;
  await registry.certificates.add({
    ...{ ca: earlier(name), serialNumber, notBefore, notAfter, certificate: der },
    ...{ idempotencyKey: serialNumber, subject: 'CN=device', publicKey: serialNumber },
  });
  return certificate;
}

async function holdEarlier(name: string): Promise<void> {
  const names = { alias: 'est', operation: 'simpleenroll', identity: 'device', subject: 'CN=device' };
  const rest = { subjectAltName: [], keyType: 'P-256', publicKey: 'key', idempotencyKey: 'waiting' };
  await registry.heldRequests.hold({ ca: earlier(name), ...names, ...rest }, new Date(), new Date(0));
}

async function find(of: CaTexts, name: string): Promise<string> {
  const [issuer] = certificatesFromPem(of.certificate);
  if (issuer === undefined) throw new Error('There is no certificate.');
  const { certificates } = registry;
  return await findState(issuer, 'complete', { name, certificates });
}

async function serialNumbersOf(ca: string): Promise<readonly string[]> {
  return (await registry.certificates.list(ca)).map(({ serialNumber }) => serialNumber).sort();
}

it('A CA takes what it signed from every name that a backend of it had, and from no other CA', async () => {
  const other = await newCaTexts('Other');
  const own = [await recordEarlier(texts, 'old'), await recordEarlier(texts, 'older')];
  const foreign = await recordEarlier(other, 'old');
  const namesake = await recordEarlier(await newCaTexts(), 'old');
  const [revoked] = own;
  await registry.certificates.revoke(earlier('old'), revoked?.serialNumber ?? '', 'superseded', new Date());
  for (const name of ['old', 'old', 'older', 'unrelated']) {
    await registry.certificates.nextCrlNumber(earlier(name));
  }
  const ca = await find(texts, 'new');
  expect(ca).toBe(caOf(texts));
  expect(await serialNumbersOf(ca)).toEqual(own.map(({ serialNumber }) => serialNumber).sort());
  expect(await registry.certificates.revocationOf(ca, revoked?.serialNumber ?? '')).toMatchObject({
    reason: 'superseded',
  });
  expect(await registry.certificates.nextCrlNumber(ca)).toBe(3);
  expect(await serialNumbersOf(earlier('old'))).toEqual(
    [foreign, namesake].map(({ serialNumber }) => serialNumber).sort(),
  );
  expect(await serialNumbersOf(await find(other, 'other'))).toEqual([foreign.serialNumber]);
});

it('What waits at a backend goes to its CA, and not to one that took its place', async () => {
  const next = await newCaTexts('Next');
  await recordEarlier(texts, 'local', new Date(0));
  await recordEarlier(next, 'local');
  await holdEarlier('local');
  const undecided = async (ca: string): Promise<number> =>
    (await registry.heldRequests.undecided(ca, new Date(0))).length;
  expect(await undecided(await find(texts, 'local'))).toBe(0);
  expect(await undecided(await find(next, 'local'))).toBe(1);
});

it('Of two certificates for one request at two backends of one CA, both stay', async () => {
  const [one, two] = [await recordEarlier(texts, 'one'), await recordEarlier(texts, 'two')];
  const [first] = await registry.certificates.list(earlier('one'));
  if (first === undefined) throw new Error('There is no certificate.');
  const third = { ...first, ca: earlier('three'), serialNumber: '03', idempotencyKey: two.serialNumber };
  await registry.certificates.add(third);
  const ca = await find(texts, 'one');
  expect(await serialNumbersOf(ca)).toEqual(['03', one.serialNumber, two.serialNumber].sort());
});
