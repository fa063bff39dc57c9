import { isIP } from 'node:net';
import type { Certificate } from '../../pkix/certificate.ts';
import { iPAddress, type GeneralName } from '../../pkix/general-names.ts';
import type { NameChange } from '../../pkix/name-changes.ts';
import type { Name } from '../../pkix/names.ts';
import { distinguishedNameFields } from './distinguished-name-fields.ts';
import type { RegisteredEndEntity } from './web-service.ts';

/** Names in the texts with which EJBCA registers end entities. It puts the parts into an order of its own, so that their order does not count, nor does case. */

/** Whether a subject is the one that EJBCA writes as this text, such as `CN=device,O=Acme`. */
export function isSubject(subject: Name, text: string): boolean {
  return sameParts(subjectParts(subject), partsOf(text, registeredAttribute));
}

/** Whether names are those that EJBCA writes as this text, such as `dNSName=a.example, iPAddress=192.0.2.1`. */
export function isSubjectAltName(names: readonly GeneralName[], text: string): boolean {
  return (
    names.every((name) => 'value' in name) && sameParts(names.map(altNamePart), partsOf(text, registeredName))
  );
}

/**
 * How a certificate differs from the names with which its end entity is registered. Attributes and names of types for which no
 * text is known to be the same everywhere are left out.
 */
export function changesOfRegistered(
  { subjectDN, subjectAltName: altText = '' }: Pick<RegisteredEndEntity, 'subjectDN' | 'subjectAltName'>,
  { subject, subjectAltName = [] }: Pick<Certificate, 'subject' | 'subjectAltName'>,
): readonly NameChange[] {
  const registered = partsOf(subjectDN, registeredAttribute);
  const registeredAlt = partsOf(altText, registeredName);
  return [
    ...changeOf(registered, subjectParts(subject), 'addedAttributes', 'replacedSubject'),
    ...changeOf(
      registeredAlt,
      subjectAltName.map(altNamePart),
      'addedSubjectAltNames',
      'replacedSubjectAltNames',
    ),
  ];
}

function changeOf(
  registered: readonly Part[],
  issued: readonly Part[],
  addition: NameChange,
  replacement: NameChange,
): readonly NameChange[] {
  const [wanted, found] = [comparable(registered), comparable(issued)];
  if ([...wanted].some((one) => !found.has(one))) return [replacement];
  return found.size > wanted.size ? [addition] : [];
}

/** What an end entity is registered with without a value is not certified. */
function comparable(parts: readonly Part[]): ReadonlySet<string> {
  return new Set(parts.filter(({ type, value }) => comparableTypes.has(type) && value !== '').map(textOf));
}

/** An attribute or a name. */
interface Part {
  /** Of an attribute the object identifier, of a name the type in lower case. */
  readonly type: string;
  readonly value: string;
}

/** The symbols of EJBCA's DNs; it writes serialNumber and userId in two ways. */
const symbols: ReadonlyMap<string, string> = new Map<string, string>([
  ...Object.entries(distinguishedNameFields),
  ['SERIALNUMBER', distinguishedNameFields.SN],
  ['EMAILADDRESS', distinguishedNameFields.E],
]);

const comparableTypes: ReadonlySet<string> = new Set([
  ...symbols.values(),
  ...['dnsname', 'ipaddress', 'rfc822name', 'uniformresourceidentifier'],
]);

function subjectParts({ rdns }: Name): readonly Part[] {
  return rdns.flat().map(({ type, value }) => part(type, value));
}

function altNamePart(name: GeneralName): Part {
  return part(name.type.toLowerCase(), 'value' in name ? name.value : '');
}

function registeredAttribute(symbol: string, value: string): Part {
  const upperCase = symbol.toUpperCase();
  return part(symbols.get(upperCase) ?? upperCase, value);
}

/** EJBCA writes URIs in two ways, and addresses as they were given. */
function registeredName(symbol: string, value: string): Part {
  const type = symbol.toLowerCase();
  if (type === 'uniformresourceid') return part('uniformresourceidentifier', value);
  const address = value.trim();
  const isAddress = type === 'ipaddress' && isIP(address) !== 0 && !address.includes('%');
  return isAddress ? altNamePart(iPAddress(address)) : part(type, value);
}

function partsOf(text: string, read: (symbol: string, value: string) => Part): readonly Part[] {
  return splitAtCommas(text).map((written) => {
    const [, symbol = '', value = ''] = /^\s*([^=]+?)\s*=(.*)$/s.exec(written) ?? [];
    return read(symbol, value.replace(/\\(.)/gs, '$1'));
  });
}

/** A comma after a backslash belongs to the value. */
function splitAtCommas(text: string): readonly string[] {
  return text.match(/(?:[^,\\]|\\.)+/gs) ?? [];
}

function part(type: string, value: string): Part {
  return { type, value: value.trim().toLowerCase() };
}

function textOf({ type, value }: Part): string {
  return `${type}=${value}`;
}

function sameParts(one: readonly Part[], other: readonly Part[]): boolean {
  return (
    one.length === other.length && one.map(textOf).sort().join('\n') === other.map(textOf).sort().join('\n')
  );
}
