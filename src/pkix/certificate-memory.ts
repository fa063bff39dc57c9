import { hash } from 'node:crypto';
import { readCertificate, type Certificate } from './certificate.ts';

/**
 * Decodes certificates as `readCertificate` does, and gives the same value again for one of the latest `most`. So what
 * was found out about it once, such as that a signature is right, need not be found out again (see path.ts).
 */
export function createCertificateMemory(most: number): (der: Buffer) => Certificate {
  const known = new Map<string, Certificate>();
  return function read(der) {
    const sha256 = hash('sha256', der, 'hex');
    const certificate = known.get(sha256) ?? readCertificate(der);
    // The order of insertion tells how long each was not asked for.
    known.delete(sha256);
    known.set(sha256, certificate);
    const [oldest] = known.keys();
    if (known.size > most && oldest !== undefined) known.delete(oldest);
    return certificate;
  };
}
