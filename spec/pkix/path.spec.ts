import { beforeAll, describe, expect, it } from '@jest/globals';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { PathError, validatePath } from '../../src/pkix/path.ts';
import {
  caConstraints,
  certificate,
  keyUsage,
  named,
  type CertificateParts,
} from '../support/certificate.ts';
import {
  extension,
  generateKeyPair,
  id,
  integer,
  null_,
  octetString,
  sequence,
  objectIdentifier,
  tlv,
  true_,
  type KeyPair,
} from '../support/csr.ts';
import { linearGrowth } from '../support/growth.ts';
import { openssl } from '../support/openssl.ts';

const at = new Date('2026-06-01T00:00:00Z');
const keyCertSign = keyUsage(2, 0x04);
const extendedKeyUsage = (...uses: readonly string[]): Buffer =>
  extension(id.extendedKeyUsage, sequence(...uses.map(objectIdentifier)));
const unknownCritical = extension('1.2.3.4', null_, true);

const keys = new Map<string, KeyPair>();
let root: Certificate;
let issuing: Certificate;

const keyOf = (name: string): KeyPair => {
  const key = keys.get(name);
  if (key === undefined) throw new Error(`no key for ${name}`);
  return key;
};

const rootParts = (): CertificateParts => ({
  subject: named('root'),
  key: keyOf('root'),
  extensions: [caConstraints(), keyCertSign],
});
const issuingParts = (): CertificateParts => ({
  subject: named('issuing'),
  issuer: named('root'),
  key: keyOf('issuing'),
  issuerKey: keyOf('root'),
  extensions: [caConstraints(0), keyCertSign],
});
const leafParts = (): CertificateParts => ({
  subject: named('device'),
  issuer: named('issuing'),
  key: keyOf('device'),
  issuerKey: keyOf('issuing'),
});

beforeAll(async () => {
  for (const name of ['root', 'issuing', 'device', 'other']) keys.set(name, await generateKeyPair('P-256'));
  root = await certificate(rootParts());
  issuing = await certificate(issuingParts());
});

