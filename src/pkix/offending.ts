import { generalNameText, type GeneralName } from './general-names.ts';
import { escapeValue, type AttributeTypeAndValue, type RelativeDistinguishedName } from './names.ts';
import { nameOfOid } from './oids.ts';

/**
 * What a refusal calls the part of a request that it is about: `TYPE=VALUE`. It is for the log alone. Values are the
 * sender's: they are shortened, and control characters in them are escaped. A value that could be a secret, such as that of a
 * challenge, has no place here.
 */

/** Characters of a value. */
const longestValue = 128;

/** A level of a subject. */
export function offendingPart(rdn: RelativeDistinguishedName): string {
  return rdn.map(offendingAttribute).join('+');
}

/** An attribute of a subject. */
export function offendingAttribute({ type, value }: AttributeTypeAndValue): string {
  return offendingValue(nameOfOid(type), value);
}

/** A name of a subjectAltName. */
export function offendingName(name: GeneralName): string {
  const value = generalNameText(name).slice(name.type.length + 1);
  // The parts of a distinguished name are escaped one by one.
  return name.type === 'directoryName' ? offendingText(name.type, value) : offendingValue(name.type, value);
}

/** Any part of a request by its type and its value. */
export function offendingValue(type: string, value: string): string {
  return offendingText(type, escapeValue(value.slice(0, 2 * longestValue)));
}

/** The same for a text in which everything is escaped. */
export function offendingText(type: string, text: string): string {
  return `${type}=${text.length <= longestValue ? text : `${text.slice(0, longestValue)}...`}`;
}

/** A part that is demanded and not there. */
export function missing(part: string): string {
  return `${part} (missing)`;
}
