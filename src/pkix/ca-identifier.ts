import { hash } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { comparableName } from './names.ts';

/**
 * What a CA is known by, whatever the configuration calls it: SHA-256, hex, over its name, as names are compared (RFC 5280,
 * section 7.1), and its key. All certificates of one CA have the same, also those around a change of the root.
 */
export function identifierOfCa({ subject, spki }: Pick<Certificate, 'subject' | 'spki'>): string {
  return hash('sha256', JSON.stringify([comparableName(subject), spki.toString('hex')]), 'hex');
}
