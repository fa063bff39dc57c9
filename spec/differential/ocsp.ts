import { createHash, sign } from 'node:crypto';
import { createOcspClient } from '../../src/auth/revocation/ocsp.ts';
import { createOcspSource } from '../../src/auth/revocation/ocsp-source.ts';
import { readCertificate } from '../../src/pkix/certificate.ts';
import { caConstraints, certificateDer, keyUsage, named } from '../support/certificate.ts';
import {
  bitString,
  extension,
  generateKeyPair,
  id,
  integer,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  spkiOf,
  tlv,
  type KeyPair,
} from '../support/csr.ts';
import type { Random } from './random.ts';

/** A certificate, its CA, and what a responder answers about it and others; DER. */
export interface OcspSituation {
  readonly certificate: Buffer;
  readonly ca: Buffer;
  readonly answer: Buffer;
  readonly features: ReadonlySet<string>;
}

/** What an answer says of a certificate that counts; `undetermined`: nothing. */
export type OcspJudgement = 'good' | 'revoked' | 'unknown' | 'undetermined';

const clients = 10;
const hour = 3_600_000;
const ocspSigning = '1.3.6.1.5.5.7.3.9';
const clientAuth = '1.3.6.1.5.5.7.3.2';

/** Most are as they should be. */
const usual = ['usual', 'usual', 'usual', 'usual', 'usual', 'usual'] as const;

/** Makes situations of clients whose CA answers about all of them at once; keys are made once. */
export async function createOcspGenerator(): Promise<(random: Random) => Promise<readonly OcspSituation[]>> {
  const [key, namesake, responder, client] = await Promise.all(
    [1, 2, 3, 4].map(async () => await generateKeyPair('P-256')),
  );
  if (key === undefined || namesake === undefined || responder === undefined || client === undefined)
    throw new Error('no keys');
  const ca = await certificateDer({
    subject: named('CA'),
    key,
    extensions: [caConstraints(), keyUsage(1, 0x06)],
  });
  const certificates = await Promise.all(
    Array.from(
      { length: clients },
      async (_, at) =>
        await certificateDer({
          subject: named('device'),
          issuer: named('CA'),
          key: client,
          issuerKey: key,
          serialNumber: integer(BigInt(at + 1)),
        }),
    ),
  );
  return async (random) => {
    const ofAnswer = new Set<string>();
    const signer = await makeSigner(random, { ca: key, namesake, responder }, ofAnswer);
    const isMixed = random.chance(20);
    const about = certificates.map((_, at) => makeSingle(random, at + 1, isMixed, key, namesake));
    if (about.some(({ features }) => features.some((feature) => othersIssuers.includes(feature))))
      ofAnswer.add('about another issuer, too');
    const answer = makeAnswer(
      random,
      signer,
      about.flatMap(({ der }) => der),
      ofAnswer,
    );
    return certificates.map((certificate, at) => ({
      certificate,
      ca,
      answer,
      features: new Set([...ofAnswer, ...(about[at]?.features ?? [])]),
    }));
  };
}

/** Who signs an answer. */
interface Signer {
  readonly key: KeyPair;
  readonly name: Buffer;
  readonly certificate: Buffer | undefined;
}

async function makeSigner(
  random: Random,
  keys: Readonly<Record<'ca' | 'namesake' | 'responder', KeyPair>>,
  features: Set<string>,
): Promise<Signer> {
  const who = random.pick([
    ...(['the CA', 'the CA', 'the CA', 'a namesake'] as const),
    ...(['a responder', 'a responder', 'a responder', 'a responder'] as const),
  ] as const);
  features.add(`signed by ${who}`);
  if (who !== 'a responder') {
    return { key: keys[who === 'the CA' ? 'ca' : 'namesake'], name: named('CA'), certificate: undefined };
  }
  const kind = random.pick([
    ...usual,
    ...(['nocheck', 'nocheck', 'by a namesake', 'for clients', 'for nothing'] as const),
    ...(['expired', 'critical', 'enciphering', 'left out'] as const),
  ] as const);
  features.add(`responder ${kind}`);
  const purposes = { 'for clients': [clientAuth], 'for nothing': [] }[kind as string] ?? [ocspSigning];
  const certificate = await certificateDer({
    subject: named('responder'),
    issuer: named('CA'),
    key: keys.responder,
    issuerKey: kind === 'by a namesake' ? keys.namesake : keys.ca,
    serialNumber: integer(99n),
    ...(kind === 'expired' && { notAfter: '20250101000000Z' }),
    extensions: [
      kind === 'enciphering' ? keyUsage(5, 0x20) : keyUsage(7, 0x80),
      ...(purposes.length === 0
        ? []
        : [extension(id.extendedKeyUsage, sequence(...purposes.map((oid) => objectIdentifier(oid))))]),
      ...(kind === 'nocheck' ? [extension('1.3.6.1.5.5.7.48.1.5', null_)] : []),
      ...(kind === 'critical' ? [extension('1.2.3.4', null_, true)] : []),
    ],
  });
  return {
    key: keys.responder,
    name: named('responder'),
    certificate: kind === 'left out' ? undefined : certificate,
  };
}

