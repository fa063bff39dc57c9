import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readDer } from '../../src/pkix/der.ts';
import { readGeneralNames, type GeneralName } from '../../src/pkix/general-names.ts';
import { changesOf, forbiddenChanges, nameChanges, type NameChange } from '../../src/pkix/name-changes.ts';
import { nameFromAttributes, readName, type Name } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { generalName, id, name, printableString, sequence, utf8String } from '../support/csr.ts';

const types = {
  CN: oids.commonName,
  O: oids.organizationName,
  OU: oids.organizationalUnitName,
  C: oids.countryName,
} as const;

/** `CN=a,O=b`, in the order of the DER. */
function subject(text: string): Name {
  return nameFromAttributes(
    text
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const [type = 'CN', value = ''] = part.split('=');
        return { type: types[type as keyof typeof types], value };
      }),
  );
}

function hosts(...names: readonly string[]): readonly GeneralName[] {
  return names.length === 0 ? [] : readGeneralNames(sequence(...names.map((host) => generalName(2, host))));
}

const changes = (approved: string, issued: string): readonly NameChange[] =>
  changesOf(
    { subject: subject(approved), subjectAltName: [] },
    { subject: subject(issued), subjectAltName: [] },
  );

describe('changesOf()', () => {
  it.each<[string, string, readonly NameChange[]]>([
    ['CN=a,O=b', 'CN=a,O=b', []],
    ['CN=Dev  1', 'CN=dev 1', []],
    ['CN=a', 'CN=a,O=b', ['addedAttributes']],
    ['CN=a', 'C=SE,O=b,CN=a', ['addedAttributes']],
    ['CN=a,O=b', 'O=b,CN=a', ['reorderedSubject']],
    ['CN=a,O=b', 'O=b,C=SE,CN=a', ['addedAttributes', 'reorderedSubject']],
    ['CN=a', 'CN=b', ['replacedSubject']],
    ['CN=a,O=b', 'CN=a', ['replacedSubject']],
    ['CN=a,O=b', 'CN=a,O=c', ['replacedSubject']],
    ['OU=x,OU=x', 'OU=x', ['replacedSubject']],
    ['OU=x', 'OU=x,OU=x', ['addedAttributes']],
    ['', 'CN=a', ['addedAttributes']],
    ['CN=a', '', ['replacedSubject']],
  ])('calls the way from %s to %s %j', (approved, issued, expected) => {
    expect(changes(approved, issued)).toEqual(expected);
  });

  it('looks at neither string types nor the order and case of subjectAltNames', () => {
    const read = (value: Buffer): Name => readName(readDer(name([id.commonName, value])));
    const approved = { subject: read(utf8String('a')), subjectAltName: hosts('a.example', 'B.example') };
    const issued = { subject: read(printableString('a')), subjectAltName: hosts('b.example', 'a.example') };
    expect(changesOf(approved, issued)).toEqual([]);
  });

  it.each<[readonly string[], readonly string[], readonly NameChange[]]>([
    [[], ['a'], ['addedSubjectAltNames']],
    [['a'], ['a', 'b'], ['addedSubjectAltNames']],
    [['a'], [], ['replacedSubjectAltNames']],
    [['a', 'b'], ['a'], ['replacedSubjectAltNames']],
    [['a'], ['b'], ['replacedSubjectAltNames']],
  ])('calls the way from subjectAltNames %j to %j %j', (approved, issued, expected) => {
    const names = (list: readonly string[]) => ({ subject: subject('CN=a'), subjectAltName: hosts(...list) });
    expect(changesOf(names(approved), names(issued))).toEqual(expected);
  });

  it('allows nothing of the subject but what is the same where nothing is allowed, whatever was done to it', () => {
    const part = fc.tuple(fc.constantFrom('CN', 'O', 'OU'), fc.constantFrom('a', 'b', 'A'));
    const text = fc
      .array(part, { maxLength: 4 })
      .map((parts) => parts.map((pair) => pair.join('=')).join(','));
    fc.assert(
      fc.property(text, text, (approved, issued) => {
        const isSame = approved.toLowerCase() === issued.toLowerCase();
        expect(forbiddenChanges(changes(approved, issued), []).length === 0).toBe(isSame);
        expect(forbiddenChanges(changes(approved, issued), ['replacedSubject'])).toEqual([]);
        expect(forbiddenChanges(changes(approved, issued), nameChanges)).toEqual([]);
      }),
    );
  });
});
