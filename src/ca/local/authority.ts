import type { KeyObject } from 'node:crypto';
import { certificatesFromPem, type Certificate } from '../../pkix/certificate.ts';
import { orderChain, requireInDate } from '../../pkix/chain.ts';
import { DerError } from '../../pkix/der.ts';
import { keyIdentifierOf } from '../../pkix/extensions-write.ts';
import { readPrivateKey } from '../../pkix/key-files.ts';
import { createSigner, type Signer } from '../../pkix/signer.ts';
import { x509Of } from '../../pkix/x509.ts';

/** The texts that a local CA is opened from, all PEM. */
export interface AuthorityTexts {
  /** The issuing certificate; the certificates above it may follow. */
  readonly certificate: string;
  /** PKCS#8, PKCS#1 or SEC 1, perhaps encrypted. */
  readonly privateKey: string;
  readonly passphrase: string | undefined;
  /** The certificates above the issuing one, in any order, up to the self-signed root. */
  readonly chain: readonly string[];
}

/** A CA's key and certificates, which belong together. */
export interface Authority {
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
  readonly signer: Signer;
  /** The subject key identifier of the certificate, which all that it signs refers to. */
  readonly keyIdentifier: Buffer;
  /** From the issuing certificate to the root. */
  readonly chain: readonly Certificate[];
}

/**
 * Reads and checks a CA: the key belongs to the certificate and is of a kind we sign with; the chain leads to
 * a self-signed root, is in date and may issue. Throws an Error with a plain sentence.
 */
export function readAuthority(texts: AuthorityTexts, now: Date): Authority {
  const [certificate, ...following] = readCertificates('certificate', texts.certificate);
  if (certificate === undefined) throw new Error('certificate: the file holds no PEM certificate.');
  const above = texts.chain.flatMap((text) => readCertificates('chain', text));
  const chain = orderChain(certificate, [...following, ...above]);
  const privateKey = readPrivateKey(texts.privateKey, texts);
  const signer = createSigner(privateKey);
  const keyIdentifier = certificate.subjectKeyIdentifier ?? keyIdentifierOf(certificate.spki);
  const authority = { certificate, privateKey, signer, keyIdentifier, chain };
  requireUsable(authority, now);
  return authority;
}

/** Throws an Error with a plain sentence unless key and certificate match and the whole chain is in date. */
export function requireUsable({ certificate, privateKey, chain }: Authority, now: Date): void {
  if (!x509Of(certificate.der).checkPrivateKey(privateKey)) {
    throw new Error(
      'privateKey: the key does not belong to the CA certificate; give the one it was issued for.',
    );
  }
  for (const member of chain) requireInDate(member, now);
}

function readCertificates(option: string, pem: string): readonly Certificate[] {
  try {
    return certificatesFromPem(pem);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new Error(`${option}: ${error.message}`, { cause: error });
  }
}
