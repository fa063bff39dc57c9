/** Reads PKCS#10 as EJBCA takes it: PEM, or base64 without the lines around it. */
import {
  readCertificationRequest,
  verifyProofOfPossession,
  type CertificationRequest,
} from '../../../src/pkix/pkcs10.ts';
import { readDer } from '../../../src/pkix/der.ts';
import { readPublicKey, type KeyType, type PublicKey } from '../../../src/pkix/keys.ts';
import { altNameOf } from './alternative-names.ts';
import type { CertificateProfile } from './database.ts';
import { dnOf } from './distinguished-name.ts';

/** What EJBCA takes from a CSR. */
export interface RequestedCertificate {
  readonly subjectDn: string;
  readonly subjectAltName: string;
  readonly spki: Buffer;
  readonly keyHash: string;
  readonly keyType: KeyType;
  readonly keyBits: number;
}

/** The CSR, or undefined when there is none in the text or its signature is wrong. */
export async function readRequest(text: string): Promise<RequestedCertificate | undefined> {
  const base64 = text
    .replaceAll(/-----(?:BEGIN|END) (?:NEW )?CERTIFICATE REQUEST-----/g, '')
    .replaceAll(/\s/g, '');
  if (base64 === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  const csr = await decode(Buffer.from(base64, 'base64'));
  if (csr === undefined) return undefined;
  const { subject, subjectAltName = [], publicKey } = csr;
  return { subjectDn: dnOf(subject), subjectAltName: altNameOf(subjectAltName), ...keyIn(publicKey) };
}

/** What stands for a CSR where EJBCA has generated the key itself. */
export function requestForKey(spki: Buffer): RequestedCertificate {
  return { subjectDn: '', subjectAltName: '', ...keyIn(readPublicKey(readDer(spki))) };
}

function keyIn({
  spki,
  sha256,
  type,
  bits,
}: PublicKey): Omit<RequestedCertificate, 'subjectDn' | 'subjectAltName'> {
  return { spki, keyHash: sha256, keyType: type, keyBits: bits };
}

async function decode(der: Buffer): Promise<CertificationRequest | undefined> {
  try {
    const csr = readCertificationRequest(der);
    await verifyProofOfPossession(csr);
    return csr;
  } catch {
    return undefined;
  }
}

/** What a certificate profile finds wrong with a key, or undefined. */
export function unfitKey(
  { keyType, keyBits }: RequestedCertificate,
  profile: CertificateProfile,
): string | undefined {
  const isAllowed = keyType.startsWith('P-')
    ? profile.keyAlgorithms.includes('ECDSA') && profile.curves.includes(keyType)
    : profile.keyAlgorithms.some((algorithm) => algorithm === keyType);
  const isLengthAllowed = keyType !== 'RSA' || profile.bitLengths.includes(keyBits);
  return isAllowed && isLengthAllowed ? undefined : `${keyType}, ${keyBits} bits`;
}
