/** Certificates of any shape for specs, properly signed, from encoders that share nothing with src/pkix. */
import { sign } from 'node:crypto';
import { readCertificate, type Certificate } from '../../src/pkix/certificate.ts';
import {
  bitString,
  extension,
  id,
  integer,
  keyPair,
  name,
  null_,
  objectIdentifier,
  sequence,
  spkiOf,
  tlv,
  true_,
  utf8String,
  type KeyPair,
} from './csr.ts';

/** What to write into a certificate; everything that is left out is sane. */
export interface CertificateParts {
  /** Default: commonName `subject`. */
  readonly subject?: Buffer;
  /** Default: the subject. */
  readonly issuer?: Buffer;
  /** The subject's key; default: one P-256 key pair. */
  readonly key?: KeyPair;
  /** Default: the subject's key. */
  readonly issuerKey?: KeyPair;
  readonly hash?: string;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly extensions?: readonly Buffer[];
  readonly serialNumber?: Buffer;
  /** The AlgorithmIdentifier inside; default: the one outside. */
  readonly innerAlgorithm?: Buffer;
  readonly version?: 1 | 3;
}

const rsaAlgorithm = (oid: string): Buffer => sequence(objectIdentifier(oid), null_);
const algorithms: Readonly<Record<string, Buffer | undefined>> = {
  'ec sha256': sequence(objectIdentifier('1.2.840.10045.4.3.2')),
  'ec sha1': sequence(objectIdentifier('1.2.840.10045.4.1')),
  'rsa sha256': rsaAlgorithm('1.2.840.113549.1.1.11'),
  'ml-dsa-87 undefined': sequence(objectIdentifier('2.16.840.1.101.3.4.3.19')),
};

/** A Name of one commonName. */
export function named(commonName: string): Buffer {
  return name([id.commonName, utf8String(commonName)]);
}

/** A critical basicConstraints extension of a CA. */
export function caConstraints(pathLenConstraint?: number): Buffer {
  const pathLen = pathLenConstraint === undefined ? [] : [integer(BigInt(pathLenConstraint))];
  return extension(id.basicConstraints, sequence(true_, ...pathLen), true);
}

/** A critical keyUsage extension from its octet and the number of unused bits: `(7, 0x80)` is digitalSignature. */
export function keyUsage(unusedBits: number, octet: number): Buffer {
  return extension(id.keyUsage, tlv(0x03, Buffer.of(unusedBits, octet)), true);
}

/** The DER of a certificate. */
export async function certificateDer(parts: CertificateParts = {}): Promise<Buffer> {
  const key = parts.key ?? (await keyPair('P-256'));
  const issuerKey = (parts.issuerKey ?? key).privateKey;
  const isMlDsa = issuerKey.asymmetricKeyType === 'ml-dsa-87';
  const hash = isMlDsa ? undefined : (parts.hash ?? 'sha256');
  const subject = parts.subject ?? named('subject');
  const algorithm = algorithms[`${issuerKey.asymmetricKeyType ?? ''} ${String(hash)}`] ?? sequence();
  const { extensions = [], version = 3 } = parts;
  const tbs = sequence(
    ...(version === 3 ? [tlv(0xa0, integer(2n))] : []),
    parts.serialNumber ?? integer(0x0a1bn),
    parts.innerAlgorithm ?? algorithm,
    parts.issuer ?? subject,
    sequence(time(parts.notBefore ?? '20200101000000Z'), time(parts.notAfter ?? '20991231235959Z')),
    subject,
    spkiOf(key.publicKey),
    ...(extensions.length > 0 ? [tlv(0xa3, sequence(...extensions))] : []),
  );
  return sequence(tbs, algorithm, bitString(sign(hash, tbs, issuerKey)));
}

/** As `certificateDer`, decoded. */
export async function certificate(parts: CertificateParts = {}): Promise<Certificate> {
  return readCertificate(await certificateDer(parts));
}

function time(generalized: string): Buffer {
  return tlv(0x18, Buffer.from(generalized));
}
