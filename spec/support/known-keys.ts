import { createHash, type KeyObject } from 'node:crypto';

/** As Debian's list of weak keys has it: the end of SHA-1 over the line that `openssl rsa -modulus` prints. */
export function debianFingerprint(key: KeyObject): string {
  const modulus = Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url').toString('hex');
  return createHash('sha1').update(`Modulus=${modulus.toUpperCase()}\n`).digest('hex').slice(20);
}
