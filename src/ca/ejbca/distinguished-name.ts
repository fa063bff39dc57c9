import { escapeValue, type Name } from '../../pkix/names.ts';
import { distinguishedNameFields } from './distinguished-name-fields.ts';

type Field = keyof typeof distinguishedNameFields;

/** The order of EJBCA's DNs, whatever order a certificate has (dncomponents.properties in EJBCA's sources). */
const order: readonly Field[] = [
  'DESCRIPTION',
  'NAME',
  'STREET',
  'PSEUDONYM',
  'TELEPHONENUMBER',
  'POSTALADDRESS',
  'BUSINESSCATEGORY',
  'POSTALCODE',
  'UNSTRUCTUREDADDRESS',
  'UNSTRUCTUREDNAME',
  'E',
  'DN',
  'UID',
  'CN',
  'SN',
  'GIVENNAME',
  'INITIALS',
  'SURNAME',
  'T',
  'OU',
  'ORGANIZATIONIDENTIFIER',
  'O',
  'L',
  'ST',
  'DC',
  'C',
];

const ranks: ReadonlyMap<string, { readonly field: Field; readonly rank: number }> = new Map(
  order.map((field, rank) => [distinguishedNameFields[field], { field, rank }]),
);

/**
 * A name as EJBCA writes it, such as `CN=Device CA,O=Acme,C=SE`. EJBCA finds CAs by this text to the letter, and lists them
 * from version 8.1 on alone.
 */
export function toEjbcaDn({ rdns }: Name): string {
  const [first, last] = [rdns.at(0)?.[0], rdns.at(-1)?.[0]].map((attribute) => rankOf(attribute?.type));
  // Of several parts of one type, those of a name that begins with its country stand the other way round.
  const isReversed = first !== undefined && last !== undefined && first > last;
  return (isReversed ? rdns.toReversed() : rdns)
    .flat()
    .toSorted((a, b) => rankOf(a.type) - rankOf(b.type))
    .map(({ type, value }) => `${ranks.get(type)?.field ?? type}=${escapeValue(value)}`)
    .join(',');
}

/** Types that EJBCA's order does not name come last. */
function rankOf(type: string | undefined): number {
  return ranks.get(type ?? '')?.rank ?? order.length;
}
