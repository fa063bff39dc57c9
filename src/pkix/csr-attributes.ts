import {
  contextTag,
  DerError,
  expectTag,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readObjectIdentifier,
  readOctetString,
  tags,
  type DerNode,
} from './der.ts';
import {
  bitString,
  boolean,
  embed,
  implicit,
  integer,
  null_,
  objectIdentifier,
  octetString,
  sequence,
  set,
  setOf,
  toDer,
  type Asn1,
} from './der-write.ts';
import { extensionToAsn1 } from './extensions-write.ts';
import { readExtensions, type Extension } from './extensions.ts';
import { nameOfOid, oids } from './oids.ts';

/** An attribute with its values, each DER. */
export interface Attribute {
  /** Dotted object identifier. */
  readonly type: string;
  readonly values: readonly Buffer[];
}

/** AttrOrOID (RFC 8951, appendix A): a dotted object identifier alone, or an attribute. */
export type AttrOrOid = string | Attribute;

/** The kind of key that a CSR shall have. */
export interface KeyTemplate {
  /** Dotted object identifier of the algorithm, such as ecPublicKey. */
  readonly algorithm: string;
  /** Dotted object identifier of the curve; undefined for algorithms without parameters, or any curve. */
  readonly curve: string | undefined;
  /** Length of the modulus of an RSA key; undefined: any. */
  readonly modulusBits: number | undefined;
}

/** An attribute of the subject; without a value the client fills it in. The value is DER. */
export interface NameAttributeTemplate {
  readonly type: string;
  readonly value: Buffer | undefined;
}

/** An extension; without a value the client fills it in. */
export type ExtensionTemplate = Pick<Extension, 'oid' | 'critical'> & { readonly value: Buffer | undefined };

/** CertificationRequestInfoTemplate (RFC 9908, section 3.4): a CSR with blanks. */
export interface RequestTemplate {
  /** One attribute for each level; empty: nothing is demanded of the subject. */
  readonly subject: readonly NameAttributeTemplate[];
  readonly key: KeyTemplate | undefined;
  readonly attributes: readonly Attribute[];
}

/** The attributes whose values may be empty, which means any key of the kind (RFC 9908, section 3.2). */
const keyAlgorithms: ReadonlySet<string> = new Set([
  oids.rsaEncryption,
  oids.ecPublicKey,
  oids.Ed25519,
  oids.Ed448,
  oids.mlDsa44,
  oids.mlDsa65,
  oids.mlDsa87,
]);

/**
 * The DER of a CsrAttrs. Throws DerError for what `readCsrAttributes` would refuse, so that it is never sent.
 */
export function encodeCsrAttributes(elements: readonly AttrOrOid[]): Buffer {
  const der = toDer(
    sequence(
      ...elements.map((element) =>
        typeof element === 'string' ? objectIdentifier(element) : attributeToAsn1(element),
      ),
    ),
  );
  readCsrAttributes(der);
  return der;
}

function attributeToAsn1({ type, values }: Attribute): Asn1 {
  return sequence(objectIdentifier(type), setOf(...values.map(embed)));
}

/** Asks for a kind of key without a template: curve or modulus length, or no value for any. */
export function keyAttribute({ algorithm, curve, modulusBits }: KeyTemplate): Attribute {
  const values = [
    ...(curve === undefined ? [] : [objectIdentifier(curve)]),
    ...(modulusBits === undefined ? [] : [integer(modulusBits)]),
  ];
  return { type: algorithm, values: values.map(toDer) };
}

/** id-ExtensionReq: extensions whose values are all known (RFC 9908, section 3.2). */
export function extensionRequest(extensions: readonly Extension[]): Attribute {
  return { type: oids.extensionRequest, values: [toDer(sequence(...extensions.map(extensionToAsn1)))] };
}

/** id-aa-extensionReqTemplate: extensions with blanks, for templates alone (RFC 9908, section 3.4). */
export function extensionRequestTemplate(extensions: readonly ExtensionTemplate[]): Attribute {
  return {
    type: oids.extensionReqTemplate,
    values: [toDer(sequence(...extensions.map(extensionTemplateToAsn1)))],
  };
}

