import { nameOfOid, type oids } from './oids.ts';

/** The types of attributes of a subject that have a name here: RFC 5280, appendix A; RFC 4519; RFC 2985. */
export const attributeTypes = [
  ...([
    'commonName',
    'serialNumber',
    'surname',
    'givenName',
    'initials',
    'title',
    'pseudonym',
    'name',
  ] as const),
  ...(['organizationName', 'organizationalUnitName', 'organizationIdentifier', 'businessCategory'] as const),
  ...(['description', 'countryName', 'stateOrProvinceName', 'localityName', 'streetAddress'] as const),
  ...(['postalAddress', 'postalCode', 'telephoneNumber', 'generationQualifier', 'dnQualifier'] as const),
  ...(['x500UniqueIdentifier', 'userId', 'domainComponent', 'emailAddress', 'unstructuredName'] as const),
  'unstructuredAddress',
] as const satisfies readonly (keyof typeof oids)[];

/** Whether a type of attribute is called so: by its name, or, where it has none here, by its dotted object identifier. */
export function isAttributeType(name: string): boolean {
  return attributeTypes.some((type) => type === name) || isNamelessOid(name);
}

/** Whether this is a dotted object identifier that has no name here. */
export function isNamelessOid(text: string): boolean {
  return /^[0-2](?:\.\d+)+$/.test(text) && nameOfOid(text) === text;
}
