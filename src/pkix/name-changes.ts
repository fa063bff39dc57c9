import type { CertifiedNames } from './change-subject-name.ts';
import { comparableGeneralName, type GeneralName } from './general-names.ts';
import { comparableRdn, namesEqual, type Name } from './names.ts';

/**
 * How the names of a certificate can differ from those that were approved: the subject has all that was approved and more,
 * in the same order; the same in another order; the subjectAltName has all that was approved and more; or anything else.
 */
export const nameChanges = [
  'addedAttributes',
  'reorderedSubject',
  'replacedSubject',
  'addedSubjectAltNames',
  'replacedSubjectAltNames',
] as const;
export type NameChange = (typeof nameChanges)[number];

/**
 * What a CA has changed, by the least that describes it; empty: nothing. Names are compared as RFC 5280, section 7.1 says, and
 * subjectAltName as a set, whether it is critical or not.
 */
export function changesOf(approved: CertifiedNames, issued: CertifiedNames): readonly NameChange[] {
  return [
    ...subjectChanges(approved.subject, issued.subject),
    ...altNameChanges(approved.subjectAltName, issued.subjectAltName),
  ];
}

/** Those of the changes that are not allowed; what may be replaced may be changed in every way. */
export function forbiddenChanges(
  changes: readonly NameChange[],
  allowed: readonly NameChange[],
): readonly NameChange[] {
  return changes.filter((change) => !allowed.includes(change) && !allowed.includes(replacementFor(change)));
}

function replacementFor(change: NameChange): NameChange {
  switch (change) {
    case 'addedAttributes':
    case 'reorderedSubject':
    case 'replacedSubject':
      return 'replacedSubject';
    case 'addedSubjectAltNames':
    case 'replacedSubjectAltNames':
      return 'replacedSubjectAltNames';
  }
}

function subjectChanges(approved: Name, issued: Name): readonly NameChange[] {
  if (namesEqual(approved, issued)) return [];
  const [wanted, found] = [approved.rdns.map(comparableRdn), issued.rdns.map(comparableRdn)];
  const added = without(found, wanted);
  if (found.length - added.length < wanted.length) return ['replacedSubject'];
  const changes: readonly NameChange[] = added.length > 0 ? ['addedAttributes'] : [];
  return isInOrder(wanted, found) ? changes : [...changes, 'reorderedSubject'];
}

/** What remains of a list when each member of another one has taken an equal one out. */
function without(list: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const other of others) left.set(other, (left.get(other) ?? 0) + 1);
  return list.filter((member) => {
    const times = left.get(member) ?? 0;
    left.set(member, times - 1);
    return times <= 0;
  });
}

/** Whether the members of a list are found in another one in the same order. */
function isInOrder(wanted: readonly string[], found: readonly string[]): boolean {
  let next = 0;
  for (const member of found) if (member === wanted[next]) next += 1;
  return next === wanted.length;
}

function altNameChanges(
  approved: readonly GeneralName[],
  issued: readonly GeneralName[],
): readonly NameChange[] {
  if (areSameOctets(approved, issued)) return [];
  const wanted = new Set(approved.map(comparableGeneralName));
  const found = new Set(issued.map(comparableGeneralName));
  if ([...wanted].some((name) => !found.has(name))) return ['replacedSubjectAltNames'];
  return found.size > wanted.size ? ['addedSubjectAltNames'] : [];
}

/** Most CAs certify the names as they were asked for; then there is nothing to compare in other ways. */
function areSameOctets(some: readonly GeneralName[], others: readonly GeneralName[]): boolean {
  return some.length === others.length && some.every(({ der }, at) => others[at]?.der.equals(der) === true);
}
