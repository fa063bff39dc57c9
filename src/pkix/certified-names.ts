import type { CertifiedNames } from './change-subject-name.ts';
import { readDer, readObjectIdentifier, tags, type DerNode } from './der.ts';
import { embed, objectIdentifier, primitive, sequence, setOf, toDer, type Asn1 } from './der-write.ts';
import { directoryName, type GeneralName } from './general-names.ts';
import { readName, type Name } from './names.ts';
import { nameOfOid, oids } from './oids.ts';
import { readText } from './text.ts';

/**
 * The names as they go into a certificate: strings of types that parsers in the field cannot read there (VisibleString, UniversalString
 * and the like; a PrintableString with other characters, which Go refuses) are written anew, as RFC 5280, section 4.1.2.4 says:
 * UTF8String, or PrintableString and IA5String where the type of the attribute wants that and the text allows it. All others
 * stay as they are.
 */
export function certifiedNames({ subject, subjectAltName }: CertifiedNames): CertifiedNames {
  return { subject: certifiedName(subject), subjectAltName: subjectAltName.map(certifiedGeneralName) };
}

function certifiedGeneralName(name: GeneralName): GeneralName {
  if (name.type !== 'directoryName') return name;
  const certified = certifiedName(name.name);
  return certified === name.name ? name : directoryName(certified);
}

function certifiedName(name: Name): Name {
  const rdns = readDer(name.der).children;
  if (rdns.every(({ children }) => children.every(isWellWritten))) return name;
  const written = rdns.map(({ children }) => setOf(...children.map(writeAttribute)));
  return readName(readDer(toDer(sequence(...written))));
}

function isWellWritten(attribute: DerNode): boolean {
  const { tag, wanted } = readAttribute(attribute);
  return tag === wanted;
}

function writeAttribute(attribute: DerNode): Asn1 {
  const { type, text, tag, wanted } = readAttribute(attribute);
  if (text === undefined || tag === wanted) return embed(attribute.bytes);
  return sequence(
    objectIdentifier(type),
    primitive(wanted, Buffer.from(text, wanted === tags.utf8String ? 'utf8' : 'latin1')),
  );
}

/** The tag that a value of an attribute of a name has, and the one that it should have. */
interface AttributeTags {
  readonly type: string;
  /** Undefined: it is no string, and stays what it is. */
  readonly text: string | undefined;
  readonly tag: number;
  readonly wanted: number;
}

function readAttribute({ children: [typeNode, value] }: DerNode): AttributeTags {
  if (typeNode === undefined || value === undefined)
    throw new Error('A name that was read has a malformed attribute.');
  const type = readObjectIdentifier(typeNode);
  const { tag } = value;
  const text = readText(value);
  return { type, text, tag, wanted: text === undefined ? tag : wantedTag(type, text, tag) };
}

const isPrintable = (text: string): boolean => /^[A-Za-z0-9 '()+,./:=?-]*$/.test(text);
const isIa5 = (text: string): boolean => /^[\0-\x7f]*$/.test(text);

/** RFC 5280, appendix A; for types that are unknown there, what every parser reads. */
function wantedTag(type: string, text: string, tag: number): number {
  switch (type) {
    case oids.countryName:
    case oids.serialNumber:
    case oids.dnQualifier:
      return isPrintable(text) ? tags.printableString : tags.utf8String;
    case oids.emailAddress:
    case oids.domainComponent:
      return isIa5(text) ? tags.ia5String : tags.utf8String;
    default:
      return isReadable(type, tag, text) ? tag : tags.utf8String;
  }
}

/** All types that are known here, but for those above, are DirectoryStrings; others may want a string of their own. */
function isReadable(type: string, tag: number, text: string): boolean {
  const isUnknown = nameOfOid(type) === type;
  switch (tag) {
    case tags.utf8String:
      return true;
    case tags.printableString:
      return isPrintable(text);
    case tags.ia5String:
    case tags.numericString:
      return isUnknown;
    default:
      return false;
  }
}