/** Why there is no path, with parts of the chain replaced. */
async function objection(
  parts: { leaf?: CertificateParts; issuing?: CertificateParts; root?: CertificateParts } = {},
  expiredFor = 0,
): Promise<string> {
  const leaf = await certificate({ ...leafParts(), ...parts.leaf });
  const intermediates = [await certificate({ ...issuingParts(), ...parts.issuing })];
  const trustAnchors = [await certificate({ ...rootParts(), ...parts.root })];
  try {
    await validatePath(leaf, { intermediates, trustAnchors, at, expiredFor });
    return 'none';
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
}

describe('validatePath (row T-13)', () => {
  it('T-13 finds the path from the leaf to the trust anchor', async () => {
    const leaf = await certificate(leafParts());
    const stranger = await certificate({ subject: named('stranger'), extensions: [caConstraints()] });
    const options = { intermediates: [stranger, root, issuing], trustAnchors: [stranger, root], at };
    expect(await validatePath(leaf, options)).toEqual([leaf, issuing, root]);
  });

  it('T-13 holds every certificate to the name constraints of the CAs above it', async () => {
    const dns = (name: string): Buffer => tlv(0x82, Buffer.from(name));
    const permitted = extension('2.5.29.30', sequence(tlv(0xa0, sequence(dns('example.org')))), true);
    const withName = (name: string): CertificateParts => ({
      extensions: [extension(id.subjectAltName, sequence(dns(name)))],
    });
    const constrained = { extensions: [caConstraints(), keyCertSign, permitted] };
    expect(await objection({ root: constrained, leaf: withName('a.example.org') })).toBe('none');
    expect(await objection({ root: constrained, leaf: withName('a.example.net') })).toMatch(
      /may not certify/,
    );
    expect(await objection({ issuing: constrained, leaf: withName('a.example.net') })).toMatch(
      /may not certify/,
    );
  });

  it('T-13 wants the certificate policies that a CA demands', async () => {
    const explicit = extension('2.5.29.36', sequence(tlv(0x80, Buffer.of(0))), true);
    expect(await objection({ issuing: { extensions: [caConstraints(), keyCertSign, explicit] } })).toMatch(
      /lacks the certificate policies/,
    );
  });

  it('R-13 S-27 lets the leaf, and no CA, have expired for as long as is said', async () => {
    const yesterday = { notAfter: '20260531000000Z' };
    const day = 86_400_000;
    expect(await objection({ leaf: yesterday }, day)).toBe('none');
    expect(await objection({ leaf: yesterday }, day - 1)).toBe('it has expired');
    expect(await objection({ leaf: yesterday, issuing: yesterday }, day)).toMatch(
      /certificate of its CA has expired/,
    );
    expect(await objection({ leaf: yesterday, root: yesterday }, day)).toMatch(
      /certificate of its CA has expired/,
    );
    expect(await objection({ leaf: { notBefore: '20260601000001Z' } }, day)).toBe('it is not valid yet');
  });

  it('T-13 ends at a trust anchor that is not self-signed', async () => {
    const leaf = await certificate(leafParts());
    expect(await validatePath(leaf, { intermediates: [], trustAnchors: [issuing], at })).toEqual([
      leaf,
      issuing,
    ]);
  });

  it('T-13 accepts a chain of openssl with RSA and P-384 keys', async () => {
    const chain = await opensslChain();
    const [leaf, intermediate, anchor] = chain;
    if (leaf === undefined || intermediate === undefined || anchor === undefined) throw new Error('no chain');
    const options = { intermediates: [intermediate], trustAnchors: [anchor], at: new Date() };
    expect(await validatePath(leaf, options)).toEqual(chain);
  });

  it.each([
    ['no objection to the sane chain', {}, 'none'],
    ['expired leaf', { leaf: { notAfter: '20260531235959Z' } }, 'it has expired'],
    ['leaf of the future', { leaf: { notBefore: '20260601000001Z' } }, 'it is not valid yet'],
    ['leaf at its last second', { leaf: { notAfter: '20260601000000Z' } }, 'none'],
    [
      'expired intermediate',
      { issuing: { notAfter: '20260531235959Z' } },
      'the certificate of its CA has expired or is not valid yet',
    ],
    [
      'intermediate of the future',
      { issuing: { notBefore: '20260601000001Z' } },
      'the certificate of its CA has expired or is not valid yet',
    ],
    [
      'expired root',
      { root: { notAfter: '20260531235959Z' } },
      'the certificate of its CA has expired or is not valid yet',
    ],
    [
      'intermediate without basicConstraints',
      { issuing: { extensions: [keyCertSign] } },
      'its issuer is not a CA',
    ],
    [
      'intermediate with cA FALSE',
      { issuing: { extensions: [extension(id.basicConstraints, sequence(), true)] } },
      'its issuer is not a CA',
    ],
    [
      'intermediate without keyCertSign',
      { issuing: { extensions: [caConstraints(), keyUsage(7, 0x80)] } },
      'its issuer may not sign certificates',
    ],
    ['root of version 1', { root: { version: 1, extensions: [] } }, 'its issuer is not a CA'],
    [
      'root with pathLen 0',
      { root: { extensions: [caConstraints(0)] } },
      'its path is longer than a CA in it allows',
    ],
    ['root with pathLen 1', { root: { extensions: [caConstraints(1)] } }, 'none'],
    [
      'unknown critical extension in the leaf',
      { leaf: { extensions: [unknownCritical] } },
      'it has an unknown critical extension',
    ],
    [
      'unknown critical extension in the intermediate',
      { issuing: { extensions: [caConstraints(), unknownCritical] } },
      'the certificate of its CA has an unknown critical extension',
    ],
    [
      'unknown extension that is not critical',
      { leaf: { extensions: [extension('1.2.3.4', null_)] } },
      'none',
    ],
    [
      'leaf for key agreement alone',
      { leaf: { extensions: [keyUsage(3, 0x08)] } },
      'its keyUsage lacks digitalSignature',
    ],
    ['leaf for digitalSignature', { leaf: { extensions: [keyUsage(7, 0x80)] } }, 'none'],
    [
      'leaf for servers alone',
      { leaf: { extensions: [extendedKeyUsage('1.3.6.1.5.5.7.3.1')] } },
      'its extendedKeyUsage lacks clientAuth',
    ],
    [
      'leaf for servers and clients',
      { leaf: { extensions: [extendedKeyUsage('1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2')] } },
      'none',
    ],
    ['leaf for anything', { leaf: { extensions: [extendedKeyUsage('2.5.29.37.0')] } }, 'none'],
    ['leaf of a name that no CA has', { leaf: { issuer: named('nobody') } }, 'it leads to no trust anchor'],
    [
      'intermediate of a name that no anchor has',
      { issuing: { issuer: named('nobody') } },
      'it leads to no trust anchor',
    ],
  ] as const)('T-13 %s', async (_, parts, expected) => {
    expect(await objection(parts)).toBe(expected);
  });

  it('T-13 refuses signatures of other keys', async () => {
    const wrong = { issuerKey: keyOf('other') };
    expect(await objection({ leaf: wrong })).toBe('a signature in its path is wrong');
    expect(await objection({ issuing: wrong })).toBe('a signature in its path is wrong');
    expect(await objection({ root: { key: keyOf('other') } })).toBe('a signature in its path is wrong');
  });

  it('T-13 refuses SHA-1 signatures', async () => {
    expect(await objection({ leaf: { hash: 'sha1' } })).toBe(
      'its path has a key or signature of a kind that is not accepted',
    );
  });

  it('T-13 refuses a self-signed leaf, and one whose CA is no trust anchor', async () => {
    const selfSigned = await certificate({
      ...leafParts(),
      issuer: named('device'),
      issuerKey: keyOf('device'),
    });
    await expect(
      validatePath(selfSigned, { intermediates: [selfSigned], trustAnchors: [root], at }),
    ).rejects.toThrow(PathError);
    await expect(
      validatePath(selfSigned, { intermediates: [], trustAnchors: [selfSigned], at }),
    ).rejects.toThrow(PathError);
    const leaf = await certificate(leafParts());
    await expect(
      validatePath(leaf, { intermediates: [issuing, root], trustAnchors: [], at }),
    ).rejects.toThrow(PathError);
  });

  it('T-13 tells CAs of one name apart by their keys', async () => {
    const twin = await certificate({ ...issuingParts(), key: keyOf('other') });
    const leaf = await certificate(leafParts());
    for (const intermediates of [
      [twin, issuing],
      [issuing, twin],
    ]) {
      expect(await validatePath(leaf, { intermediates, trustAnchors: [root], at })).toEqual([
        leaf,
        issuing,
        root,
      ]);
    }
  });

  it('T-13 heeds key identifiers', async () => {
    const identifier = (oid: string, value: Buffer): Buffer => extension(oid, value);
    const named1 = identifier('2.5.29.35', sequence(tlv(0x80, Buffer.of(1))));
    const is = (octet: number): Buffer => identifier('2.5.29.14', octetString(Buffer.of(octet)));
    const withIdentifier = (octet: number): CertificateParts => ({
      extensions: [caConstraints(), is(octet)],
    });
    expect(await objection({ leaf: { extensions: [named1] }, issuing: withIdentifier(1) })).toBe('none');
    expect(await objection({ leaf: { extensions: [named1] }, issuing: withIdentifier(2) })).toBe(
      'it leads to no trust anchor',
    );
  });

  it('T-13 accepts no client of a CA that is for other purposes', async () => {
    const forServers = extendedKeyUsage('1.3.6.1.5.5.7.3.1');
    const forClients = extendedKeyUsage('1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2');
    const forAny = extendedKeyUsage('2.5.29.37.0');
    const withUsage = (usage: Buffer): CertificateParts => ({
      extensions: [caConstraints(), keyCertSign, usage],
    });
    const refusal = 'the extendedKeyUsage of a CA in its path lacks clientAuth';
    expect(await objection({ issuing: withUsage(forServers) })).toBe(refusal);
    expect(await objection({ root: withUsage(forServers), issuing: withUsage(forClients) })).toBe(refusal);
    expect(await objection({ root: withUsage(forAny), issuing: withUsage(forClients) })).toBe('none');
  });

  it('T-13 wants one purpose that is left along the whole path', async () => {
    const [clientAuth, cmcRA] = ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.28'];
    const validate = async (ofIssuing: string, ofLeaf: string): Promise<unknown> => {
      const leaf = await certificate({ ...leafParts(), extensions: [extendedKeyUsage(ofLeaf)] });
      const extensions = [caConstraints(), keyCertSign, extendedKeyUsage(ofIssuing)];
      const intermediates = [await certificate({ ...issuingParts(), extensions })];
      const options = { intermediates, trustAnchors: [root], at, purposes: [clientAuth, cmcRA] };
      return await validatePath(leaf, options).then(
        () => 'valid',
        () => 'refused',
      );
    };
    expect(await validate(clientAuth, clientAuth)).toBe('valid');
    expect(await validate(cmcRA, cmcRA)).toBe('valid');
    expect(await validate(clientAuth, cmcRA)).toBe('refused');
  });

  it('T-13 takes critical distribution points, and a pathLenConstraint of any size', async () => {
    const critical = extension('2.5.29.31', sequence(sequence()), true);
    expect(await objection({ leaf: { extensions: [critical] } })).toBe('none');
    const long = [caConstraints(2 ** 40), keyCertSign];
    expect(await objection({ root: { extensions: long } })).toBe('none');
    const longer = extension(id.basicConstraints, sequence(true_, integer(2n ** 400n)), true);
    expect(await objection({ root: { extensions: [longer, keyCertSign] } })).toBe('none');
  });

  it('S-09 looks at constraints and policies only where signatures lead to a trust anchor', async () => {
    const unreadable = ['2.5.29.30', '2.5.29.32', '2.5.29.36'].map((oid) => extension(oid, null_));
    const constrained = { extensions: [caConstraints(), keyCertSign, ...unreadable] };
    const self = { ...constrained, key: keyOf('other') };
    expect(await objection({ issuing: constrained })).toBe('its path has a malformed extension');
    expect(await objection({ issuing: { ...constrained, issuerKey: keyOf('other') } })).toBe(
      'a signature in its path is wrong',
    );
    const leaf = await certificate({ ...leafParts(), issuerKey: keyOf('other') });
    const issuers = await Promise.all([
      certificate({ ...self, subject: named('issuing'), issuer: named('self-made') }),
      certificate({ ...self, subject: named('self-made'), key: keyOf('device') }),
    ]);
    await expect(validatePath(leaf, { intermediates: issuers, trustAnchors: [root], at })).rejects.toThrow(
      'it leads to no trust anchor',
    );
  });

  it('S-09 judges a chain that the peer made up in time that grows with its size', async () => {
    const dNSNames = (size: number, domain: string): readonly Buffer[] =>
      Array.from({ length: size }, (_, index) => tlv(0x82, Buffer.from(`${index}.${domain}`)));
    const madeUp = async (size: number): Promise<readonly [Certificate, Certificate]> => {
      const excluded = tlv(0xa1, ...dNSNames(size / 2, 'example').map((name) => sequence(name)));
      const constraints = extension('2.5.29.30', sequence(excluded), true);
      const names = extension(id.subjectAltName, sequence(...dNSNames(size, 'test')));
      return await Promise.all([
        certificate({ ...leafParts(), extensions: [names] }),
        certificate({ ...issuingParts(), extensions: [caConstraints(), constraints], key: keyOf('issuing') }),
      ]);
    };
    const cpuTime = async (size: number): Promise<number> => {
      const [leaf, above] = await madeUp(size);
      const before = process.threadCpuUsage();
      for (let run = 0; run < 6; run += 1) {
        // Signed by the anchor's key or not, and read anew each time.
        const fresh = { ...leaf };
        const intermediates = [{ ...above }];
        const trustAnchors = run % 2 === 0 ? [root] : [{ ...root, spki: leaf.spki }];
        await validatePath(fresh, { intermediates, trustAnchors, at }).catch(() => undefined);
      }
      const { user, system } = process.threadCpuUsage(before);
      return user + system;
    };
    await cpuTime(8000);
    expect((await cpuTime(8000)) / (await cpuTime(1000))).toBeLessThan(linearGrowth);
  });

  it('S-09 gives up on cross certificates that go in circles', async () => {
    const ring = await Promise.all(
      ['issuing', 'root', 'other'].flatMap((subject) =>
        ['issuing', 'root', 'other'].map((issuer) =>
          certificate({
            subject: named('issuing'),
            key: keyOf(subject),
            issuer: named('issuing'),
            issuerKey: keyOf(issuer),
            extensions: [caConstraints()],
          }),
        ),
      ),
    );
    const leaf = await certificate(leafParts());
    await expect(validatePath(leaf, { intermediates: ring, trustAnchors: [], at })).rejects.toThrow(
      PathError,
    );
  });
});

/** Leaf, intermediate and root. */
async function opensslChain(): Promise<readonly Certificate[]> {
  const ca = '-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign';
  const make = async (
    subject: string,
    key: string,
    rest: string,
    files: Record<string, string>,
  ): Promise<string> => openssl(`req -x509 -days 2 -nodes -subj /CN=${subject} ${key} ${rest}`, files);
  const [rootKey, issuingKey] = await Promise.all([
    openssl('genrsa 3072'),
    openssl('ecparam -name secp384r1 -genkey -noout'),
  ]);
  const rootPem = await make('openssl-root', '-key root.key', ca, { 'root.key': rootKey });
  const issuingPem = await make('openssl-issuing', '-key issuing.key -CA root.pem -CAkey root.key', ca, {
    'issuing.key': issuingKey,
    'root.key': rootKey,
    'root.pem': rootPem,
  });
  const leafPem = await make(
    'device',
    '-newkey ed25519 -keyout leaf.key -CA issuing.pem -CAkey issuing.key',
    '-addext basicConstraints=CA:FALSE -addext extendedKeyUsage=clientAuth',
    { 'issuing.key': issuingKey, 'issuing.pem': issuingPem },
  );
  return [leafPem, issuingPem, rootPem].flatMap(certificatesFromPem);
}
