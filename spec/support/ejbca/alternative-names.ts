/** Subject alternative names as EJBCA writes them in texts: `dNSName=a.example, iPAddress=192.0.2.1`. */
import {
  embed,
  explicit,
  ia5String,
  implicit,
  objectIdentifier,
  sequence,
  toDer,
  utf8String,
  type Asn1,
} from '../../../src/pkix/der-write.ts';
import { readDer } from '../../../src/pkix/der.ts';
import { iPAddress, readGeneralNames, type GeneralName } from '../../../src/pkix/general-names.ts';
import { dnOf, nameFromDn, splitAtCommas, withoutForbidden } from './distinguished-name.ts';

const userPrincipalName = '1.3.6.1.4.1.311.20.2.3';

/** The kinds of names that EJBCA knows, in the order in which it writes them into a certificate. */
const kinds = [
  'rfc822name',
  'dNSName',
  'directoryName',
  'uniformResourceIdentifier',
  'iPAddress',
  'registeredID',
  'upn',
] as const;

/** As it begins in EJBCA's texts. */
export type AlternativeNameKind = (typeof kinds)[number];

interface AlternativeName {
  readonly kind: AlternativeNameKind;
  readonly value: string;
}

/** The names of a CSR as EJBCA stores them with the end entity; kinds that it does not know are lost. */
export function altNameOf(names: readonly GeneralName[]): string {
  return names
    .flatMap(textOf)
    .map(({ kind, value }) => `${kind}=${value.replaceAll(/[,\\]/g, String.raw`\$&`)}`)
    .join(', ');
}

function textOf(name: GeneralName): readonly AlternativeName[] {
  switch (name.type) {
    case 'rfc822Name':
      return [{ kind: 'rfc822name', value: name.value }];
    case 'dNSName':
    case 'iPAddress':
    case 'registeredID':
      return [{ kind: name.type, value: name.value }];
    case 'uniformResourceIdentifier':
      return [{ kind: name.type, value: withoutForbidden(name.value) }];
    case 'directoryName':
      return [{ kind: 'directoryName', value: dnOf(name.name) }];
    case 'otherName':
      return name.typeId === userPrincipalName ? [{ kind: 'upn', value: principalOf(name.der) }] : [];
    case 'x400Address':
    case 'ediPartyName':
      return [];
  }
}

function principalOf(der: Buffer): string {
  const [, wrapped] = readDer(der).children;
  return wrapped?.children[0]?.content.toString('utf8') ?? '';
}

/** The name of a kind in the texts of end entity profiles. */
export function alternativeNameField(kind: AlternativeNameKind): string {
  return kind === 'uniformResourceIdentifier' ? 'UNIFORMRESOURCEID' : kind.toUpperCase();
}

/** The kinds in a text of EJBCA, one for each name. */
export function kindsIn(altName: string): readonly AlternativeNameKind[] {
  return namesIn(altName).map(({ kind }) => kind);
}

/** The names for a certificate, grouped by kind as EJBCA groups them. Throws a TypeError for an unknown kind. */
export function generalNamesFrom(altName: string): readonly GeneralName[] {
  const names = namesIn(altName);
  const encoded = kinds.flatMap((kind) => names.filter((name) => name.kind === kind).map(encode));
  return encoded.length === 0 ? [] : readGeneralNames(toDer(sequence(...encoded)));
}

function encode({ kind, value }: AlternativeName): Asn1 {
  switch (kind) {
    case 'rfc822name':
      return implicit(1, ia5String(value));
    case 'dNSName':
      return implicit(2, ia5String(value));
    case 'directoryName':
      return explicit(4, embed(nameFromDn(value).der));
    case 'uniformResourceIdentifier':
      return implicit(6, ia5String(value));
    case 'iPAddress':
      return embed(iPAddress(value).der);
    case 'registeredID':
      return implicit(8, objectIdentifier(value));
    case 'upn':
      return implicit(0, sequence(objectIdentifier(userPrincipalName), explicit(0, utf8String(value))));
  }
}

function namesIn(altName: string): readonly AlternativeName[] {
  return splitAtCommas(altName).map((part) => {
    const [, written = '', value = ''] = /^\s*([A-Za-z0-9]+)\s*=(.*)$/s.exec(part) ?? [];
    const kind = kinds.find((known) => known.toLowerCase() === written.toLowerCase());
    if (kind === undefined) throw new TypeError(`EJBCA knows no such alternative name: ${part}`);
    return { kind, value: value.replaceAll(/\\(.)/gs, '$1') };
  });
}
