import { setImmediate } from 'node:timers/promises';
import {
  DerError,
  readBitString,
  readDer,
  readInteger,
  readSpan,
  readTime,
  tags,
  type DerSpan,
} from './der.ts';
import {
  readAuthorityKeyIdentifier,
  readExtensions,
  readExtensionValue,
  type Extension,
} from './extensions.ts';
import { completeScope, readIssuingDistributionPoint, type CrlScope } from './distribution-points.ts';
import type { PublicKey } from './keys.ts';
import { readName, type Name } from './names.ts';
import { oids } from './oids.ts';
import { verifySignature } from './signature.ts';

/** A complete CRL (RFC 5280, section 5). Its signature was not verified. */
export interface RevocationList {
  readonly issuer: Name;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** The keyIdentifier alone. */
  readonly authorityKeyIdentifier: Buffer | undefined;
  readonly scope: CrlScope;
  /** Undefined: it has none. */
  readonly crlNumber: bigint | undefined;
  /** Of its entries, written as `Certificate.serialNumber` is. */
  readonly serialNumbers: Iterable<string>;
  /** What it says of the certificate with this serial number, written as `Certificate.serialNumber` is. */
  readonly revocationOf: (serialNumber: string) => Revocation | undefined;
  /** Whether the signature was made by this key. Throws EstError or DerError when its algorithm is not accepted. */
  isSignedBy(publicKey: PublicKey): Promise<boolean>;
}

/** Why a certificate was revoked, and since when. */
export interface Revocation {
  /** A CRLReason of RFC 5280, section 5.3.1. */
  readonly reason: string;
  readonly since: Date;
}

/** Entries that are read without a pause; some milliseconds. */
const entriesAtOnce = 1000;

/** What this file processes, and what may be critical without changing what a complete CRL says. */
const processedExtensions: ReadonlySet<string> = new Set([
  oids.authorityKeyIdentifier,
  oids.cRLNumber,
  oids.issuingDistributionPoint,
]);

/**
 * Decodes a CRL of any size, with pauses in which the process does other work. Refused are delta CRLs, indirect ones,
 * those without nextUpdate, and those with a critical extension that is not known here. Throws DerError.
 */
export async function readRevocationList(der: Buffer): Promise<RevocationList> {
  const whole = readSpan(der, 0, der.length);
  if (whole.tag !== tags.sequence || whole.end !== der.length) throw new DerError('This is no CRL.');
  const [tbs, signatureAlgorithm, signature, ...rest] = spansIn(der, whole);
  if (
    tbs?.tag !== tags.sequence ||
    signatureAlgorithm === undefined ||
    signature === undefined ||
    rest.length > 0
  ) {
    throw new DerError('This is no CRL.');
  }
  const fields = readFields(der, tbs);
  const algorithm = readDer(slice(der, signatureAlgorithm));
  if (!slice(der, fields.algorithm).equals(algorithm.bytes)) {
    throw new DerError('The CRL names two different signature algorithms.');
  }
  const { octets } = readBitString(readDer(slice(der, signature)));
  refuseUnknown(fields.extensions);
  const entries = await readEntries(der, fields.revokedCertificates);
  return {
    issuer: readName(readDer(slice(der, fields.issuer))),
    thisUpdate: readTime(readDer(slice(der, fields.thisUpdate))),
    nextUpdate: readTime(readDer(slice(der, fields.nextUpdate))),
    authorityKeyIdentifier: readExtensionValue(
      fields.extensions,
      oids.authorityKeyIdentifier,
      readAuthorityKeyIdentifier,
    ),
    scope:
      readExtensionValue(fields.extensions, oids.issuingDistributionPoint, readIssuingDistributionPoint) ??
      completeScope,
    crlNumber: readExtensionValue(fields.extensions, oids.cRLNumber, (value) => readInteger(readDer(value))),
    serialNumbers: entries.keys(),
    revocationOf: (serialNumber) => {
      const start = entries.get(serialNumber);
      return start === undefined ? undefined : readRevocation(der, readSpan(der, start, der.length));
    },
    isSignedBy: async (publicKey) => await verifySignature(algorithm, publicKey, slice(der, tbs), octets),
  };
}

/** TBSCertList of RFC 5280, section 5.1. */
interface Fields {
  readonly algorithm: DerSpan;
  readonly issuer: DerSpan;
  readonly thisUpdate: DerSpan;
  readonly nextUpdate: DerSpan;
  readonly revokedCertificates: DerSpan | undefined;
  readonly extensions: readonly Extension[];
}