function extensionTemplateToAsn1({ oid, critical, value }: ExtensionTemplate): Asn1 {
  return sequence(
    objectIdentifier(oid),
    ...(critical ? [boolean(true)] : []),
    ...(value === undefined ? [] : [octetString(value)]),
  );
}

/** The attribute that carries a template beside the elements of RFC 7030. */
export function templateAttribute({ subject, key, attributes }: RequestTemplate): Attribute {
  const template = sequence(
    integer(0),
    ...(subject.length === 0 ? [] : [sequence(...subject.map(levelToAsn1))]),
    ...(key === undefined ? [] : [implicit(0, keyTemplateToAsn1(key))]),
    implicit(1, setOf(...attributes.map(attributeToAsn1))),
  );
  return { type: oids.certificationRequestInfoTemplate, values: [toDer(template)] };
}

function levelToAsn1({ type, value }: NameAttributeTemplate): Asn1 {
  return set(sequence(objectIdentifier(type), ...(value === undefined ? [] : [embed(value)])));
}

function keyTemplateToAsn1({ algorithm, curve, modulusBits }: KeyTemplate): Asn1 {
  const rsaParameters = algorithm === oids.rsaEncryption ? [null_()] : [];
  const parameters = curve === undefined ? rsaParameters : [objectIdentifier(curve)];
  return sequence(
    sequence(objectIdentifier(algorithm), ...parameters),
    ...(modulusBits === undefined ? [] : [bitString(toDer(placeholderKey(modulusBits)))]),
  );
}

/** A key that nobody uses; only its length speaks. */
function placeholderKey(modulusBits: number): Asn1 {
  return sequence(integer((1n << BigInt(modulusBits)) - 1n), integer(65537));
}

/** Decodes a CsrAttrs by the rules of RFC 8951, appendix A and RFC 9908, section 3.2. Throws DerError. */
export function readCsrAttributes(der: Buffer): readonly AttrOrOid[] {
  const elements = expectTag(readDer(der), tags.sequence, 'The CsrAttrs').children.map(readAttrOrOid);
  const types = elements.flatMap((element) => (typeof element === 'string' ? [] : [element.type]));
  for (const type of [oids.extensionRequest, oids.certificationRequestInfoTemplate])
    refuseSecond(type, types);
  if (types.filter((type) => keyAlgorithms.has(type)).length > 1) {
    throw new DerError('The CsrAttrs ask for more than one kind of key.');
  }
  return elements;
}

function readAttrOrOid(node: DerNode): AttrOrOid {
  return node.tag === tags.objectIdentifier ? readObjectIdentifier(node) : readAttribute(node);
}

function readAttribute(node: DerNode): Attribute {
  const [typeNode, valuesNode, ...rest] = expectTag(node, tags.sequence, 'An attribute').children;
  const { children } = expectTag(valuesNode, tags.set, 'The value of an attribute');
  if (typeNode === undefined || rest.length > 0) throw new DerError('An attribute is malformed.');
  const type = readObjectIdentifier(typeNode);
  if (children.length === 0 && !keyAlgorithms.has(type)) {
    throw new DerError(`The attribute ${nameOfOid(type)} has no value.`);
  }
  const values = children.map(({ bytes }) => bytes);
  checkValues[type]?.(onlyValue(type, children));
  return { type, values };
}

/** The attributes that have exactly one value, of a known type. */
const checkValues: Readonly<Record<string, ((value: DerNode) => unknown) | undefined>> = {
  [oids.extensionRequest]: readExtensions,
  [oids.extensionReqTemplate]: readExtensionTemplates,
  [oids.certificationRequestInfoTemplate]: readRequestTemplate,
};

function onlyValue(type: string, [value, ...rest]: readonly DerNode[]): DerNode {
  if (value === undefined || rest.length > 0) {
    throw new DerError(`The attribute ${nameOfOid(type)} does not have exactly one value.`);
  }
  return value;
}

