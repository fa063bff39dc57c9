import { describe, expect, it } from '@jest/globals';
import { createBackendSource } from '../../src/auth/revocation/backend-status.ts';
import {
  createRevocationCheck,
  createStanding,
  type CompromisedKeys,
} from '../../src/auth/revocation/revocation.ts';
import type { RevocationSource, Verdict } from '../../src/auth/revocation/source.ts';
import { certificate, named } from '../support/certificate.ts';
import { generateKeyPair } from '../support/csr.ts';
import { recordLog } from '../support/log.ts';

type Reason = NonNullable<Extract<Verdict, { status: 'revoked' }>['revocation']>['reason'];

const good: Verdict = { status: 'good' };
const revoked: Verdict = { status: 'revoked', revocation: undefined };
const neverIssued: Verdict = { status: 'neverIssued' };
const uncovered: Verdict = { status: 'uncovered' };
const failed: Verdict = { status: 'undetermined', reasons: ['It is down.'] };
const unknown: Verdict = { status: 'unknown', reason: 'is not known to the OCSP responder' };

function source(name: RevocationSource['name'], verdict: Verdict): RevocationSource {
  return { name, status: async () => await Promise.resolve(verdict) };
}

const context = { configured: [], now: new Date(), signal: new AbortController().signal };

function memoryOfKeys(): CompromisedKeys & { readonly keys: Set<string> } {
  const keys = new Set<string>();
  return {
    keys,
    has: async ({ spki }) => await Promise.resolve(keys.has(spki.toString('hex'))),
    add: async ({ spki }) => {
      keys.add(spki.toString('hex'));
      await Promise.resolve();
    },
  };
}

/** The objection, `503`, or `accepted`. */
async function outcome(
  backend: Verdict,
  others: readonly Verdict[],
  order: 'first' | 'last' | 'absent',
  options: { readonly onFailure?: 'soft'; readonly withoutSource?: 'refuse' } = {},
): Promise<string> {
  const own = source('backend', backend);
  const further = others.map((verdict) => source('ocsp', verdict));
  const sources = { first: [own, ...further], last: [...further, own], absent: further };
  const check = createRevocationCheck({
    backend: own,
    sources: sources[order],
    onFailure: 'hard',
    withoutSource: 'accept',
    compromisedKeys: memoryOfKeys(),
    log: recordLog(),
    ...options,
  });
  const path = [await certificate(), await certificate()];
  return await check(path, context).then(
    (objection) => objection ?? 'accepted',
    () => '503',
  );
}

const isRevoked = 'it is revoked';
const isNone = 'it is not among the certificates that this CA has issued';
const notChecked = 'it cannot be checked for revocation here';
const isUnknown = 'it is not known to the OCSP responder';

describe('what the sources of revocations say together', () => {
  it.each(['first', 'last', 'absent'] as const)(
    'S-07 lets the word of the CA against a certificate count, the backend being %s',
    async (order) => {
      for (const other of [good, uncovered, failed, unknown]) {
        for (const options of [{}, { onFailure: 'soft' }] as const) {
          expect(await outcome(neverIssued, [other], order, options)).toBe(isNone);
          expect(await outcome(revoked, [other], order, options)).toBe(isRevoked);
        }
      }
    },
  );

  it.each(['first', 'last', 'absent'] as const)(
    'S-07 lets no other source stand in for a CA that does not answer, the backend being %s',
    async (order) => {
      expect(await outcome(failed, [good], order)).toBe('503');
      expect(await outcome(failed, [uncovered], order)).toBe('503');
      expect(await outcome(failed, [revoked], order)).toBe(isRevoked);
      expect(await outcome(failed, [revoked], order, { onFailure: 'soft' })).toBe(isRevoked);
      expect(await outcome(failed, [good], order, { onFailure: 'soft' })).toBe('accepted');
    },
  );

  it('S-07 lets the sources decide in their order about what the CA has nothing against', async () => {
    expect(await outcome(good, [revoked], 'first')).toBe('accepted');
    expect(await outcome(good, [revoked], 'last')).toBe(isRevoked);
    expect(await outcome(good, [revoked], 'absent')).toBe(isRevoked);
    expect(await outcome(good, [failed], 'absent')).toBe('503');
    expect(await outcome(uncovered, [unknown], 'first')).toBe(isUnknown);
    expect(await outcome(uncovered, [unknown, good], 'first')).toBe('accepted');
    expect(await outcome(uncovered, [unknown], 'first', { onFailure: 'soft' })).toBe('accepted');
    expect(await outcome(uncovered, [uncovered], 'first')).toBe('accepted');
    expect(await outcome(uncovered, [uncovered], 'first', { withoutSource: 'refuse' })).toBe(notChecked);
    expect(await outcome(good, [], 'absent', { withoutSource: 'refuse' })).toBe(notChecked);
  });
});

