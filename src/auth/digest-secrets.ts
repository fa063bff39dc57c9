import { createHash } from 'node:crypto';
import type { DigestAlgorithm, DigestSecrets } from '../store/store.ts';

/** The protection space of an alias: what Basic and Digest challenges name as their realm. */
export function realmOf(alias: string): string {
  return `EST ${alias}`;
}

/** Lower-case hex of the hash of a text in UTF-8, as Digest has it (RFC 7616, section 3.4.2). */
export function digest(algorithm: DigestAlgorithm, text: string): string {
  return createHash(algorithm.replace('-', '').toLowerCase()).update(text).digest('hex');
}

/**
 * What the store keeps of a code so that its user can use Digest: H(A1) of RFC 7616, section 3.4.2, for each algorithm.
 * Name and code in NFC. Whoever has such a value can log in at this alias, though the code itself stays unknown.
 */
export function digestSecrets(
  algorithms: readonly DigestAlgorithm[],
  { alias, name, code }: { readonly alias: string; readonly name: string; readonly code: string },
): DigestSecrets {
  const text = `${name}:${realmOf(alias)}:${code}`;
  return Object.fromEntries(algorithms.map((algorithm) => [algorithm, digest(algorithm, text)]));
}