function refuseSecond(type: string, types: readonly string[]): void {
  if (types.indexOf(type) !== types.lastIndexOf(type)) {
    throw new DerError(`The attribute ${nameOfOid(type)} is there twice.`);
  }
}

/** Decodes the value of a template's attribute. Throws DerError. */
export function readRequestTemplate(node: DerNode): RequestTemplate {
  const [version, ...fields] = expectTag(node, tags.sequence, 'The template').children;
  if (version === undefined || readInteger(version) !== 0n) {
    throw new DerError('The version of the template is not 0.');
  }
  const subject = fields[0]?.tag === tags.sequence ? fields.shift() : undefined;
  const key = fields[0]?.tag === contextTag(0, 'constructed') ? fields.shift() : undefined;
  const [attributesNode, ...rest] = fields;
  if (rest.length > 0) throw new DerError('The template has more parts than it can have.');
  const list = expectTag(attributesNode, contextTag(1, 'constructed'), 'The list of attributes');
  const attributes = list.children.map(readAttribute);
  const requests = attributes.filter(({ type }) => isExtensionRequest(type));
  if (requests.length > 1) throw new DerError('The template asks for extensions more than once.');
  return {
    subject: subject === undefined ? [] : subject.children.map(readLevel),
    key: key === undefined ? undefined : readKeyTemplate(key),
    attributes,
  };
}

function isExtensionRequest(type: string): boolean {
  return type === oids.extensionRequest || type === oids.extensionReqTemplate;
}

function readLevel(node: DerNode): NameAttributeTemplate {
  const [attribute, ...others] = expectTag(node, tags.set, 'A part of the subject').children;
  const [type, value, ...rest] = expectTag(attribute, tags.sequence, 'An attribute of the subject').children;
  if (type === undefined || rest.length > 0 || others.length > 0) {
    throw new DerError('A part of the subject is malformed, or has more than one attribute.');
  }
  return { type: readObjectIdentifier(type), value: value?.bytes };
}

function readKeyTemplate({ children }: DerNode): KeyTemplate {
  const [identifier, placeholder, ...rest] = children;
  const [algorithm, parameters, ...more] = expectTag(identifier, tags.sequence, 'The algorithm').children;
  if (algorithm === undefined || more.length > 0 || rest.length > 0) {
    throw new DerError('The kind of key in the template is malformed.');
  }
  return {
    algorithm: readObjectIdentifier(algorithm),
    curve: parameters?.tag === tags.objectIdentifier ? readObjectIdentifier(parameters) : undefined,
    modulusBits: placeholder === undefined ? undefined : readModulusBits(placeholder),
  };
}

function readModulusBits(placeholder: DerNode): number {
  const [modulus] = expectTag(readDer(readBitString(placeholder).octets), tags.sequence, 'The key').children;
  return readInteger(expectTag(modulus, tags.integer, 'The modulus')).toString(2).length;
}

/** Decodes the value of id-aa-extensionReqTemplate: at least one extension, none twice. Throws DerError. */
export function readExtensionTemplates(node: DerNode): readonly ExtensionTemplate[] {
  const { children } = expectTag(node, tags.sequence, 'The list of extensions');
  const extensions = children.map(readExtensionTemplate);
  if (extensions.length === 0) throw new DerError('The list of extensions is empty.');
  if (new Set(extensions.map(({ oid }) => oid)).size < extensions.length) {
    throw new DerError('The same extension is there twice.');
  }
  return extensions;
}

function readExtensionTemplate(node: DerNode): ExtensionTemplate {
  const [oid, ...fields] = expectTag(node, tags.sequence, 'An extension').children;
  const critical = fields[0]?.tag === tags.boolean ? fields.shift() : undefined;
  const [value, ...rest] = fields;
  if (oid === undefined || rest.length > 0 || (critical !== undefined && !readBoolean(critical))) {
    throw new DerError('An extension is malformed.');
  }
  return {
    oid: readObjectIdentifier(oid),
    critical: critical !== undefined,
    value: value === undefined ? undefined : readOctetString(value),
  };
}