describe('a key of which a source says that it was compromised', () => {
  const options = { onFailure: 'hard', withoutSource: 'accept', log: recordLog() } as const;
  const verdictFor = (reason: Reason): Verdict => ({
    status: 'revoked',
    revocation: { reason, since: new Date() },
  });

  it.each<[Reason, string | undefined]>([
    ['keyCompromise', 'it has a key that has been compromised'],
    ['superseded', undefined],
  ])('S-17 is refused in every other certificate, too, after %s', async (reason, objection) => {
    const key = await generateKeyPair('P-256');
    const [first, second, issuer] = [
      await certificate({ key }),
      await certificate({ key }),
      await certificate(),
    ];
    const source: RevocationSource = {
      name: 'crl',
      status: async (question) =>
        await Promise.resolve(question.certificate === first ? verdictFor(reason) : good),
    };
    const backend = {
      ...source,
      name: 'backend',
      status: async () => await Promise.resolve(uncovered),
    } as const;
    const inUse = { ...options, backend, sources: [source], compromisedKeys: memoryOfKeys() };
    const check = createRevocationCheck(inUse);
    expect(await check([second, issuer], context)).toBeUndefined();
    expect(await check([first, issuer], context)).toBe(isRevoked);
    expect(await check([second, issuer], context)).toBe(objection);
    const standingOf = createStanding({ ...inUse, compromisedKeys: memoryOfKeys() });
    expect(await standingOf(first, issuer, context)).toBe('gone');
    expect(await standingOf(second, issuer, context)).toBe(objection === undefined ? 'good' : 'gone');
  });

  it('S-17 counts for end entities alone, whose peers have shown that they have the key', async () => {
    const [leaf, ca, root] = [await certificate(), await certificate(), await certificate()];
    const source: RevocationSource = {
      name: 'backend',
      status: async (question) =>
        await Promise.resolve(question.certificate === ca ? verdictFor('keyCompromise') : good),
    };
    const compromisedKeys = memoryOfKeys();
    const check = createRevocationCheck({ ...options, backend: source, sources: [], compromisedKeys });
    expect(await check([leaf, ca, root], context)).toBe('the certificate of a CA above it is revoked');
    expect(compromisedKeys.keys.size).toBe(0);
  });
});

describe('what the backend says of a certificate', () => {
  async function verdictOn(
    status: 'unknown' | 'uncovered' | 'revoked',
    at: 'issuing' | 'again' | 'root' | 'old',
  ) {
    const keys = await Promise.all([1, 2, 3].map(async () => await generateKeyPair('P-256')));
    const [issuingKey, rootKey, oldKey] = keys;
    if (issuingKey === undefined || rootKey === undefined || oldKey === undefined) throw new Error('no keys');
    const subject = named('Issuing');
    const issuing = await certificate({
      subject,
      key: issuingKey,
      issuer: named('Root'),
      issuerKey: rootKey,
    });
    const root = await certificate({ subject: named('Root'), key: rootKey });
    const old = await certificate({ subject, key: oldKey });
    // Of the same key, under another root.
    const again = await certificate({ subject, key: issuingKey, issuer: named('Other'), issuerKey: oldKey });
    const backend = createBackendSource({
      caCertificates: async () =>
        await Promise.resolve({ certificates: [issuing, root, old], issuing: [issuing] }),
      recorded: async () => Promise.resolve(undefined),
      certificateStatus: async () => await Promise.resolve(status),
    });
    const issuer = { issuing, again, root, old }[at];
    const question = { certificate: await certificate(), issuer, trustAnchor: root, ...context };
    return (await backend.status(question)).status;
  }

  it('S-07 is that it was never issued, whichever certificate of the key of the CA is above it', async () => {
    expect(await verdictOn('unknown', 'issuing')).toBe('neverIssued');
    expect(await verdictOn('unknown', 'again')).toBe('neverIssued');
    expect(await verdictOn('revoked', 'again')).toBe('revoked');
  });

  it('S-07 is nothing where the record is incomplete, or is none of what a root or an earlier key has signed', async () => {
    expect(await verdictOn('uncovered', 'issuing')).toBe('uncovered');
    expect(await verdictOn('unknown', 'root')).toBe('uncovered');
    expect(await verdictOn('unknown', 'old')).toBe('uncovered');
    expect(await verdictOn('revoked', 'old')).toBe('revoked');
  });
});
