import { caConstraints, certificateDer, keyUsage, type CertificateParts } from '../support/certificate.ts';
import {
  extension,
  generateKeyPair,
  id,
  name,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  subjectAltName,
  tlv,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { makePolicies, policyExtensions, policyFeatures } from './policies.ts';
import type { Random } from './random.ts';

/** A client's certificate, what may lie between, and what is trusted; DER. */
export interface Chain {
  readonly leaf: Buffer;
  readonly intermediates: readonly Buffer[];
  readonly roots: readonly Buffer[];
  /** Of which one is required; empty: any or none. */
  readonly policies: readonly string[];
  /** What is in it: words by which classes of disagreement are told. */
  readonly features: ReadonlySet<string>;
}

/** The moment of all judgements. */
export const judgedAt = new Date('2026-06-01T00:00:00Z');

const clientAuth = '1.3.6.1.5.5.7.3.2';
const serverAuth = '1.3.6.1.5.5.7.3.1';
const anyPurpose = '2.5.29.37.0';

/** Kinds of names with names, and with bases of constraints. */
const kinds = {
  dNSName: {
    names: ['example.com', 'a.example.com', 'b.a.example.com', 'example.net', '*.example.com', 'EXAMPLE.com'],
    bases: ['example.com', '.example.com', 'a.example.com', 'net', ''],
    of: (text: string) => tlv(0x82, Buffer.from(text)),
  },
  rfc822Name: {
    names: ['a@example.com', 'b@example.com', 'a@a.example.com', 'a@example.net', 'a@EXAMPLE.com'],
    bases: ['example.com', '.example.com', 'a@example.com', 'a.example.com'],
    of: (text: string) => tlv(0x81, Buffer.from(text)),
  },
  uniformResourceIdentifier: {
    names: [
      'https://example.com/',
      'https://a.example.com:1/x',
      'https://192.0.2.1/',
      'urn:x',
      'ldap://example.net',
    ],
    bases: ['example.com', '.example.com', 'a.example.com'],
    of: (text: string) => tlv(0x86, Buffer.from(text)),
  },
  iPAddress: {
    names: ['c0000201', 'c0000301', '0a000001', '20010db8000000000000000000000001'],
    bases: [
      'c0000200ffffff00',
      '0a000000ff000000',
      '0000000000000000',
      `20010db8${'00'.repeat(12)}ffffffff${'00'.repeat(12)}`,
    ],
    of: (text: string) => tlv(0x87, Buffer.from(text, 'hex')),
  },
  directoryName: {
    names: ['Example', 'EXAMPLE', 'Other'],
    bases: ['Example', 'Other'],
    of: (text: string) => tlv(0xa4, name([id.organizationName, utf8String(text)])),
  },
} as const;
const kindNames = Object.keys(kinds) as [keyof typeof kinds, ...(keyof typeof kinds)[]];

/** Clients of one hierarchy, which OpenSSL judges in one run. */
const clients = 10;

/** Makes chains of clients that have the CAs in common; keys are made once. */
export async function createChainGenerator(): Promise<(random: Random) => Promise<readonly Chain[]>> {
  const keys = await Promise.all(Array.from({ length: 9 }, async () => await generateKeyPair('P-256')));
  const key = (at: number): KeyPair => {
    const found = keys[at];
    if (found === undefined) throw new Error(`no key ${at}`);
    return found;
  };
  return async (random) => await makeChains(random, key);
}

async function makeChains(random: Random, key: (at: number) => KeyPair): Promise<readonly Chain[]> {
  const ofCas = new Set<string>();
  const note = (feature: string): void => {
    ofCas.add(feature);
  };
  // Most chains are about one thing, so that what is wrong with one does not hide the next.
  const theme = random.pick(['basics', 'constraints', 'policies', 'purposes', 'keys'] as const);
  note(theme);
  const depth = 1 + random.below(3);
  const nameAt = (at: number): Buffer => caName(at === 0 ? 'Root' : `CA ${at}`);
  const keyIdentifiers = random.chance(50);
  const policyMode = theme === 'policies';
  const intermediates: Buffer[] = [];
  // Those of a trust anchor do not count.
  const policiesOfCas = policyMode ? Array.from({ length: depth }, () => makePolicies(random, true)) : [];

  const ca = (at: number): CertificateParts => {
    const isRoot = at === 0;
    return {
      subject: nameAt(at),
      issuer: nameAt(Math.max(0, at - 1)),
      key: key(at),
      issuerKey: key(Math.max(0, at - 1)),
      ...(theme === 'basics' && random.chance(6) && expiry(random, note)),
      extensions: [
        ...(theme === 'basics'
          ? basicExtensions(random, isRoot ? note : undefined)
          : [caConstraints(), keyUsage(1, 0x06)]),
        ...(keyIdentifiers ? identifiers(at, Math.max(0, at - 1)) : []),
        ...(theme === 'purposes' && random.chance(50) ? [purposesOf(random, note, 'CA')] : []),
        ...(theme === 'constraints' && random.chance(60) ? [constraints(random, note)] : []),
        ...policyExtensions(policiesOfCas[at - 1]),
      ],
    };
  };

  const roots = [await certificateDer(ca(0))];
  for (let at = 1; at <= depth; at += 1) intermediates.push(await certificateDer(ca(at)));
  if (theme === 'keys') {
    if (random.chance(40)) {
      note('namesake root');
      roots.splice(random.below(2), 0, await certificateDer({ ...ca(0), key: key(7), issuerKey: key(7) }));
    }
    if (random.chance(40)) {
      note('namesake CA');
      intermediates.splice(random.below(2), 0, await certificateDer({ ...ca(depth), key: key(6) }));
    }
    if (random.chance(30)) {
      note('cross-signed');
      // The first CA under another root as well, which is trusted instead or beside.
      const other = {
        ...ca(0),
        subject: caName('Other'),
        issuer: caName('Other'),
        key: key(5),
        issuerKey: key(5),
      };
      intermediates.push(await certificateDer({ ...ca(1), issuer: caName('Other'), issuerKey: key(5) }));
      if (random.chance(50)) roots.length = 0;
      roots.push(await certificateDer(other));
    }
    if (random.chance(30)) {
      note('re-keyed root');
      // NewWithOld and OldWithNew (RFC 4210, section 4.4); the new root is trusted alone.
      const link = { ...ca(0), key: key(0), issuerKey: key(4) };
      intermediates.push(await certificateDer({ ...link, extensions: [caConstraints(), keyUsage(1, 0x06)] }));
      roots.push(await certificateDer({ ...ca(0), key: key(4), issuerKey: key(4) }));
      if (random.chance(50)) roots.splice(0, roots.length - 1);
    }
  }
  const policies = policyMode && random.chance(60) ? [random.pick(['1.2.3.1', '1.2.3.2'] as const)] : [];
  if (policies.length > 0) note('required policy');
  if (random.chance(50)) intermediates.reverse();
  const chains: Chain[] = [];
  while (chains.length < clients) {
    const features = new Set(ofCas);
    const add = (feature: string): void => {
      features.add(feature);
    };
    const policiesOfLeaf = policyMode ? makePolicies(random, false) : undefined;
    policyFeatures([...policiesOfCas, ...(policiesOfLeaf === undefined ? [] : [policiesOfLeaf])]).forEach(
      add,
    );
    const wrongKey = theme !== 'policies' && random.chance(4);
    const leaf = await certificateDer({
      subject: leafName(random, add, theme === 'constraints'),
      issuer: nameAt(depth),
      key: key(8),
      issuerKey: key(wrongKey ? 5 : depth),
      ...(theme === 'basics' && random.chance(8) && expiry(random, add)),
      extensions: [
        ...(theme === 'basics' ? leafExtensions(random) : []),
        ...(keyIdentifiers ? identifiers(8, depth) : []),
        ...(theme === 'purposes' && random.chance(60) ? [purposesOf(random, add, 'leaf')] : []),
        ...(theme === 'constraints' ? [altNames(random, add)] : []),
        ...policyExtensions(policiesOfLeaf),
      ],
    });
    chains.push({ leaf, intermediates, roots, policies, features });
  }
  return chains;
}

function caName(text: string): Buffer {
  return name([id.organizationName, utf8String('Example')], [id.commonName, utf8String(text)]);
}

function identifiers(own: number, issuer: number): readonly Buffer[] {
  return [
    extension('2.5.29.14', octetString(Buffer.of(own, 1))),
    extension('2.5.29.35', sequence(tlv(0x80, Buffer.of(issuer, 1)))),
  ];
}

function expiry(random: Random, note: (feature: string) => void): Partial<CertificateParts> {
  const dates = random.pick([
    { notAfter: '20260531235959Z' },
    { notBefore: '20260601000001Z' },
    { notAfter: '20260601000000Z' },
  ]);
  if (dates.notAfter === '20260601000000Z') note('last second');
  return dates;
}

const unknownCritical = extension('1.2.3.4', null_, true);

/** `note` for a root. */
function basicExtensions(random: Random, note?: (feature: string) => void): readonly Buffer[] {
  const isUsual = random.chance(94);
  if (!isUsual) note?.('root that is no CA');
  const constraintsOfCa = isUsual
    ? caConstraints(random.chance(40) ? random.pick([0, 1, 2, 300]) : undefined)
    : random.pick([extension(id.basicConstraints, sequence(), true), extension('1.2.3.5', null_)]);
  return [
    constraintsOfCa,
    ...(random.chance(80) ? [random.chance(95) ? keyUsage(1, 0x06) : keyUsage(1, 0x02)] : []),
    ...(random.chance(4) ? [unknownCritical] : []),
  ];
}

function leafExtensions(random: Random): readonly Buffer[] {
  return [
    ...(random.chance(50) ? [extension(id.basicConstraints, sequence())] : []),
    ...(random.chance(50) ? [keyUsage(7, 0x80)] : []),
    ...(random.chance(4) ? [unknownCritical] : []),
    ...(random.chance(20) ? [extension('2.5.29.31', distributionPoints, true)] : []),
  ];
}

const distributionPoints = sequence(
  sequence(tlv(0xa0, tlv(0xa0, tlv(0x86, Buffer.from('http://crl.example/ca.crl'))))),
);

function purposesOf(random: Random, note: (feature: string) => void, where: string): Buffer {
  const purposes = random.pick<readonly string[]>([
    [clientAuth],
    [serverAuth],
    [clientAuth, serverAuth],
    [anyPurpose],
  ]);
  if (purposes.some((one) => one === anyPurpose)) note(`anyExtendedKeyUsage in ${where}`);
  return extension(id.extendedKeyUsage, sequence(...purposes.map((purpose) => objectIdentifier(purpose))));
}

function constraints(random: Random, note: (feature: string) => void): Buffer {
  const subtrees = (): Buffer => {
    const kind = random.pick(kindNames);
    note(`constraint on ${kind}`);
    const bases = Array.from({ length: 1 + random.below(2) }, () =>
      sequence(kinds[kind].of(random.pick(kinds[kind].bases))),
    );
    return Buffer.concat(bases);
  };
  const permitted = random.chance(60) ? [tlv(0xa0, subtrees())] : [];
  const excluded = permitted.length === 0 || random.chance(30) ? [tlv(0xa1, subtrees())] : [];
  return extension('2.5.29.30', sequence(...permitted, ...excluded), true);
}

function altNames(random: Random, note: (feature: string) => void): Buffer {
  const names = Array.from({ length: 1 + random.below(2) }, () => {
    const kind = random.pick(kindNames);
    const text = random.pick(kinds[kind].names);
    note(`${kind} ${text}`);
    return kinds[kind].of(text);
  });
  return subjectAltName(...names);
}

function leafName(random: Random, note: (feature: string) => void, isConstrained: boolean): Buffer {
  const organization = isConstrained ? random.pick(['Example', 'Other'] as const) : 'Example';
  note(`organization ${organization}`);
  return name([id.organizationName, utf8String(organization)], [id.commonName, utf8String('device')]);
}
