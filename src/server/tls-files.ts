import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Log } from '../ops/log.ts';
import { readSecret } from '../ops/secret.ts';
import { certificatesFromPem } from '../pkix/certificate.ts';
import { expiresSoon } from '../pkix/chain.ts';
import { x509Of } from '../pkix/x509.ts';

/** PEM of a TLS server's certificate, with those above it, and of its key. */
export interface TlsFiles {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Where they are. */
interface TlsPlaces {
  /** Path of a file. */
  readonly certificate: string;
  /** Secret reference. */
  readonly privateKey: string;
}

/**
 * The certificate of a TLS server and its key, which must belong together; warns when the certificate ends soon. Rejects
 * with a plain sentence.
 */
export async function readTlsFiles(places: TlsPlaces, log: Log): Promise<TlsFiles> {
  const certificate = await readFile(places.certificate, 'utf8');
  const privateKey = await readSecret(places.privateKey);
  const [leaf] = certificatesFromPem(certificate);
  if (leaf === undefined || !x509Of(leaf.der).checkPrivateKey(readPrivateKey(privateKey))) {
    throw new Error('the private key does not belong to the first certificate of the file.');
  }
  if (expiresSoon(leaf, new Date())) {
    log.warn('The TLS server certificate expires within 30 days; renew it.', {
      file: places.certificate,
      notAfter: leaf.notAfter.toISOString(),
    });
  }
  return { certificate, privateKey };
}

/** What OpenSSL itself says of an encrypted key helps nobody. */
function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new Error('privateKey: expected PEM of a private key that is not encrypted.', { cause });
  }
}
