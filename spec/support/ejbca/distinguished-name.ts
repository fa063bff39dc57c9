/** Names as EJBCA writes them in texts: `CN=device,OU=lab,O=Example,C=SE`, the most specific part first. */
import { nameFromAttributes, type Name } from '../../../src/pkix/names.ts';
import { oids } from '../../../src/pkix/oids.ts';

/** One part of a name: EJBCA's symbol in upper case, and the text. */
export interface NamePart {
  readonly symbol: string;
  readonly value: string;
}

/**
 * EJBCA's symbols, in the order of its LDAP DN order, which is the default of every CA: whatever order a CSR
 * has, this is the order of the end entity's DN and of the certificate's subject.
 */
const symbols: readonly (readonly [symbol: string, type: string, field?: string])[] = [
  ['DESCRIPTION', oids.description],
  ['STREET', oids.streetAddress, 'STREETADDRESS'],
  ['PSEUDONYM', oids.pseudonym],
  ['TELEPHONENUMBER', oids.telephoneNumber],
  ['POSTALADDRESS', oids.postalAddress],
  ['BUSINESSCATEGORY', oids.businessCategory],
  ['POSTALCODE', oids.postalCode],
  ['UNSTRUCTUREDADDRESS', oids.unstructuredAddress],
  ['UNSTRUCTUREDNAME', oids.unstructuredName],
  ['E', oids.emailAddress, 'EMAILADDRESS'],
  ['DN', oids.dnQualifier, 'DNQUALIFIER'],
  ['UID', oids.userId],
  ['CN', oids.commonName, 'COMMONNAME'],
  ['NAME', oids.name],
  ['SN', oids.serialNumber, 'SERIALNUMBER'],
  ['GIVENNAME', oids.givenName],
  ['INITIALS', oids.initials],
  ['SURNAME', oids.surname],
  ['T', oids.title, 'TITLE'],
  ['OU', oids.organizationalUnitName, 'ORGANIZATIONALUNIT'],
  ['ORGANIZATIONIDENTIFIER', oids.organizationIdentifier],
  ['O', oids.organizationName, 'ORGANIZATION'],
  ['L', oids.localityName, 'LOCALITY'],
  ['ST', oids.stateOrProvinceName, 'STATEORPROVINCE'],
  ['DC', oids.domainComponent, 'DOMAINCOMPONENT'],
  ['C', oids.countryName, 'COUNTRY'],
];

const fieldOf = new Map(symbols.map(([symbol, , field = symbol]) => [symbol, field]));

/** Whether EJBCA knows the symbol. */
export function isKnownField(symbol: string): boolean {
  return rankOf.has(symbol);
}

/** The name of a field in the texts of end entity profiles. */
export function fieldName(symbol: string): string {
  return fieldOf.get(symbol) ?? symbol;
}

const symbolOf = new Map(symbols.map(([symbol, type]) => [type, symbol]));
const typeOf = new Map([
  ...symbols.map(([symbol, type]) => [symbol, type] as const),
  ['SERIALNUMBER', oids.serialNumber] as const,
  ['EMAILADDRESS', oids.emailAddress] as const,
]);
const rankOf = new Map(symbols.map(([symbol], rank) => [symbol, rank]));

function rank(symbol: string): number {
  return rankOf.get(symbol) ?? symbols.length;
}

/** The name of a CSR or certificate in EJBCA's order and writing. */
export function dnOf(name: Name): string {
  return dnFrom(name.rdns.flat().map(({ type, value }) => ({ symbol: symbolOf.get(type) ?? type, value })));
}

/** A DN that somebody wrote, in EJBCA's order and writing. */
export function normalizedDn(dn: string): string {
  return dnFrom(partsOf(dn));
}

/** Without the blanks and control characters at its ends, as Java trims; other white space stays. */
export function trimmed(text: string): string {
  return text.replaceAll(/^[\0- ]+|[\0- ]+$/g, '');
}

/** What EJBCA writes in the place of characters that it takes for dangerous, in subjects, user names and URIs. */
export function withoutForbidden(text: string): string {
  return text.replaceAll(/[%?;!$~`\n\r\0]/g, '/');
}

/** Types that EJBCA does not know are dropped without a word. */
function dnFrom(parts: readonly NamePart[]): string {
  return inLdapOrder(parts.filter(({ symbol }) => rankOf.has(symbol)))
    .map(({ symbol, value }) => ({ symbol, value: withoutForbidden(trimmed(value)) }))
    .map(({ symbol, value }) => `${symbol}=${value.replaceAll(/[,+"\\<>;]/g, String.raw`\$&`)}`)
    .join(',');
}

/** A name that begins with its country is taken as written from the other end. */
function inLdapOrder(parts: readonly NamePart[]): readonly NamePart[] {
  const [first, last] = [parts.at(0), parts.at(-1)];
  const isReversed = first !== undefined && last !== undefined && rank(first.symbol) > rank(last.symbol);
  const forward = isReversed ? parts.toReversed() : [...parts];
  return forward.sort((a, b) => rank(a.symbol) - rank(b.symbol));
}

/** The parts of a DN in its own order. Throws a TypeError when it is none. */
export function partsOf(dn: string): readonly NamePart[] {
  return splitAtCommas(dn).map((part) => {
    const [, symbol = '', value = ''] = /^\s*([A-Za-z0-9.]+)\s*=\s*(.*)$/s.exec(part) ?? [];
    if (symbol === '') throw new TypeError(`This is no DN: ${dn}`);
    const type = typeOf.get(symbol.toUpperCase());
    return {
      symbol: type === undefined ? symbol : (symbolOf.get(type) ?? symbol),
      value: value.replaceAll(/\\(.)/gs, '$1'),
    };
  });
}

/** Splits a list at its commas, but not at those behind a backslash; blank members are left out. */
export function splitAtCommas(text: string): readonly string[] {
  return (text.match(/(?:\\.|[^,\\])+/gs) ?? []).filter((member) => member.trim() !== '');
}

/** The DN as it stands in a certificate: LDAP order as such, X.500 order from the other end. */
export function nameFromDn(dn: string, order: 'ldap' | 'x500' = 'ldap'): Name {
  const attributes = partsOf(normalizedDn(dn)).map(({ symbol, value }) => ({
    type: typeOf.get(symbol) ?? symbol,
    value,
  }));
  return nameFromAttributes(order === 'ldap' ? attributes : attributes.toReversed());
}

/** The number by which EJBCA knows a CA: Java's `hashCode` of its DN. */
export function certificationAuthorityId(dn: string): number {
  return Array.from({ length: dn.length }, (_, index) => dn.charCodeAt(index)).reduce(
    (hash, unit) => (Math.imul(31, hash) + unit) | 0,
    0,
  );
}
