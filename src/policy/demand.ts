import {
  encodeCsrAttributes,
  extensionRequest,
  extensionRequestTemplate,
  keyAttribute,
  templateAttribute,
  type Attribute,
  type AttrOrOid,
  type ExtensionTemplate,
  type KeyTemplate,
  type NameAttributeTemplate,
} from '../pkix/csr-attributes.ts';
import type { Extension } from '../pkix/extensions.ts';
import { oids } from '../pkix/oids.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';

/** Something that a CSR must hold: what csrattrs says of it, and the check, made from the same settings. */
export interface Demand {
  /** The key of the configuration that demands it. */
  readonly rule: string;
  /** Undefined: there is nothing to say, since it is demanded everywhere, or is the absence of something. */
  readonly wanted: Wanted | undefined;
  /** Throws EstError when the CSR does not meet the demand. */
  readonly check: (csr: RequestedCertificate) => void;
  /** A renewal is not asked: its names are those of the old certificate. */
  readonly onlyForFirst: boolean;
}

/** What csrattrs can say. */
export type Wanted =
  | { readonly what: 'key'; readonly key: KeyTemplate }
  /** An attribute type of the subject; without values the client fills it in. */
  | { readonly what: 'subject'; readonly type: string; readonly values: readonly Buffer[] }
  | { readonly what: 'extension'; readonly extension: Extension }
  /** The client fills in the value, or a part of it. */
  | { readonly what: 'openExtension'; readonly extension: ExtensionTemplate }
  | { readonly what: 'attribute'; readonly attribute: Attribute }
  /** What only an object identifier alone can say: a signature algorithm, an attribute to be filled in. */
  | { readonly what: 'identifiers'; readonly oids: readonly string[] };

/**
 * The CsrAttrs (DER) that ask for all of it; undefined when there is nothing to ask. A client that knows
 * templates must not look at anything else (RFC 9908, section 4), so there is one only when it says everything.
 */
export function csrAttributesFor(wanted: readonly Wanted[]): Buffer | undefined {
  if (wanted.length === 0) return undefined;
  const isTemplateEnough = wanted.every(({ what }) => what !== 'identifiers');
  const plain = [...wanted.flatMap(plainElements), ...knownExtensions(wanted)];
  const elements = [...new Set(plain), ...(isTemplateEnough ? [template(wanted)] : [])];
  return encodeCsrAttributes(elements);
}

/** The elements of RFC 7030, section 4.5.2. */
function plainElements(wanted: Wanted): readonly AttrOrOid[] {
  switch (wanted.what) {
    case 'key':
      return [keyAttribute(wanted.key), ...signatureOf(wanted.key)];
    case 'subject':
      return wanted.values.length === 0 ? [wanted.type] : [wanted];
    case 'extension':
      return [];
    case 'openExtension':
      return [wanted.extension.oid];
    case 'attribute':
      return [wanted.attribute];
    case 'identifiers':
      return wanted.oids;
  }
}

/** Keys whose algorithm signs in one way only are said as the signature scheme, too. */
function signatureOf({ algorithm }: KeyTemplate): readonly string[] {
  return algorithm === oids.rsaEncryption || algorithm === oids.ecPublicKey ? [] : [algorithm];
}

/** All extensions whose values are known, in the one attribute that there may be (RFC 9908, section 3.2). */
function knownExtensions(wanted: readonly Wanted[]): readonly Attribute[] {
  const known = wanted.flatMap((one) => (one.what === 'extension' ? [one.extension] : []));
  return known.length === 0 ? [] : [extensionRequest(known)];
}

function template(wanted: readonly Wanted[]): Attribute {
  return templateAttribute({
    subject: wanted.flatMap((one) => (one.what === 'subject' ? levels(one) : [])),
    key: wanted.find((one) => one.what === 'key')?.key,
    attributes: [
      ...wanted.flatMap((one) => (one.what === 'attribute' ? [one.attribute] : [])),
      ...requestedExtensions(wanted),
    ],
  });
}

function levels({ type, values }: Extract<Wanted, { what: 'subject' }>): readonly NameAttributeTemplate[] {
  return values.length === 0 ? [{ type, value: undefined }] : values.map((value) => ({ type, value }));
}

/** Blanks need the attribute that only templates have; it then says the known values, too (RFC 9908, section 3.4). */
function requestedExtensions(wanted: readonly Wanted[]): readonly Attribute[] {
  const all = wanted.filter((one) => one.what === 'extension' || one.what === 'openExtension');
  if (all.every(({ what }) => what === 'extension')) return knownExtensions(wanted);
  return [extensionRequestTemplate(all.map(({ extension }) => extension))];
}
