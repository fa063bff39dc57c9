import { readFile } from 'node:fs/promises';
import type { Log } from '../ops/log.ts';
import { certificatesIn } from '../ops/certificate-files.ts';
import { readSecret } from '../ops/secret.ts';
import { expiresSoon } from '../pkix/chain.ts';
import { readOwnKey } from '../pkix/key-files.ts';

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
  const { certificate: leaf } = readOwnKey(certificatesIn(places.certificate, certificate), privateKey);
  const now = new Date();
  if (expiresSoon(leaf, now)) {
    log.warn(
      leaf.notAfter < now ? hasExpired : 'The TLS server certificate expires within 30 days; renew it.',
      {
        file: places.certificate,
        notAfter: leaf.notAfter.toISOString(),
      },
    );
  }
  return { certificate, privateKey };
}

const hasExpired = 'The TLS server certificate has expired; renew it.';

/** Why no client can accept the certificate of a TLS server at this moment; undefined: nothing speaks against it. */
export async function objectionToDates(
  { certificate: file }: TlsPlaces,
  now: Date,
): Promise<string | undefined> {
  const [leaf] = certificatesIn(file, await readFile(file, 'utf8'));
  if (leaf === undefined || (now >= leaf.notBefore && now <= leaf.notAfter)) return undefined;
  return now > leaf.notAfter
    ? `${file}: the TLS server certificate has expired, at ${leaf.notAfter.toISOString()}; renew it.`
    : `${file}: the TLS server certificate is valid only from ${leaf.notBefore.toISOString()}; is the clock right?`;
}
