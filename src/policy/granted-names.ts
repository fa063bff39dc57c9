import { EstError } from '../errors.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import type { Name } from '../pkix/names.ts';
import { nameOfOid } from '../pkix/oids.ts';
import { offendingAttribute, offendingName } from '../pkix/offending.ts';
import type { PolicyOptions } from './options.ts';

/** Refuses a subject with an attribute that is not granted. Throws `refused_by_policy`. */
export function refuseOtherSubjectTypes(policy: PolicyOptions, subject: Name): void {
  const refused = subject.rdns.flat().find(({ type }) => !policy.subject.includes(nameOfOid(type)));
  if (refused === undefined) return;
  throw new EstError('refused_by_policy', `The subject may hold only: ${policy.subject.join(', ')}.`, {
    refusedBy: { offending: offendingAttribute(refused) },
  });
}

/** Refuses a name of a type that is not granted. Throws `refused_by_policy`. */
export function refuseOtherSubjectAltNames(policy: PolicyOptions, names: readonly GeneralName[]): void {
  const refused = names.find(({ type }) => !policy.subjectAltName.includes(type));
  if (refused === undefined) return;
  const allowed = policy.subjectAltName.join(', ') || 'nothing, so leave it out';
  throw new EstError('refused_by_policy', `The subjectAltName may hold only: ${allowed}.`, {
    refusedBy: { offending: offendingName(refused) },
  });
}
