import type { GeneralName } from '../../pkix/general-names.ts';
import type { Name } from '../../pkix/names.ts';
import { distinguishedNameFields } from './distinguished-name-fields.ts';

/**
 * Whether a subject is the one that EJBCA writes as this text, such as `CN=device,O=Acme`. EJBCA puts the parts into an
 * order of its own, so that their order does not count, nor does case.
 */
export function isSubject(subject: Name, text: string): boolean {
  const parts = subject.rdns.flat().map(({ type, value }) => part(type, value));
  return sameParts(
    parts,
    partsOf(text, (symbol) => symbols.get(symbol) ?? symbol),
  );
}

/** Whether names are those that EJBCA writes as this text, such as `dNSName=a.example, iPAddress=192.0.2.1`. */
export function isSubjectAltName(names: readonly GeneralName[], text: string): boolean {
  const parts = names.map((name) => part(name.type.toLowerCase(), 'value' in name ? name.value : ''));
  return (
    names.every((name) => 'value' in name) &&
    sameParts(
      parts,
      partsOf(text, (symbol) => symbol.toLowerCase()),
    )
  );
}

/** The symbols of EJBCA's DNs; it writes serialNumber and userId in two ways. */
const symbols: ReadonlyMap<string, string> = new Map<string, string>([
  ...Object.entries(distinguishedNameFields),
  ['SERIALNUMBER', distinguishedNameFields.SN],
  ['EMAILADDRESS', distinguishedNameFields.E],
]);

function partsOf(text: string, typeOf: (symbol: string) => string): readonly string[] {
  return splitAtCommas(text).map((written) => {
    const [, symbol = '', value = ''] = /^\s*([^=]+?)\s*=(.*)$/s.exec(written) ?? [];
    return part(typeOf(symbol.toUpperCase()), value.replace(/\\(.)/gs, '$1'));
  });
}

/** A comma after a backslash belongs to the value. */
function splitAtCommas(text: string): readonly string[] {
  return text.match(/(?:[^,\\]|\\.)+/gs) ?? [];
}

function part(type: string, value: string): string {
  return `${type}=${value.trim().toLowerCase()}`;
}

function sameParts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && [...one].sort().join('\n') === [...other].sort().join('\n');
}
