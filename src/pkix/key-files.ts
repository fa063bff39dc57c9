/** What the files of keys and certificates hold that people name in a configuration, or why they cannot be used. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { Duplex } from 'node:stream';
import { createSecureContext, TLSSocket } from 'node:tls';
import { readCertificate, type Certificate } from './certificate.ts';
import { foundInPlace } from './pem-content.ts';
import { x509Of } from './x509.ts';

/** The passphrase of a key file, where its place has a setting for one; undefined: it is not set. */
export interface Unlocking {
  readonly passphrase: string | undefined;
}

/**
 * A private key in PEM (PKCS#8, PKCS#1 or SEC 1), perhaps encrypted where there is a setting for its passphrase. Throws an
 * Error whose sentence begins with the setting that is at fault, `privateKey` or `passphrase`.
 */
export function readPrivateKey(pem: string, unlocking?: Unlocking): KeyObject {
  const label = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----/.exec(pem)?.[1];
  if (label === undefined) {
    throw new Error(`privateKey: expected PEM of a private key; ${foundInPlace(pem)}.`);
  }
  if (label === 'OPENSSH PRIVATE KEY') {
    throw new Error(
      'privateKey: it is in OpenSSH\'s own form; "ssh-keygen -p -m PKCS8 -f FILE" converts it to PEM of PKCS#8.',
    );
  }
  const isEncrypted = pem.includes('ENCRYPTED');
  if (isEncrypted && unlocking === undefined) {
    throw new Error(
      'privateKey: expected PEM of a private key that is not encrypted; "openssl pkey -in FILE -out NEW" decrypts it.',
    );
  }
  if (isEncrypted && unlocking?.passphrase === undefined) {
    throw new Error('passphrase: the private key is encrypted, so its passphrase is needed.');
  }
  if (!isEncrypted && unlocking?.passphrase !== undefined) {
    throw new Error('passphrase: the private key is not encrypted; leave it out.');
  }
  try {
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase: unlocking?.passphrase }) });
  } catch (cause) {
    throw new Error(isEncrypted ? objectionToDecryption(cause) : damagedKey, { cause });
  }
}

const damagedKey = 'privateKey: the private key is damaged, or of a kind that OpenSSL does not have.';

function objectionToDecryption(error: unknown): string {
  if (codeOf(error) === 'ERR_OSSL_EVP_UNSUPPORTED') {
    return (
      'privateKey: it is encrypted with an algorithm that OpenSSL 3 does not have any more, such as RC2 or DES; ' +
      '"openssl pkcs8 -topk8 -provider legacy -provider default -in FILE -out NEW" encrypts it anew.'
    );
  }
  return 'passphrase: it does not open the private key.';
}

/** A private key and its certificate. */
export interface OwnKey {
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
}

/** The private key of the first of the certificates. Throws as `readPrivateKey`, and when it is another key. */
export function readOwnKey(
  [certificate]: readonly Certificate[],
  pem: string,
  unlocking?: Unlocking,
): OwnKey {
  const privateKey = readPrivateKey(pem, unlocking);
  if (certificate !== undefined && x509Of(certificate.der).checkPrivateKey(privateKey)) {
    return { certificate, privateKey };
  }
  throw new Error('the private key does not belong to the first certificate of the file.');
}

/**
 * The certificate of the private key in a PKCS#12 file (RFC 7292). Throws an Error whose sentence begins with the setting that
 * is at fault, `pkcs12` or `passphrase`, when TLS could not use the file.
 */
export function readPkcs12(pfx: Buffer, { passphrase }: Unlocking): Certificate {
  try {
    const secureContext = createSecureContext({ pfx, ...(passphrase !== undefined && { passphrase }) });
    return ownCertificate(secureContext);
  } catch (cause) {
    throw new Error(objectionToPkcs12(cause, pfx, passphrase), { cause });
  }
}

/** Node gives the certificate of a context only to sockets that have it. */
function ownCertificate(secureContext: ReturnType<typeof createSecureContext>): Certificate {
  const unconnected = new Duplex({ read: () => undefined, write: () => undefined });
  const socket = new TLSSocket(unconnected, { secureContext, isServer: true });
  try {
    const own = socket.getCertificate();
    if (own === null || !('raw' in own)) throw new Error('There is no certificate of the private key.');
    return readCertificate(own.raw);
  } finally {
    socket.destroy();
  }
}

function objectionToPkcs12(error: unknown, pfx: Buffer, passphrase: string | undefined): string {
  const { message } = error as Error;
  if (/mac verify failure|bad decrypt/i.test(message)) {
    return passphrase === undefined
      ? 'passphrase: the PKCS#12 file is encrypted, so its passphrase is needed.'
      : 'passphrase: it does not open the PKCS#12 file.';
  }
  if (codeOf(error) === 'ERR_CRYPTO_UNSUPPORTED_OPERATION') {
    return (
      'pkcs12: it is encrypted with an algorithm that OpenSSL 3 does not have any more, such as RC2-40; ' +
      '"openssl pkcs12 -legacy -in FILE -nodes -out KEY" and "openssl pkcs12 -export -in KEY -out NEW" make a new one.'
    );
  }
  if (message.includes('private key')) return 'pkcs12: there is no private key in the file.';
  const text = pfx.toString('latin1');
  const isOther = pfx.length === 0 || text.includes('-----BEGIN ');
  return `pkcs12: expected a PKCS#12 file; ${isOther ? foundInPlace(text) : 'the file holds something else, or is damaged'}.`;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
