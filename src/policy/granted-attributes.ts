import { comparableText, type AttributeTypeAndValue } from '../pkix/names.ts';
import { oidOf, oids } from '../pkix/oids.ts';
import type { NameRule } from './name-rule.ts';
import { valuesOf, type PolicyOptions } from './options.ts';

/** Whether the policy grants an attribute of a subject to clients whose name it is not. */
export type AttributeGrant = (attribute: AttributeTypeAndValue) => boolean;

/**
 * Prepares what `names: identity` grants beside a client's own name: attributes whose value the policy fixes, by a value of
 * `required.subject` or by a rule without `*`, and those of the types in `freeSubject`. Never a commonName: that is the
 * client's name itself. Throws an Error with a plain sentence when `freeSubject` makes no sense.
 */
export function createAttributeGrant(options: PolicyOptions, rules: readonly NameRule[]): AttributeGrant {
  refuseUnfitFreeTypes(options);
  if (options.names !== 'identity') return () => false;
  // What a rule fixes is compared by the rule itself, which is asked about the same request.
  const fixedByRules = rules.flatMap(({ fixes }) => (fixes === undefined ? [] : [fixes]));
  const types = new Set([...options.freeSubject, ...fixedByRules].map(oidOf));
  const requiredValues = new Map(
    Object.entries(options.required.subject).map(([name, required]) => [
      oidOf(name),
      new Set(valuesOf(required).map(comparableText)),
    ]),
  );
  return ({ type, value }) =>
    type !== oids.commonName &&
    (types.has(type) || requiredValues.get(type)?.has(comparableText(value)) === true);
}

function refuseUnfitFreeTypes({ freeSubject, names, subject }: PolicyOptions): void {
  if (freeSubject.length > 0 && names !== 'identity') {
    throw new Error(
      `policy.freeSubject is for names: identity; with names: ${names} leave it out, it would change nothing.`,
    );
  }
  const refused = freeSubject.find((type) => !subject.includes(type));
  if (refused !== undefined) {
    throw new Error(`policy.freeSubject: policy.subject does not hold ${refused}; add it there, too.`);
  }
}