function readFields(der: Buffer, tbs: DerSpan): Fields {
  const spans = spansIn(der, tbs);
  const [algorithm, issuer, thisUpdate, nextUpdate, ...optional] =
    spans[0]?.tag === tags.integer ? spans.slice(1) : spans;
  if (
    algorithm === undefined ||
    issuer === undefined ||
    thisUpdate === undefined ||
    nextUpdate === undefined
  ) {
    throw new DerError('The CRL lacks issuer, thisUpdate or nextUpdate.');
  }
  const extensions = optional.find(({ tag }) => tag === 0xa0);
  return {
    algorithm,
    issuer,
    thisUpdate,
    nextUpdate,
    revokedCertificates: optional.find(({ tag }) => tag === tags.sequence),
    extensions: extensions === undefined ? [] : readExtensions(readDer(content(der, extensions))),
  };
}

function refuseUnknown(extensions: readonly Extension[]): void {
  if (extensions.some(({ oid }) => oid === oids.deltaCRLIndicator)) {
    throw new DerError('It is a delta CRL; only complete ones are used.');
  }
  if (extensions.some(({ oid, critical }) => critical && !processedExtensions.has(oid))) {
    throw new DerError('The CRL has an unknown critical extension.');
  }
}

/** Where the entry of each serial number begins. */
async function readEntries(der: Buffer, list: DerSpan | undefined): Promise<ReadonlyMap<string, number>> {
  const entries = new Map<string, number>();
  let position = list?.contentStart ?? 0;
  const end = list?.end ?? 0;
  for (let read = 1; position < end; read += 1) {
    const entry = readSpan(der, position, end);
    entries.set(readSerialNumber(der, entry), entry.start);
    position = entry.end;
    if (read % entriesAtOnce === 0) await setImmediate();
  }
  return entries;
}

/** When and why it was revoked changes nothing. */
function readSerialNumber(der: Buffer, entry: DerSpan): string {
  expectSpan(entry, tags.sequence);
  const serialNumber = readSpan(der, entry.contentStart, entry.end);
  expectSpan(serialNumber, tags.integer);
  const time = readSpan(der, serialNumber.end, entry.end);
  if (time.end < entry.end) refuseCriticalEntryExtension(der, readSpan(der, time.end, entry.end));
  const hex = der.toString('hex', serialNumber.contentStart, serialNumber.end);
  return hex.length > 2 && hex.startsWith('00') ? hex.slice(2) : hex;
}

/** CRLReason, by its numbers. */
const reasons: Readonly<Record<number, string>> = {
  1: 'keyCompromise',
  2: 'cACompromise',
  3: 'affiliationChanged',
  4: 'superseded',
  5: 'cessationOfOperation',
  6: 'certificateHold',
  8: 'removeFromCRL',
  9: 'privilegeWithdrawn',
  10: 'aACompromise',
};

/** The name of a CRLReason, DER or its content alone; one that is not there or unknown is `unspecified`. */
export function reasonText(octets: Buffer | undefined): string {
  return reasons[octets?.at(-1) ?? 0] ?? 'unspecified';
}

/** What an entry says. Throws DerError. */
function readRevocation(der: Buffer, entry: DerSpan): Revocation {
  const [, time, extensions] = readDer(slice(der, entry)).children;
  if (time === undefined) throw new DerError('An entry of the CRL is malformed.');
  const known = extensions === undefined ? [] : readExtensions(extensions);
  return {
    reason: reasonText(known.find(({ oid }) => oid === oids.reasonCode)?.value),
    since: readTime(time),
  };
}

/** Among them certificateIssuer, which only indirect CRLs have. RFC 5280, section 5.3: then the CRL must not be used. */
function refuseCriticalEntryExtension(der: Buffer, extensions: DerSpan): void {
  for (const extension of spansIn(der, extensions)) {
    const { end } = readSpan(der, extension.contentStart, extension.end);
    if (readSpan(der, end, extension.end).tag === tags.boolean) {
      throw new DerError('An entry of the CRL has a critical extension, as only indirect CRLs have it.');
    }
  }
}

function expectSpan({ tag }: DerSpan, expected: number): void {
  if (tag !== expected) throw new DerError('An entry of the CRL is malformed.');
}

/** The values that stand one after the other in a constructed value; for lists that are short. */
function spansIn(der: Buffer, { contentStart, end }: DerSpan): readonly DerSpan[] {
  const spans: DerSpan[] = [];
  for (let position = contentStart; position < end;) {
    const span = readSpan(der, position, end);
    spans.push(span);
    position = span.end;
  }
  return spans;
}

function slice(der: Buffer, { start, end }: DerSpan): Buffer {
  return der.subarray(start, end);
}

function content(der: Buffer, { contentStart, end }: DerSpan): Buffer {
  return der.subarray(contentStart, end);
}

const pemList = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----/g;

/** The DER of every CRL in a file or answer, which is DER itself or PEM. */
export function revocationListsIn(octets: Buffer): readonly Buffer[] {
  if (octets[0] === tags.sequence) return [octets];
  return Array.from(octets.toString('latin1').matchAll(pemList), ([, base64 = '']) =>
    Buffer.from(base64, 'base64'),
  );
}
