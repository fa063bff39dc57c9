/** SOAP 1.1, document/literal, as EJBCA's web service reads and writes it: one wrapper, members without namespace. */
import { DOMImplementation, DOMParser, XMLSerializer, type Element } from '@xmldom/xmldom';

/** What an element holds: a text, or members by name; several members of one name are a list. */
export type XmlContent =
  string | number | boolean | readonly XmlContent[] | { readonly [member: string]: XmlContent };

/** What the web service answers. */
export type SoapAnswer =
  | { readonly kind: 'results'; readonly results: readonly XmlContent[] }
  | {
      readonly kind: 'fault';
      /** The exception that EJBCA declares, such as `AuthorizationDeniedException`; empty: none. */
      readonly exception: string;
      readonly message: string;
      /** Of EJBCA's request for approval; undefined: none, or EJBCA does not say. */
      readonly approval: number | undefined;
    };

const soapNamespace = 'http://schemas.xmlsoap.org/soap/envelope/';
const ejbcaNamespace = 'http://ws.protocol.core.ejbca.org/';

/** Deeper than anything that EJBCA answers. */
const deepest = 8;

/** More octets than anything that EJBCA answers: long chains of large certificates, base64 of base64. */
const largest = 1_048_576;

/** A call with its arguments in order. Undefined: a text has a character that XML cannot hold, even escaped. */
export function writeEnvelope(operation: string, parameters: readonly XmlContent[]): string | undefined {
  const document = new DOMImplementation().createDocument(soapNamespace, 'soap:Envelope');

  function append(parent: Element, name: string, content: XmlContent): void {
    if (isList(content)) {
      for (const item of content) append(parent, name, item);
      return;
    }
    const element = document.createElement(name);
    parent.appendChild(element);
    if (typeof content !== 'object') element.textContent = String(content);
    else for (const [member, value] of Object.entries(content)) append(element, member, value);
  }

  const body = document.createElementNS(soapNamespace, 'soap:Body');
  const wrapper = document.createElementNS(ejbcaNamespace, `ejbca:${operation}`);
  document.documentElement?.appendChild(body).appendChild(wrapper);
  for (const [index, parameter] of parameters.entries()) append(wrapper, `arg${index}`, parameter);
  return serialized(document);
}

function serialized(document: Parameters<XMLSerializer['serializeToString']>[0]): string | undefined {
  try {
    // A reader takes a bare carriage return for the end of a line.
    return new XMLSerializer()
      .serializeToString(document, { requireWellFormed: true })
      .replaceAll('\r', '&#13;');
  } catch {
    return undefined;
  }
}

/** Undefined: it is no well-formed answer to this operation, has a document type declaration, or is larger than any. */
export function readEnvelope(xml: string, operation: string): SoapAnswer | undefined {
  const envelope = xml.length > largest ? undefined : parse(xml);
  if (!isNamed(envelope, soapNamespace, 'Envelope')) return undefined;
  const body = childrenOf(envelope).find((child) => isNamed(child, soapNamespace, 'Body'));
  const [content] = body === undefined ? [] : childrenOf(body);
  if (isNamed(content, soapNamespace, 'Fault')) return faultOf(content);
  if (!isNamed(content, ejbcaNamespace, `${operation}Response`)) return undefined;
  const results = childrenOf(content)
    .filter(({ localName }) => localName === 'return')
    .map((result) => contentOf(result, deepest));
  return results.every((result) => result !== undefined) ? { kind: 'results', results } : undefined;
}

function faultOf(fault: Element): SoapAnswer {
  const child = (name: string): Element | undefined =>
    childrenOf(fault).find(({ localName }) => localName === name);
  const detail = child('detail');
  const [exception] = detail === undefined ? [] : childrenOf(detail);
  const members = exception === undefined ? [] : childrenOf(exception);
  const requestId = members.find(({ localName }) => localName === 'requestId')?.textContent ?? '';
  return {
    kind: 'fault',
    exception: exception?.localName ?? '',
    message: child('faultstring')?.textContent ?? '',
    approval: /^\d{1,10}$/.test(requestId) ? Number(requestId) : undefined,
  };
}

/** Strict: whatever the parser could only mend is no XML. It knows no entities but XML's own five. */
function parse(xml: string): Element | undefined {
  const refuse = (): never => {
    throw new Error('It is no well-formed XML.');
  };
  try {
    const parser = new DOMParser({
      onError: refuse,
      // By itself it ends lines as XML 1.1 does.
      normalizeLineEndings: (text) => text.replaceAll(/\r\n?/g, '\n'),
    });
    const { doctype, documentElement } = parser.parseFromString(xml, 'text/xml');
    return doctype === null ? (documentElement ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: too deep. */
function contentOf(element: Element, levels: number): XmlContent | undefined {
  if (levels === 0) return undefined;
  const children = childrenOf(element);
  if (children.length === 0) return element.textContent ?? '';
  const members = new Map<string, XmlContent[]>();
  for (const child of children) {
    const name = child.localName ?? '';
    const content = contentOf(child, levels - 1);
    if (content === undefined) return undefined;
    const others = members.get(name);
    if (others === undefined) members.set(name, [content]);
    else others.push(content);
  }
  return Object.fromEntries(
    [...members].map(([name, contents]) => {
      const [first] = contents;
      return [name, first !== undefined && contents.length === 1 ? first : contents];
    }),
  );
}

function childrenOf(element: Element): readonly Element[] {
  return Array.from(element.childNodes).filter((node): node is Element => node.nodeType === 1);
}

function isNamed(element: Element | undefined, namespace: string, name: string): element is Element {
  return element?.namespaceURI === namespace && element.localName === name;
}

function isList(content: XmlContent): content is readonly XmlContent[] {
  return Array.isArray(content);
}
