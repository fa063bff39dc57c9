import { X509Certificate } from 'node:crypto';
import { DerError } from './der.ts';

/**
 * The certificate as Node knows it. Node looks for PEM first, at the beginning of any line anywhere in the octets, so that
 * it may find another certificate, which somebody has written into an extension of the one that is meant. Throws DerError
 * then, and for what OpenSSL cannot read.
 */
export function x509Of(der: Buffer): X509Certificate {
  const x509 = parse(der);
  if (x509.raw.equals(der)) return x509;
  throw new DerError('There is another certificate inside the certificate.');
}

function parse(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new DerError('OpenSSL cannot read the certificate.', { cause });
  }
}
