import { EstError } from '../../errors.ts';
import type { Certificate } from '../certificate.ts';
import { DerError, readBitString, readDer } from '../der.ts';
import { decodePublicKey, type PublicKey } from '../keys.ts';
import { verifySignature } from '../signature.ts';
import { objection, type Objection } from './objection.ts';

const wrongSignature = objection('signature', 'a signature in its path is wrong');
const unacceptedSignature = objection(
  'signature',
  'its path has a key or signature of a kind that is not accepted',
);

/** What is wrong with the signature of a certificate by the key of another one; nothing else is looked at. */
export async function objectionToSignature(
  subject: Certificate,
  issuer: Certificate,
): Promise<Objection | undefined> {
  if (signedBy.get(subject)?.has(issuer) === true) return undefined;
  try {
    const { tbs, signatureAlgorithm, signature } = subject.signed;
    const { octets } = readBitString(signature);
    if (!(await verifySignature(signatureAlgorithm, publicKeyOf(issuer), tbs, octets))) return wrongSignature;
  } catch (error) {
    if (error instanceof EstError || error instanceof DerError) return unacceptedSignature;
    throw error;
  }
  remember(subject, issuer);
  return undefined;
}

/** Signatures found right, and keys: certificates never change, and those of CAs and busy clients are kept. */
const signedBy = new WeakMap<Certificate, WeakSet<Certificate>>();
const publicKeys = new WeakMap<Certificate, PublicKey>();

function remember(subject: Certificate, issuer: Certificate): void {
  const issuers = signedBy.get(subject) ?? new WeakSet();
  issuers.add(issuer);
  signedBy.set(subject, issuers);
}

function publicKeyOf(certificate: Certificate): PublicKey {
  const known = publicKeys.get(certificate);
  if (known !== undefined) return known;
  const publicKey = decodePublicKey(readDer(certificate.spki));
  publicKeys.set(certificate, publicKey);
  return publicKey;
}
