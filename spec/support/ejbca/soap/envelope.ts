/** SOAP 1.1, document/literal, as the application server under EJBCA reads and writes it. */
import { DOMParser, type Element } from '@xmldom/xmldom';
import type { Reply } from '../rest/call.ts';
import { complexTypes, ejbcaNamespace, isOperation, type FaultName, type OperationName } from './wsdl.ts';

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

/** What is called. */
export interface SoapCall {
  readonly operation: OperationName;
  /** The parameter, when it is a text. */
  readonly text: string;
  /** The members of the parameter, when it has any. Lists keep their last value. */
  readonly members: ReadonlyMap<string, string>;
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
  const [argument] = childrenOf(wrapper);
  if (argument === undefined) return { operation: localName, text: '', members: new Map() };
  requireLocal(argument, ['arg0']);
  return {
    operation: localName,
    text: argument.textContent ?? '',
    members: new Map(
      childrenOf(argument).map((member) => {
        requireLocal(member, memberNames(localName));
        return [member.localName ?? '', member.textContent ?? ''];
      }),
    ),
  };
}

function memberNames(operation: OperationName): readonly string[] {
  switch (operation) {
    case 'findUser':
      return complexTypes.userMatch.map(([name]) => name);
    case 'editUser':
      return complexTypes.userDataVOWS.map(([name]) => name);
    case 'getEjbcaVersion':
    case 'isAuthorized':
      return [];
  }
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

/** The answer of an operation: each result as a text, or as the members of an object. */
export function resultReply(
  operation: OperationName,
  results: readonly (string | Readonly<Record<string, string | number | boolean | undefined>>)[],
): Reply {
  const content = results
    .map((result) => `<return>${typeof result === 'string' ? escaped(result) : membersXml(result)}</return>`)
    .join('');
  return envelope(
    200,
    `<ns2:${operation}Response xmlns:ns2="${ejbcaNamespace}">${content}</ns2:${operation}Response>`,
  );
}

/** A fault: HTTP 500, the exception in its detail. */
export function faultReply({ exception, message, details }: SoapFault): Reply {
  const side = exception === undefined ? 'Client' : 'Server';
  const detail =
    exception === undefined
      ? ''
      : `<detail><ns1:${exception} xmlns:ns1="${ejbcaNamespace}">${membersXml({ ...details, message })}</ns1:${exception}></detail>`;
  return envelope(
    500,
    `<soap:Fault><faultcode>soap:${side}</faultcode><faultstring>${escaped(message)}</faultstring>${detail}</soap:Fault>`,
  );
}

function envelope(status: number, body: string): Reply {
  return {
    status,
    contentType: 'text/xml;charset=UTF-8',
    body: `<soap:Envelope xmlns:soap="${envelopeNamespace}"><soap:Body>${body}</soap:Body></soap:Envelope>`,
  };
}

function membersXml(members: Readonly<Record<string, string | number | boolean | undefined>>): string {
  return Object.entries(members)
    .map(([name, value]) => (value === undefined ? '' : `<${name}>${escaped(String(value))}</${name}>`))
    .join('');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
