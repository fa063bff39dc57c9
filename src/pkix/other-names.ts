import { DerError, readDer, readObjectIdentifier, tags, type DerNode } from './der.ts';
import type { GeneralName } from './general-names.ts';
import { readText } from './text.ts';

/** A name whose form others than X.509 define (RFC 5280, section 4.2.1.6). */
export type OtherName = Extract<GeneralName, { readonly type: 'otherName' }>;

/** The forms whose values people can read, by the names of their types. */
const otherNameTypes = {
  /** [MS-WCCE], section 2.2.2.7.5: a mail address, by which Active Directory knows a user. */
  userPrincipalName: '1.3.6.1.4.1.311.20.2.3',
  /** RFC 4043, section 2. */
  permanentIdentifier: '1.3.6.1.5.5.7.8.3',
  /** RFC 4108, section 5. */
  hardwareModuleName: '1.3.6.1.5.5.7.8.4',
  /** RFC 6120, section 13.7.1.4. */
  xmppAddr: '1.3.6.1.5.5.7.8.5',
  /** RFC 4985, section 2. */
  dnsSRV: '1.3.6.1.5.5.7.8.7',
  /** RFC 7585, section 2.2. */
  naiRealm: '1.3.6.1.5.5.7.8.8',
  /** RFC 9598, section 3. */
  smtpUTF8Mailbox: '1.3.6.1.5.5.7.8.9',
  /** RFC 8994, section 6.2.2.1. */
  acpNodeName: '1.3.6.1.5.5.7.8.10',
} as const;

/** The names of those types. */
export const otherNameTypeNames = Object.keys(otherNameTypes) as readonly (keyof typeof otherNameTypes)[];

/** Whether a type of otherName is called so. */
export function isOtherNameType(name: string): boolean {
  return otherNameTypeNames.some((type) => type === name);
}

const nameByOid: ReadonlyMap<string, string> = new Map(
  Object.entries(otherNameTypes).map(([name, oid]) => [oid, name]),
);

/** An otherName for people and rules. */
export interface OtherNameView {
  /** Such as `userPrincipalName`; the dotted object identifier of a type that is not known, or whose form the value lacks. */
  readonly type: string;
  /**
   * A text as it is; a hardwareModuleName as `TYPE:SERIAL`, the serial number in hex; a permanentIdentifier as
   * `ASSIGNER:VALUE`, each of which may be empty; under a dotted object identifier, base64 of the value's DER.
   */
  readonly value: string;
}

/** The value of an otherName, decoded where its type is known. */
export function viewOtherName(name: OtherName): OtherNameView {
  const value = valueOf(name);
  const type = nameByOid.get(name.typeId);
  const decoded = type && decode(type, value);
  return decoded === undefined
    ? { type: name.typeId, value: value.bytes.toString('base64') }
    : { type: type ?? name.typeId, value: decoded };
}

/** Whether the value has the form that its type has; one of an unknown type may have any. */
export function hasFormOfType(name: OtherName): boolean {
  const type = nameByOid.get(name.typeId);
  return type === undefined || decode(type, valueOf(name)) !== undefined;
}

/** The text of an otherName that is one, whatever its type; undefined: it is something else. */
export function otherNameText(name: OtherName): string | undefined {
  return decode(undefined, valueOf(name));
}

/** What stands in the `[0]` after the type; the `[0]` itself where it does not hold one value. */
function valueOf({ der }: OtherName): DerNode {
  const [, explicit] = readDer(der).children;
  if (explicit === undefined) throw new DerError('An otherName is malformed.');
  const [value, ...rest] = explicit.children;
  return value === undefined || rest.length > 0 ? explicit : value;
}

/** Undefined: the value is none of this type. */
function decode(type: string | undefined, value: DerNode): string | undefined {
  try {
    if (type === 'hardwareModuleName') return hardwareModule(value);
    return type === 'permanentIdentifier' ? permanentIdentifier(value) : readText(value);
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function hardwareModule({ tag, children: [type, serial, ...rest] }: DerNode): string | undefined {
  const isModule =
    tag === tags.sequence && type !== undefined && serial?.tag === tags.octetString && rest.length === 0;
  return isModule ? `${readObjectIdentifier(type)}:${serial.content.toString('hex')}` : undefined;
}

/** Both parts may be left out. */
function permanentIdentifier({ tag, children }: DerNode): string | undefined {
  if (tag !== tags.sequence) return undefined;
  const last = children.at(-1);
  const assigner = last?.tag === tags.objectIdentifier ? last : undefined;
  const [identifier, ...rest] = assigner === undefined ? children : children.slice(0, -1);
  const text = identifier === undefined ? '' : readText(identifier);
  if (text === undefined || rest.length > 0) return undefined;
  return `${assigner === undefined ? '' : readObjectIdentifier(assigner)}:${text}`;
}
