/** What dumps of EJBCA have as values, in the forms in which they write them. */
import { distinguishedNameFields, type DistinguishedNameField } from '../distinguished-name-fields.ts';

/** Letters and digits in lower case: dumps, pages and storage differ in the rest. */
export function normalized(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Undefined for what is empty or no text. */
export function textOf(value: unknown): string | undefined {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
  return text === '' ? undefined : text;
}

/** A list, or texts joined by `;` as EJBCA's storage has them; each text once. */
export function listOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = values.flatMap((one) => (textOf(one) ?? '').split(';')).map((text) => text.trim());
  return [...new Set(texts.filter((text) => text !== ''))];
}

/** In the words of the storage and of the pages. */
export function isTrue(value: unknown): boolean {
  return /^(true|yes|on|allow|allowed|enable|enabled|require|required|use|activate|1)$/i.test(
    String(value).trim(),
  );
}

/** EJBCA's ids are hashes of names. */
export function isId(text: string): boolean {
  return /^-?\d{1,11}$/.test(text);
}

/** The names of EJBCA's pages, profiles and storage for parts of a DN that have another one here. */
const synonyms: Readonly<Record<string, DistinguishedNameField>> = {
  COMMONNAME: 'CN',
  UNIQUEID: 'UID',
  USERID: 'UID',
  SERIALNUMBER: 'SN',
  EMAILADDRESS: 'E',
  EMAIL: 'E',
  DNQUALIFIER: 'DN',
  GN: 'GIVENNAME',
  FIRSTNAME: 'GIVENNAME',
  TITLE: 'T',
  ORGANIZATIONALUNIT: 'OU',
  ORGANIZATION: 'O',
  LOCALITY: 'L',
  STATEORPROVINCE: 'ST',
  DOMAINCOMPONENT: 'DC',
  COUNTRY: 'C',
  STREETADDRESS: 'STREET',
};

/** A part of a DN by the name that it has here; undefined: there is none. */
export function fieldOf(text: string): DistinguishedNameField | undefined {
  const symbol = normalized(text).toUpperCase();
  return isField(symbol) ? symbol : synonyms[symbol];
}

function isField(symbol: string): symbol is DistinguishedNameField {
  return Object.hasOwn(distinguishedNameFields, symbol);
}