/** What is said of one certificate: a SingleResponse, or none. */
function makeSingle(
  random: Random,
  serial: number,
  isMixed: boolean,
  key: KeyPair,
  namesake: KeyPair,
): { readonly der: readonly Buffer[]; readonly features: readonly string[] } {
  const about = random.pick([...usual, 'nothing', 'another hash', ...(isMixed ? ofOthers : [])] as const);
  if (about === 'nothing') return { der: [], features: [] };
  const status = random.pick(['good', 'good', 'revoked', 'unknown'] as const);
  const dates = random.pick([...usual, 'old', 'future', 'no end', 'old, no end'] as const);
  const isCritical = random.chance(5);
  const start =
    Date.now() +
    { usual: -hour, old: -9 * hour, future: hour, 'no end': -600_000, 'old, no end': -9 * hour }[dates];
  const hash = about === 'another hash' ? 'sha256' : 'sha1';
  const digest = (octets: Buffer): Buffer => octetString(createHash(hash).update(octets).digest());
  const certId = sequence(
    sequence(objectIdentifier(hash === 'sha1' ? '1.3.14.3.2.26' : '2.16.840.1.101.3.4.2.1'), null_),
    digest(named(about === 'another name' ? 'Other' : 'CA')),
    digest(pointOf(about === 'a namesake' ? namesake : key)),
    integer(BigInt(serial)),
  );
  const statuses = { good: tlv(0x80), revoked: tlv(0xa1, time(start - hour)), unknown: tlv(0x82) };
  const nextUpdate = dates.includes('no end')
    ? []
    : [tlv(0xa0, time(start + (dates === 'old' ? hour : 9 * hour)))];
  const extensions = isCritical ? [tlv(0xa1, sequence(extension('1.2.3.4', null_, true)))] : [];
  return {
    der: [sequence(certId, statuses[status], time(start), ...nextUpdate, ...extensions)],
    features: [`about ${about}`, `dates ${dates}`, ...(isCritical ? ['critical extension'] : [])],
  };
}

const ofOthers = ['another name', 'a namesake'] as const;
const othersIssuers: readonly string[] = ofOthers.map((other) => `about ${other}`);

function makeAnswer(
  random: Random,
  { key, name, certificate }: Signer,
  responses: readonly Buffer[],
  features: Set<string>,
): Buffer {
  const byName = random.chance(50);
  const isCritical = random.chance(5);
  if (isCritical) features.add('critical extension');
  const tbs = sequence(
    byName ? tlv(0xa1, name) : tlv(0xa2, octetString(createHash('sha1').update(pointOf(key)).digest())),
    time(Date.now()),
    sequence(...responses),
    ...(isCritical ? [tlv(0xa1, sequence(extension('1.2.3.4', null_, true)))] : []),
  );
  const isForged = random.chance(5);
  const signature = sign('sha256', isForged ? Buffer.of(0) : tbs, key.privateKey);
  const basic = sequence(
    tbs,
    sequence(objectIdentifier('1.2.840.10045.4.3.2')),
    bitString(signature),
    ...(certificate === undefined ? [] : [tlv(0xa0, sequence(certificate))]),
  );
  const bytes = sequence(objectIdentifier('1.3.6.1.5.5.7.48.1.1'), octetString(basic));
  return sequence(tlv(0x0a, Buffer.of(0)), tlv(0xa0, bytes));
}

/** The uncompressed point, which is the end of the SubjectPublicKeyInfo. */
function pointOf({ publicKey }: KeyPair): Buffer {
  return spkiOf(publicKey).subarray(-65);
}

/** GeneralizedTime. */
function time(at: number): Buffer {
  const text = new Date(at)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return tlv(0x18, Buffer.from(text));
}

/** By the gateway, which is configured to ask this responder. */
export async function judgeOcspByGateway({ certificate, ca, answer }: OcspSituation): Promise<OcspJudgement> {
  const issuer = readCertificate(ca);
  const client = createOcspClient({
    fetch: async () => await Promise.resolve(answer),
    maxAge: hour,
    onFailure: () => undefined,
  });
  const responders = [{ issuer, url: 'http://ocsp.example/' }];
  const source = createOcspSource({ client, responders, followCertificates: false, others: [] });
  const { status } = await source.status({
    certificate: readCertificate(certificate),
    issuer,
    trustAnchor: issuer,
    configured: [issuer],
    now: new Date(),
    signal: new AbortController().signal,
  });
  return status === 'good' || status === 'revoked' || status === 'unknown' ? status : 'undetermined';
}
