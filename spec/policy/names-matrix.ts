/**
 * Who asks for which subject, and whether it is granted: a new kind of client adds a row to `bound`, a new way to write a
 * subject a column. What is expected is written here by hand, from docs/policy.md.
 */
import {
  generalName,
  id,
  objectIdentifier,
  printableString,
  sequence,
  set,
  subjectAltName,
  tlv,
  utf8String,
} from '../support/csr.ts';

/** An attribute type and values that two clients have. */
export interface Tried {
  readonly name: string;
  readonly oid: string;
  readonly own: string;
  readonly other: string;
  /** Whether it tells the holder of a certificate from others. */
  readonly isTelling: boolean;
  /** The string type of most encoders. */
  readonly encode: (value: string) => Buffer;
  /** Another one. */
  readonly encodeOtherwise: (value: string) => Buffer;
}

const ia5String = (text: string): Buffer => tlv(0x16, Buffer.from(text));
const bmpString = (text: string): Buffer => tlv(0x1e, Buffer.from(text, 'utf16le').swap16());

function tried(name: string, oid: string, values: Partial<Tried> = {}): Tried {
  const strings = { encode: utf8String, encodeOtherwise: printableString };
  return { name, oid, own: 'Own 1', other: 'Other 2', isTelling: false, ...strings, ...values };
}

const printed = { encode: printableString, encodeOtherwise: bmpString };
const mail = {
  own: 'own@a.example',
  other: 'other@a.example',
  encode: ia5String,
  encodeOtherwise: utf8String,
};

/** Every type that `policy.subject` can hold, but for commonName. */
export const triedTypes: readonly Tried[] = [
  tried('serialNumber', '2.5.4.5', { ...printed, isTelling: true }),
  tried('surname', '2.5.4.4'),
  tried('givenName', '2.5.4.42'),
  tried('initials', '2.5.4.43'),
  tried('title', '2.5.4.12'),
  tried('pseudonym', '2.5.4.65'),
  tried('name', '2.5.4.41'),
  tried('organizationName', '2.5.4.10'),
  tried('organizationalUnitName', '2.5.4.11'),
  tried('organizationIdentifier', '2.5.4.97'),
  tried('businessCategory', '2.5.4.15'),
  tried('description', '2.5.4.13'),
  tried('countryName', '2.5.4.6', { ...printed, own: 'DE', other: 'FR' }),
  tried('stateOrProvinceName', '2.5.4.8'),
  tried('localityName', '2.5.4.7'),
  tried('streetAddress', '2.5.4.9'),
  tried('postalAddress', '2.5.4.16'),
  tried('postalCode', '2.5.4.17'),
  tried('telephoneNumber', '2.5.4.20', printed),
  tried('generationQualifier', '2.5.4.44'),
  tried('dnQualifier', '2.5.4.46', { ...printed, isTelling: true }),
  tried('x500UniqueIdentifier', '2.5.4.45', { isTelling: true }),
  tried('userId', '0.9.2342.19200300.100.1.1', { isTelling: true }),
  tried('domainComponent', '0.9.2342.19200300.100.1.25', {
    own: 'own',
    other: 'other',
    encode: ia5String,
    encodeOtherwise: utf8String,
  }),
  tried('emailAddress', '1.2.840.113549.1.9.1', mail),
  tried('unstructuredName', '1.2.840.113549.1.9.2'),
  tried('unstructuredAddress', '1.2.840.113549.1.9.8'),
];

const level = (...attributes: readonly Buffer[]): Buffer =>
  set(...attributes.toSorted((a, b) => a.compare(b)));
const attributeOf = (oid: string, value: Buffer): Buffer => sequence(objectIdentifier(oid), value);
const cn = (text: string): Buffer => attributeOf(id.commonName, utf8String(text));
const of = ({ oid, encode }: Tried, value: string): Buffer => attributeOf(oid, encode(value));
const rdns = (...attributes: readonly Buffer[]): Buffer => sequence(...attributes.map((one) => level(one)));

/** The subject of the certificates that clients show. */
export const certified = (type: Tried): Buffer => rdns(cn('device-1'), of(type, type.own));

/** The subjectAltName extension of those certificates. */
export const certifiedAltName = subjectAltName(generalName(2, 'device-1'));

