import { contextTag, DerError, expectTag, tags, type DerNode } from './der.ts';
import type { GeneralName } from './general-names.ts';
import { nameFromAttributes, readName, type Name } from './names.ts';
import { readRequestedNames } from './requested-names.ts';

/** The names of a certificate. */
export interface CertifiedNames {
  readonly subject: Name;
  /** Empty: no such extension. */
  readonly subjectAltName: readonly GeneralName[];
}

/**
 * The names that ChangeSubjectName asks for (RFC 6402, section 2.8). What it does not hold is removed, not kept. The
 * two fields have the same tag in the RFC; erratum 3943 gives the second one `[1]`. Both forms are read, told apart by
 * what is inside; a lone empty list could be either, and is refused. Throws DerError.
 */
export function readChangeSubjectName(node: DerNode): CertifiedNames {
  const [first, second, ...rest] = expectTag(node, tags.sequence, 'The ChangeSubjectName').children;
  if (first === undefined || rest.length > 0) {
    throw new DerError('The ChangeSubjectName must hold a subject, a subjectAlt or both.');
  }
  if (second !== undefined) {
    return {
      subject: readName(expectTag(first, tags.sequence, 'The new subject')),
      subjectAltName: readAlt(second),
    };
  }
  if (isFilledName(first)) return { subject: readName(first), subjectAltName: [] };
  return { subject: nameFromAttributes([]), subjectAltName: readAlt(first) };
}

function isFilledName({ tag, children }: DerNode): boolean {
  return tag === tags.sequence && children[0]?.tag === tags.set;
}

function readAlt(node: DerNode): readonly GeneralName[] {
  if (node.tag !== tags.sequence && node.tag !== contextTag(1, 'constructed')) {
    throw new DerError('The new subjectAlt is no list of general names.');
  }
  return readRequestedNames(node.children);
}
