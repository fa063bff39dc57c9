import type { DigestAlgorithm } from '../store/store.ts';

/** A way in which a user proves its code over HTTP: Basic (RFC 7617), or Digest with an algorithm (RFC 7616). */
export type HttpScheme = 'basic' | 'digest-SHA-256' | 'digest-MD5';

const algorithms = { 'digest-SHA-256': 'SHA-256', 'digest-MD5': 'MD5' } as const;

/** The algorithms of Digest among the schemes, the strongest first. */
export function digestAlgorithms(schemes: readonly HttpScheme[]): readonly DigestAlgorithm[] {
  return (['digest-SHA-256', 'digest-MD5'] as const)
    .filter((scheme) => schemes.includes(scheme))
    .map((scheme) => algorithms[scheme]);
}
