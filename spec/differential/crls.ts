import { sign } from 'node:crypto';
import { createCrlSource } from '../../src/auth/revocation/crl.ts';
import { createCrlStore } from '../../src/auth/revocation/crl-store.ts';
import { readCertificate } from '../../src/pkix/certificate.ts';
import { caConstraints, certificateDer, keyUsage, named } from '../support/certificate.ts';
import {
  bitString,
  extension,
  generateKeyPair,
  integer,
  objectIdentifier,
  sequence,
  tlv,
  type KeyPair,
} from '../support/csr.ts';
import type { Random } from './random.ts';

/** A certificate, its CA, and the CRLs that are there; DER. */
export interface CrlSituation {
  readonly certificate: Buffer;
  readonly ca: Buffer;
  readonly crls: readonly Buffer[];
  readonly features: ReadonlySet<string>;
}

const clients = 10;
const hour = 3_600_000;

/** Makes situations of clients that have CA and CRLs in common; keys are made once. */
export async function createCrlGenerator(): Promise<(random: Random) => Promise<readonly CrlSituation[]>> {
  const [key, namesake, clientKey] = await Promise.all(
    [1, 2, 3].map(async () => await generateKeyPair('P-256')),
  );
  if (key === undefined || namesake === undefined || clientKey === undefined) throw new Error('no keys');
  const ca = await certificateDer({
    subject: named('CA'),
    key,
    extensions: [caConstraints(), keyUsage(1, 0x06)],
  });
  return async (random) => {
    const ofCrls = new Set<string>();
    const crls = Array.from({ length: 1 + random.below(3) }, () => crl(random, key, namesake, ofCrls));
    const situations: CrlSituation[] = [];
    for (let serial = 1; serial <= clients; serial += 1) {
      const features = new Set(ofCrls);
      const certificate = await certificateDer({
        subject: named('device'),
        issuer: named('CA'),
        key: clientKey,
        issuerKey: key,
        serialNumber: integer(BigInt(serial)),
        extensions: distributionPoints(random, features),
      });
      situations.push({ certificate, ca, crls, features });
    }
    return situations;
  };
}

const someReasons = tlv(0x83, Buffer.of(4, 0b0111_0000));
const otherReasons = tlv(0x83, Buffer.of(7, 0b0000_1111, 0b1000_0000));
const pointName = (partition: string): Buffer =>
  tlv(0xa0, tlv(0xa0, tlv(0x86, Buffer.from(`http://crl.example/${partition}.crl`))));

function crl(random: Random, key: KeyPair, namesake: KeyPair, features: Set<string>): Buffer {
  const isForged = random.chance(15);
  if (isForged) features.add('CRL of a namesake');
  const scope = random.pick(['full', 'full', 'users', 'CAs', 'A', 'B', 'some', 'other', 'A some'] as const);
  const fields = {
    full: [],
    users: [tlv(0x81, Buffer.of(0xff))],
    CAs: [tlv(0x82, Buffer.of(0xff))],
    A: [pointName('A')],
    B: [pointName('B')],
    some: [someReasons],
    other: [otherReasons],
    'A some': [pointName('A'), someReasons],
  }[scope];
  features.add(`CRL ${scope}`);
  const dates = random.pick(['now', 'now', 'now', 'old', 'future'] as const);
  if (dates !== 'now') features.add('CRL out of date');
  const start = Date.now() + { now: -hour - random.below(1000) * 1000, old: -9 * hour, future: hour }[dates];
  const serials = Array.from({ length: clients }, (_, at) => at + 1).filter(() => random.chance(25));
  const revoked = serials.map((serial) => sequence(integer(BigInt(serial)), time(start - hour)));
  const algorithm = sequence(objectIdentifier('1.2.840.10045.4.3.2'));
  const extensions = sequence(
    extension('2.5.29.20', integer(1n)),
    ...(fields.length > 0 ? [extension('2.5.29.28', sequence(...fields), true)] : []),
  );
  const tbs = sequence(
    integer(1n),
    algorithm,
    named('CA'),
    time(start),
    time(start + (dates === 'old' ? hour : 9 * hour)),
    ...(revoked.length > 0 ? [sequence(...revoked)] : []),
    tlv(0xa0, extensions),
  );
  const { privateKey } = isForged ? namesake : key;
  return sequence(tbs, algorithm, bitString(sign('sha256', tbs, privateKey)));
}

function distributionPoints(random: Random, features: Set<string>): readonly Buffer[] {
  const kind = random.pick(['none', 'A', 'B', 'by reasons'] as const);
  features.add(`points ${kind}`);
  const points = {
    none: [],
    A: [sequence(pointName('A'))],
    B: [sequence(pointName('B'))],
    'by reasons': [
      sequence(pointName('A'), tlv(0x81, Buffer.of(4, 0b0111_0000))),
      sequence(pointName('B'), tlv(0x81, Buffer.of(7, 0b0000_1111, 0b1000_0000))),
    ],
  }[kind];
  return points.length === 0 ? [] : [extension('2.5.29.31', sequence(...points))];
}

function time(at: number): Buffer {
  const text = new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return tlv(0x17, Buffer.from(text.slice(2)));
}

/** `good`, `revoked`, or neither. */
export type CrlJudgement = 'good' | 'revoked' | 'undetermined';

/** By the gateway, of whose CA the CRLs are at URLs. */
export async function judgeCrlsByGateway({ certificate, ca, crls }: CrlSituation): Promise<CrlJudgement> {
  const issuer = readCertificate(ca);
  const store = createCrlStore({
    fetch: async (url) =>
      await Promise.resolve(crls[Number(new URL(url).pathname.slice(1))] ?? Buffer.alloc(0)),
    maxAge: hour,
    onFailure: () => undefined,
  });
  const urls = crls.map((_, at) => ({ url: `http://crl.example/${at}`, issuers: [issuer] }));
  const source = createCrlSource({ store, files: [], urls, followCertificates: false });
  const { status } = await source.status({
    certificate: readCertificate(certificate),
    issuer,
    trustAnchor: issuer,
    configured: [issuer],
    now: new Date(),
    signal: new AbortController().signal,
  });
  return status === 'good' || status === 'revoked' ? status : 'undetermined';
}
