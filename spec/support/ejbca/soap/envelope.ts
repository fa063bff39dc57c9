/** SOAP 1.1, document/literal, as the application server under EJBCA reads and writes it. */
import { DOMParser, type Element } from '@xmldom/xmldom';
import type { Reply } from '../rest/call.ts';
import {
  complexTypes,
  ejbcaNamespace,
  isOperation,
  parametersOf,
  type FaultName,
  type OperationName,
} from './wsdl.ts';

const envelopeNamespace = 'http://schemas.xmlsoap.org/soap/envelope/';

/** A fault of the service, or of the layer below it (`Client`). */
export class SoapFault extends Error {
  /** Undefined: the message could not be understood. */
  readonly exception: FaultName | undefined;
  readonly details: Readonly<Record<string, number>>;

  constructor(
    exception: FaultName | undefined,
    message: string,
    details: Readonly<Record<string, number>> = {},
  ) {
    super(message);
    this.exception = exception;
    this.details = details;
  }
}

/** A parameter: its text, or its members with all values of each. */
export interface SoapArgument {
  readonly text: string;
  readonly members: ReadonlyMap<string, readonly SoapArgument[]>;
}

/** What is called. */
export interface SoapCall {
  readonly operation: OperationName;
  /** By name: `arg0` and so on. */
  readonly arguments: ReadonlyMap<string, SoapArgument>;
}

/** The text of a member, or of the last one of its name; undefined: it is not there. */
export function memberText(argument: SoapArgument | undefined, name: string): string | undefined {
  return argument?.members.get(name)?.at(-1)?.text;
}

/** Reads a request. Throws SoapFault for what the application server could not unmarshal. */
export function readEnvelope(xml: string): SoapCall {
  const root = parse(xml);
  const body = childrenOf(root).find(({ localName }) => localName === 'Body');
  const [wrapper] = body === undefined ? [] : childrenOf(body);
  if (root.namespaceURI !== envelopeNamespace || wrapper === undefined) {
    throw new SoapFault(undefined, 'Error reading XMLStreamReader.');
  }
  const { localName, namespaceURI } = wrapper;
  if (namespaceURI !== ejbcaNamespace || localName === null || !isOperation(localName)) {
    throw new SoapFault(
      undefined,
      `Message part {${namespaceURI ?? ''}}${localName ?? ''} was not recognized.`,
    );
  }
  const parameters = new Map<string, string>(parametersOf(localName).map(([name, type]) => [name, type]));
  const given = childrenOf(wrapper).map((element): readonly [string, SoapArgument] => {
    requireLocal(element, [...parameters.keys()]);
    const name = element.localName ?? '';
    return [name, readArgument(element, parameters.get(name) ?? '')];
  });
  return { operation: localName, arguments: new Map(given) };
}

function readArgument(element: Element, type: string): SoapArgument {
  const typeName = type.replace('tns:', '');
  const known = Object.hasOwn(complexTypes, typeName)
    ? complexTypes[typeName as keyof typeof complexTypes]
    : [];
  const types = new Map<string, string>(known.map(([name, memberType]) => [name, memberType]));
  const members = new Map<string, SoapArgument[]>();
  for (const member of childrenOf(element)) {
    requireLocal(member, [...types.keys()]);
    const name = member.localName ?? '';
    members.set(name, [...(members.get(name) ?? []), readArgument(member, types.get(name) ?? '')]);
  }
  return { text: element.textContent ?? '', members };
}

/** Parameters and members stand in no namespace; JAXB takes any other for something that it does not know. */
function requireLocal({ namespaceURI, localName }: Element, names: readonly string[]): void {
  if ((namespaceURI ?? '') === '' && names.includes(localName ?? '')) return;
  const expected = names.map((name) => `<{}${name}>`).join(',');
  throw new SoapFault(
    undefined,
    `Unmarshalling Error: unexpected element (uri:"${namespaceURI ?? ''}", local:"${localName ?? ''}"). Expected elements are ${expected} `,
  );
}

function parse(xml: string): Element {
  const failure = new SoapFault(undefined, 'Error reading XMLStreamReader.');
  try {
    const parser = new DOMParser({
      onError: () => {
        throw failure;
      },
    });
    const { documentElement } = parser.parseFromString(xml, 'text/xml');
    if (documentElement !== null) return documentElement;
  } catch {
    throw failure;
  }
  throw failure;
}

function childrenOf(element: Element): readonly Element[] {
  return Array.from(element.childNodes).filter((node): node is Element => node.nodeType === 1);
}

/** A value of an answer: undefined members are left out, lists stand as often as they have members. */
export type SoapValue = string | number | boolean | SoapMembers | readonly SoapValue[] | undefined;

/** In the order of the type. */
export interface SoapMembers {
  readonly [name: string]: SoapValue;
}

/** The answer of an operation: each result as a text, or as the members of an object. */
export function resultReply(operation: OperationName, results: readonly SoapValue[]): Reply {
  const content = elementXml('return', results);
  const name = `ns2:${operation}Response`;
  const attribute = `xmlns:ns2="${ejbcaNamespace}"`;
  return envelope(
    200,
    content === '' ? `<${name} ${attribute}/>` : `<${name} ${attribute}>${content}</${name}>`,
  );
}

/** A fault: HTTP 500, the exception in its detail. */
export function faultReply({ exception, message, details }: SoapFault): Reply {
  const side = exception === undefined ? 'Client' : 'Server';
  const detail =
    exception === undefined
      ? ''
      : `<detail><ns1:${exception} xmlns:ns1="${ejbcaNamespace}">${errorCode(exception)}${membersXml(details)}</ns1:${exception}></detail>`;
  return envelope(
    500,
    `<soap:Fault><faultcode>soap:${side}</faultcode><faultstring>${escaped(message)}</faultstring>${detail}</soap:Fault>`,
  );
}

const errorCodes: Partial<Record<FaultName, string>> = {
  CADoesntExistsException: 'CA_NOT_EXISTS',
  EjbcaException: 'INTERNAL_ERROR',
};

function errorCode(exception: FaultName): string {
  const code = errorCodes[exception];
  return code === undefined ? '' : membersXml({ errorCode: { internalErrorCode: code } });
}

function envelope(status: number, body: string): Reply {
  return {
    status,
    contentType: 'text/xml;charset=UTF-8',
    body: `<soap:Envelope xmlns:soap="${envelopeNamespace}"><soap:Body>${body}</soap:Body></soap:Envelope>`,
  };
}

function membersXml(members: SoapMembers): string {
  return Object.entries(members)
    .map(([name, value]) => elementXml(name, value))
    .join('');
}

function elementXml(name: string, value: SoapValue): string {
  if (value === undefined) return '';
  if (isList(value)) return value.map((one) => elementXml(name, one)).join('');
  return `<${name}>${typeof value === 'object' ? membersXml(value) : escaped(String(value))}</${name}>`;
}

function isList(value: SoapValue): value is readonly SoapValue[] {
  return Array.isArray(value);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
