import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** Those of TLS 1.3 (RFC 8446, appendix B.4) but for the one whose tag has 8 octets. */
const suitesOfTls13 = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_128_CCM_SHA256',
];

/**
 * What no list switches on, in OpenSSL's words: no encryption, no server certificate, keys that can be guessed, broken
 * ciphers and hashes, ciphers of 64-bit blocks (RFC 7030, sections 3.2.3 and 4.4; RFC 9325, section 4.1).
 */
const never = '!aNULL:!eNULL:!EXPORT:!LOW:!RC4:!DES:!3DES:!IDEA:!RC2:!SEED:!MD5:!DSS:!PSK:!SRP';

/**
 * A list of cipher suites as Node takes it, out of an operator's: OpenSSL's cipher list for TLS 1.2, and names of suites of
 * TLS 1.3. For a version about which it says nothing, the default stays. Throws an Error with a plain sentence for what
 * OpenSSL does not know, and for what is too weak.
 */
export function cipherSuites(list: string): string {
  const entries = list.split(':').filter((entry) => entry !== '');
  const newer = entries.filter((entry) => entry.startsWith('TLS_'));
  const older = entries.filter((entry) => !entry.startsWith('TLS_'));
  const unfit = newer.find((suite) => !suitesOfTls13.includes(suite));
  if (unfit !== undefined) {
    throw new Error(`ciphers: ${unfit} is not accepted; of TLS 1.3 there are ${suitesOfTls13.join(', ')}.`);
  }
  const added = older.filter((entry) => /^[A-Za-z0-9]/.test(entry));
  added.forEach(requireFit);
  const all = [
    ...(newer.length === 0 ? suitesOfTls13.slice(0, 3) : newer),
    ...(added.length === 0 ? [constants.defaultCoreCipherList.replace(/TLS_\w+:/g, '')] : []),
    ...older,
    never,
  ].join(':');
  if (!hasSuites(all)) throw new Error('ciphers: the list takes out every cipher suite that it adds.');
  return all;
}

function requireFit(entry: string): void {
  if (!hasSuites(entry)) throw new Error(`ciphers: OpenSSL knows no cipher suite of TLS 1.2 by ${entry}.`);
  if (!hasSuites(`${entry}:${never}`)) {
    throw new Error(`ciphers: ${entry} stands for cipher suites that are too weak; take it out.`);
  }
}

/** Whether OpenSSL finds any of TLS 1.2. */
function hasSuites(ciphers: string): boolean {
  try {
    createSecureContext({ ciphers, minVersion: 'TLSv1.2' });
    return true;
  } catch {
    return false;
  }
}