/** Ways to write a subject. */
export const subjects = {
  'its own': certified,
  "another's attribute": (type: Tried) => rdns(cn('device-1'), of(type, type.other)),
  "another's commonName": (type: Tried) => rdns(cn('device-2'), of(type, type.own)),
  'its attribute in a second value': (type: Tried) =>
    rdns(cn('device-1'), of(type, type.own), of(type, type.other)),
  'an added attribute': (type: Tried) =>
    rdns(
      cn('device-1'),
      of(type, type.own),
      attributeOf(type.name === 'title' ? '2.5.4.13' : '2.5.4.12', utf8String('x')),
    ),
  'the commonName alone': () => rdns(cn('device-1')),
  'no commonName': (type: Tried) => rdns(of(type, type.own)),
  "no commonName, and another's attribute": (type: Tried) => rdns(of(type, type.other)),
  'one level': (type: Tried) => sequence(level(cn('device-1'), of(type, type.own))),
  'its attribute twice': (type: Tried) => rdns(cn('device-1'), of(type, type.own), of(type, type.own)),
  'its attribute twice in one level': (type: Tried) =>
    sequence(level(cn('device-1')), level(of(type, type.own), of(type, type.other))),
  'an empty subject': () => sequence(),
  'another string type': (type: Tried) =>
    rdns(cn('device-1'), attributeOf(type.oid, type.encodeOtherwise(type.own))),
  'other case': (type: Tried) => rdns(cn('device-1'), of(type, swappedCase(type.own))),
  'other case in the commonName': (type: Tried) => rdns(cn('DEVICE-1'), of(type, type.own)),
  'the commonName alone, in other case': () => rdns(cn('DEVICE-1')),
  'another order': (type: Tried) => rdns(of(type, type.own), cn('device-1')),
  'another type with its value': (type: Tried) =>
    rdns(
      cn('device-1'),
      attributeOf(type.name === 'title' ? '2.5.4.13' : '2.5.4.12', utf8String('device-1')),
    ),
  "alice's name alone": () => rdns(cn('alice')),
  "alice's name in other case": () => rdns(cn('Alice')),
  "alice's name with the attribute": (type: Tried) => rdns(cn('alice'), of(type, type.own)),
  "alice's name with another's attribute": (type: Tried) => rdns(cn('alice'), of(type, type.other)),
  "alice's name in one level with the attribute": (type: Tried) =>
    sequence(level(cn('alice'), of(type, type.own))),
} as const satisfies Readonly<Record<string, (type: Tried) => Buffer>>;

/** A way to write a subject. */
export type SubjectName = keyof typeof subjects;

function swappedCase(text: string): string {
  const upper = text.toUpperCase();
  return upper === text ? text.toLowerCase() : upper;
}

/** A subject with two names is malformed whatever the policy says. */
export const twoCommonNames = rdns(cn('device-1'), cn('device-2'));

/** Who asks. A certificate has the subject `certified`, with `certifiedAltName`. */
export const clients = {
  'a certificate of the CA': { certificate: 'own' },
  'a user': { user: 'device-1' },
  'a vendor certificate': { certificate: 'vendor' },
  'a user and a certificate of the CA': { user: 'alice', certificate: 'own' },
  'a user and a vendor certificate': { user: 'alice', certificate: 'vendor' },
  'a registration authority': { certificate: 'own', isAuthority: true },
} as const satisfies Readonly<Record<string, Client>>;

/** What a client shows. */
export interface Client {
  readonly user?: string;
  readonly certificate?: 'own' | 'vendor';
  readonly isAuthority?: true;
}

export type ClientName = keyof typeof clients;

/** For which names the registration authority may ask. */
export const scopeFor = (type: Tried): Readonly<Record<string, readonly string[]>> => ({
  commonName: ['device-*'],
  [type.name]: [type.own],
  dNSName: ['device-*'],
});

const asCertified: readonly SubjectName[] = ['its own', 'another string type', 'other case', 'another order'];
const sameName: readonly SubjectName[] = [...asCertified, 'other case in the commonName', 'one level'];
const shortened: readonly SubjectName[] = ['the commonName alone', 'the commonName alone, in other case'];
const alices: readonly SubjectName[] = [
  "alice's name alone",
  "alice's name with the attribute",
  "alice's name in one level with the attribute",
];
const emptyWithAltName: SubjectName = 'an empty subject';

/** What a client may have that is bound to its names. */
const bound: Readonly<Record<ClientName, readonly SubjectName[]>> = {
  'a certificate of the CA': [...sameName, ...shortened, emptyWithAltName],
  'a user': ['the commonName alone', emptyWithAltName],
  'a vendor certificate': [...sameName, ...shortened, emptyWithAltName],
  'a user and a certificate of the CA': [...sameName, ...alices, ...shortened, emptyWithAltName],
  'a user and a vendor certificate': [...sameName, ...alices, ...shortened, emptyWithAltName],
  'a registration authority': [
    ...sameName,
    ...shortened,
    ...(["another's commonName", 'no commonName', 'its attribute twice', emptyWithAltName] as const),
  ],
};

export const modes = ['certificate', 'identity', 'any'] as const;
export type Mode = (typeof modes)[number];

/** Whether the request is granted. */
export function isGranted(mode: Mode, client: ClientName, subject: SubjectName, type: Tried): boolean {
  const { certificate, isAuthority }: Client = clients[client];
  const isBound =
    isAuthority === true || mode === 'identity' || (mode === 'certificate' && certificate === 'own');
  if (!isBound) return true;
  // The holder of the certificate is told from others by this attribute.
  const holdsIt = certificate !== undefined && isAuthority !== true && type.isTelling;
  if (holdsIt && shortened.includes(subject)) return false;
  return bound[client].includes(subject);
}
