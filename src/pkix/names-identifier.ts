import { hash } from 'node:crypto';
import { comparableGeneralName, type GeneralName } from './general-names.ts';
import { comparableAttribute, type Name } from './names.ts';

/** Subject and subjectAltName of a certificate or a CSR; the latter left out: no such extension. */
interface Named {
  readonly subject: Name;
  readonly subjectAltName?: readonly GeneralName[] | undefined;
}

/**
 * What certificates of the same names are found by: SHA-256, hex, over all that the names have, as they are compared (RFC 5280,
 * section 7.1), in whatever order.
 */
export function identifierOfNames({ subject, subjectAltName = [] }: Named): string {
  const attributes = subject.rdns.flat().map(comparableAttribute).sort();
  const names = [...new Set(subjectAltName.map(comparableGeneralName))].sort();
  return hash('sha256', JSON.stringify([attributes, names]), 'hex');
}
