import { EstError } from '../errors.ts';
import type { RegistrationAuthority } from '../identity.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import { comparableText, type Name } from '../pkix/names.ts';
import { nameOfOid } from '../pkix/oids.ts';
import { offendingAttribute, offendingName } from '../pkix/offending.ts';

/**
 * Refuses names for which a registration authority may not ask: each attribute of the subject and each subjectAltName
 * must match a pattern of its type; names that are no text match `*` alone. Throws `refused_by_policy`.
 */
export function refuseNamesBeyondScope(
  { names: patterns }: RegistrationAuthority,
  subject: Name,
  subjectAltName: readonly GeneralName[],
): void {
  const asked = [
    ...subject.rdns.flat().map((attribute) => ({
      type: nameOfOid(attribute.type),
      value: attribute.value,
      offending: () => offendingAttribute(attribute),
    })),
    ...subjectAltName.map((name) => ({
      type: name.type,
      value: 'value' in name ? name.value : '',
      offending: () => offendingName(name),
    })),
  ];
  const beyond = asked.find(({ type, value }) => {
    const text = comparableText(value);
    return patterns[type]?.some((pattern) => isMatch(pattern, text)) !== true;
  });
  if (beyond === undefined) return;
  throw new EstError(
    'refused_by_policy',
    `This registration authority may not ask for the ${beyond.type} in the CSR.`,
    { cmcFailure: 'badIdentity', refusedBy: { offending: beyond.offending() } },
  );
}

/** Each `*` stands for any text, also for none; letters count without their case (RFC 5280, section 7.1). */
function isMatch(pattern: string, text: string): boolean {
  const [first = '', ...others] = pattern.split('*').map((part) => part.normalize('NFKC').toLowerCase());
  const last = others.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const part of others) {
    const found = text.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}
