import { EstError } from '../errors.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import type { Name } from '../pkix/names.ts';
import { nameOfOid } from '../pkix/oids.ts';
import type { PolicyOptions } from './options.ts';

/** Refuses a subject with an attribute that is not granted. Throws `refused_by_policy`. */
export function refuseOtherSubjectTypes(policy: PolicyOptions, subject: Name): void {
  const types = subject.rdns.flat().map(({ type }) => nameOfOid(type));
  if (!types.every((type) => policy.subject.includes(type))) {
    throw new EstError('refused_by_policy', `The subject may hold only: ${policy.subject.join(', ')}.`);
  }
}

/** Refuses a name of a type that is not granted, or one that stands for many hosts. Throws `refused_by_policy`. */
export function refuseOtherSubjectAltNames(policy: PolicyOptions, names: readonly GeneralName[]): void {
  if (!names.every(({ type }) => policy.subjectAltName.includes(type))) {
    const allowed = policy.subjectAltName.join(', ') || 'nothing, so leave it out';
    throw new EstError('refused_by_policy', `The subjectAltName may hold only: ${allowed}.`);
  }
  if (names.some(isTooWide)) {
    throw new EstError(
      'refused_by_policy',
      'The subjectAltName may hold neither wildcards nor the unspecified address.',
    );
  }
}

/** A name that stands for many hosts at once. */
function isTooWide(name: GeneralName): boolean {
  if (name.type === 'dNSName') return name.value.includes('*');
  return name.type === 'iPAddress' && (name.value === '0.0.0.0' || name.value === '::');
}
