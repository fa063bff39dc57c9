import { EstError } from '../errors.ts';
import { generalNamesEqual, type GeneralName } from '../pkix/general-names.ts';
import {
  comparableRdn,
  namesEqual,
  nameToString,
  type Name,
  type RelativeDistinguishedName,
} from '../pkix/names.ts';
import { missing, offendingName, offendingPart, offendingText } from '../pkix/offending.ts';

/** Subject and subjectAltName of a certificate or a CSR; undefined: no such extension. */
interface Named {
  readonly subject: Name;
  readonly subjectAltName: readonly GeneralName[] | undefined;
}

/**
 * Refuses a CSR under other names than those of the certificate, absence included, as RFC 5280, section 7.1 compares names.
 * Throws `refused_by_policy`.
 */
export function refuseOtherNames(current: Named, asked: Named): void {
  if (!namesEqual(current.subject, asked.subject)) {
    throw refusal('subject', subjectDifference(current.subject, asked.subject));
  }
  const [own, found] = [current.subjectAltName ?? [], asked.subjectAltName ?? []];
  if (!generalNamesEqual(own, found)) throw refusal('subjectAltName', altNameDifference(own, found));
}

function refusal(what: 'subject' | 'subjectAltName', offending: string): EstError {
  return new EstError(
    'refused_by_policy',
    `The ${what} of the CSR differs from that of the certificate that the client shows.`,
    { refusedBy: { offending } },
  );
}

/** The first part that only one of the two has; the whole where they differ in order or number alone. */
function subjectDifference(current: Name, asked: Name): string {
  const added = firstWithout(asked.rdns, current.rdns);
  if (added !== undefined) return offendingPart(added);
  const leftOut = firstWithout(current.rdns, asked.rdns);
  if (leftOut !== undefined) return missing(offendingPart(leftOut));
  return offendingText('subject', nameToString(asked));
}

function firstWithout(
  rdns: readonly RelativeDistinguishedName[],
  others: readonly RelativeDistinguishedName[],
): RelativeDistinguishedName | undefined {
  const texts = new Set(others.map(comparableRdn));
  return rdns.find((rdn) => !texts.has(comparableRdn(rdn)));
}

function altNameDifference(own: readonly GeneralName[], asked: readonly GeneralName[]): string {
  const isIn = (name: GeneralName, names: readonly GeneralName[]): boolean =>
    names.some((other) => generalNamesEqual([name], [other]));
  const added = asked.find((name) => !isIn(name, own));
  if (added !== undefined) return offendingName(added);
  const [leftOut] = own.filter((name) => !isIn(name, asked));
  return leftOut === undefined ? 'subjectAltName' : missing(offendingName(leftOut));
}
