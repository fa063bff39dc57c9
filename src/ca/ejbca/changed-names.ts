import { EstError } from '../../errors.ts';
import { readDer, tags, type DerNode } from '../../pkix/der.ts';
import type { GeneralName } from '../../pkix/general-names.ts';
import type { Name, RelativeDistinguishedName } from '../../pkix/names.ts';
import { offendingAttribute, offendingName, offendingPart, offendingValue } from '../../pkix/offending.ts';
import { nameOfOid, oids } from '../../pkix/oids.ts';
import { distinguishedNameFields } from './distinguished-name-fields.ts';

/**
 * Names that EJBCA certifies in another form than they were asked for, and says nothing: it writes `/` in place of some
 * characters, cuts blanks off and leaves out what it does not know (EJBCA 8.2: StringTools.strip and stripUsername,
 * DnComponents, CeSecoreNameStyle), so that several devices would get the same name. They are refused instead.
 */

/** EJBCA's `forbidden.characters`, and the backslash, which is its own escape. */
const replacedCharacters = /[%?;!$~`\\\p{Cc}]/u;
/** And those with which its web service cannot find an end entity: it takes two for an attempt at SQL, and fails at a brace. */
const replacedInUsernames = /[%?;!$~`\\\p{Cc}<>"|{]/u;

/** Types of attributes that have a place in EJBCA's end entity profiles. */
const knownTypes: ReadonlySet<string> = new Set([
  ...Object.values(distinguishedNameFields),
  oids.x500UniqueIdentifier,
]);

const permanentIdentifier = '1.3.6.1.5.5.7.8.3';

/** Types of otherName whose values EJBCA keeps, with the string type in which it writes their texts. */
const keptOtherNames: ReadonlyMap<string, number> = new Map([
  // Microsoft, wincrypt.h: userPrincipalName; RFC 6120: xmppAddr; RFC 4985: srvName.
  ['1.3.6.1.4.1.311.20.2.3', tags.utf8String],
  ['1.3.6.1.5.5.7.8.5', tags.utf8String],
  ['1.3.6.1.5.5.7.8.7', tags.ia5String],
  // RFC 4043: permanentIdentifier; RFC 4683: subjectIdentificationMethod; FIPS 201: FASC-N.
  [permanentIdentifier, tags.utf8String],
  ['1.3.6.1.5.5.7.8.6', tags.utf8String],
  ['2.16.840.1.101.3.6.6', tags.utf8String],
]);

/** Refuses a subject that EJBCA would change. Throws `bad_certification_request`, which names the fault. */
export function refuseChangedSubject({ rdns }: Name): void {
  refuseChangedAttributes(rdns, 'in the subject');
  const several = rdns.find((rdn) => rdn.length > 1);
  if (several !== undefined) {
    throw refusal(
      'The subject has several attributes in one part (a multi-valued RDN), which the CA does not certify; give each a part of its own.',
      offendingPart(several),
    );
  }
}

/** The same for general names. */
export function refuseChangedAltNames(names: readonly GeneralName[]): void {
  for (const name of names) {
    const fault = faultOfAltName(name);
    if (fault !== undefined) throw refusal(`The subjectAltName holds ${fault}.`, offendingName(name));
  }
}

/** The same for the user name of an end entity. */
export function refuseChangedUsername(username: string): void {
  const fault = faultOf(username, replacedInUsernames);
  if (fault === undefined) return;
  throw refusal(`The user name ${fault}; change it.`, offendingValue('username', username));
}

/** Whether EJBCA keeps a text as a part of user names, but for blanks at its ends. */
export function isKeptInUsernames(text: string): boolean {
  return !replacedInUsernames.test(text);
}

function refuseChangedAttributes(rdns: readonly RelativeDistinguishedName[], where: string): void {
  for (const attribute of rdns.flat()) {
    const name = nameOfOid(attribute.type);
    if (!knownTypes.has(attribute.type)) {
      throw refusal(
        `The CA does not know the attribute type ${name} ${where}; leave it out.`,
        offendingAttribute(attribute),
      );
    }
    const fault = faultOf(attribute.value, replacedCharacters);
    if (fault === undefined) continue;
    throw refusal(`The ${name} ${where} ${fault}; change it.`, offendingAttribute(attribute));
  }
}

/** For "holds ..."; undefined: EJBCA keeps the name. Throws as above for what is wrong within a directoryName. */
function faultOfAltName(name: GeneralName): string | undefined {
  switch (name.type) {
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
      return faultOfText(`a name of the type ${name.type}`, name.value);
    case 'directoryName':
      if (name.name.rdns.length === 0) return 'an empty directoryName, which the CA leaves out; leave it out';
      refuseChangedAttributes(name.name.rdns, 'in a directoryName of the subjectAltName');
      return undefined;
    case 'otherName':
      return faultOfOtherName(name);
    case 'x400Address':
    case 'ediPartyName':
      return `a name of the type ${name.type}, which the CA leaves out; leave it out`;
    case 'iPAddress':
    case 'registeredID':
      return undefined;
  }
}

function faultOfOtherName({
  der,
  typeId,
}: Extract<GeneralName, { readonly type: 'otherName' }>): string | undefined {
  const what = `an otherName of the type ${nameOfOid(typeId)}`;
  const stringType = keptOtherNames.get(typeId);
  if (stringType === undefined) return `${what}, which the CA does not certify as it is; leave it out`;
  const strings = stringsIn(readDer(der));
  if (strings.some(({ tag }) => tag !== stringType)) {
    return `${what} with a text in another string type than the CA writes; use that of its definition`;
  }
  const texts = strings.map(({ content }) => content.toString());
  if (typeId === permanentIdentifier && texts.some((text) => text.includes('/'))) {
    return `${what} that holds /, which the CA changes; change it`;
  }
  return texts.map((text) => faultOfText(what, text)).find((fault) => fault !== undefined);
}

const stringTypes: ReadonlySet<number> = new Set([
  ...[tags.utf8String, tags.printableString, tags.ia5String, tags.visibleString, tags.numericString],
  ...[tags.teletexString, tags.bmpString, tags.universalString],
]);

function stringsIn(node: DerNode): readonly DerNode[] {
  return stringTypes.has(node.tag) ? [node] : node.children.flatMap(stringsIn);
}

/** In a list of names EJBCA does not take its own escape of a leading number sign off. */
function faultOfText(what: string, text: string): string | undefined {
  const fault = text.startsWith('#')
    ? 'begins with #, which the CA changes'
    : faultOf(text, replacedCharacters);
  return fault === undefined ? undefined : `${what} that ${fault}; change it`;
}

/** What is wrong with a text; undefined: EJBCA keeps it. */
function faultOf(text: string, replaced: RegExp): string | undefined {
  const [found] = replaced.exec(text) ?? [];
  if (found !== undefined) return `holds ${nameOfCharacter(found)}, which the CA replaces`;
  return /^ | $/.test(text) ? 'begins or ends with a blank, which the CA cuts off' : undefined;
}

/** Control characters are not for a sentence. */
function nameOfCharacter(character: string): string {
  return /\p{Cc}/u.test(character) ? 'a control character' : character;
}

function refusal(sentence: string, offending: string): EstError {
  return new EstError('bad_certification_request', sentence, { refusedBy: { offending } });
}
