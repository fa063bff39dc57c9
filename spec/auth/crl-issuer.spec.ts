import { beforeAll, describe, expect, it } from '@jest/globals';
import { isOfIssuer } from '../../src/auth/revocation/crl-issuer.ts';
import type { Certificate } from '../../src/pkix/certificate.ts';
import { caConstraints, certificate, named } from '../support/certificate.ts';
import { generateKeyPair, type KeyPair } from '../support/csr.ts';

const subject = named('CA');
const extensions = [caConstraints()];

/** Two keys under one name, and what binds them to each other. */
interface Names {
  readonly issuer: Certificate;
  readonly other: Certificate;
  readonly newWithOld: Certificate;
  readonly oldWithNew: Certificate;
  readonly root: Certificate;
  readonly issuerUnderRoot: Certificate;
  readonly otherUnderRoot: Certificate;
}

describe('whose a CRL is that bears the name of the issuer (RFC 5280, section 6.3.3, step f)', () => {
  let names: Names;
  beforeAll(async () => {
    const [key, otherKey, rootKey] = (await Promise.all(
      [1, 2, 3].map(async () => await generateKeyPair('P-256')),
    )) as [KeyPair, KeyPair, KeyPair];
    const root = { issuer: named('Root'), issuerKey: rootKey };
    names = {
      issuer: await certificate({ subject, key, extensions }),
      other: await certificate({ subject, key: otherKey, extensions }),
      newWithOld: await certificate({ subject, key: otherKey, issuer: subject, issuerKey: key, extensions }),
      oldWithNew: await certificate({ subject, key, issuer: subject, issuerKey: otherKey, extensions }),
      root: await certificate({ subject: named('Root'), key: rootKey, extensions }),
      issuerUnderRoot: await certificate({ subject, key, ...root, extensions }),
      otherUnderRoot: await certificate({ subject, key: otherKey, ...root, extensions }),
    };
  });

  /** For a CRL that the other key has signed. */
  async function counts(
    issuer: keyof Names,
    trustAnchor: keyof Names,
    configured: readonly (keyof Names)[],
    together: readonly (keyof Names)[] = [],
  ): Promise<boolean> {
    const isBy = async ({ spki }: Certificate): Promise<boolean> =>
      await Promise.resolve(spki.equals(names.other.spki));
    const question = {
      certificate: names.issuer,
      issuer: names[issuer],
      trustAnchor: names[trustAnchor],
      configured: configured.map((name) => names[name]),
      now: new Date('2026-06-01T00:00:00Z'),
      signal: new AbortController().signal,
    };
    return await isOfIssuer(
      undefined,
      isBy,
      question,
      together.map((name) => names[name]),
    );
  }

  it('S-07 not its own by a name that two roots have', async () => {
    expect(await counts('issuer', 'issuer', ['issuer', 'other'])).toBe(false);
    expect(await counts('issuerUnderRoot', 'root', ['root', 'issuerUnderRoot', 'other'])).toBe(false);
  });

  it('S-07 its own by a certificate that links the keys', async () => {
    expect(await counts('issuer', 'issuer', ['issuer', 'other', 'newWithOld'])).toBe(true);
    expect(await counts('issuer', 'issuer', ['issuer', 'other', 'oldWithNew'])).toBe(true);
  });

  it('S-07 its own by a path to the same trust anchor', async () => {
    const configured = ['root', 'issuerUnderRoot', 'otherUnderRoot'] as const;
    expect(await counts('issuerUnderRoot', 'root', configured)).toBe(true);
    expect(await counts('issuerUnderRoot', 'issuerUnderRoot', configured)).toBe(true);
  });

  it('S-07 its own where the configuration lists both under one CA', async () => {
    expect(await counts('issuer', 'issuer', ['issuer', 'other'], ['issuer', 'other'])).toBe(true);
    expect(await counts('issuer', 'issuer', ['issuer', 'other'], ['other'])).toBe(false);
  });
});
