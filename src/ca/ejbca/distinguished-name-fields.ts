import { oids } from '../../pkix/oids.ts';

/** The parts of a subject DN by the names that EJBCA's settings have for them, with their attribute types. */
export const distinguishedNameFields = {
  CN: oids.commonName,
  UID: oids.userId,
  SN: oids.serialNumber,
  E: oids.emailAddress,
  DN: oids.dnQualifier,
  GIVENNAME: oids.givenName,
  INITIALS: oids.initials,
  SURNAME: oids.surname,
  T: oids.title,
  OU: oids.organizationalUnitName,
  ORGANIZATIONIDENTIFIER: oids.organizationIdentifier,
  O: oids.organizationName,
  L: oids.localityName,
  ST: oids.stateOrProvinceName,
  DC: oids.domainComponent,
  C: oids.countryName,
  NAME: oids.name,
  PSEUDONYM: oids.pseudonym,
  DESCRIPTION: oids.description,
  STREET: oids.streetAddress,
  POSTALADDRESS: oids.postalAddress,
  POSTALCODE: oids.postalCode,
  BUSINESSCATEGORY: oids.businessCategory,
  TELEPHONENUMBER: oids.telephoneNumber,
  UNSTRUCTUREDNAME: oids.unstructuredName,
  UNSTRUCTUREDADDRESS: oids.unstructuredAddress,
} as const;

/** A part of a subject DN in EJBCA's settings. */
export type DistinguishedNameField = keyof typeof distinguishedNameFields;
