/** The description of EJBCA's web service `ejbcaws`, with the operations that the stand-in has. */

/** The namespace of everything that the service defines. Parameters and members have none. */
export const ejbcaNamespace = 'http://ws.protocol.core.ejbca.org/';

type Member = readonly [name: string, type: string, occurs?: 'optional' | 'list'];

/** Complex types with their members in EJBCA's order. */
export const complexTypes = {
  userMatch: [
    ['matchtype', 'int'],
    ['matchvalue', 'string', 'optional'],
    ['matchwith', 'int'],
  ],
  extendedInformationWS: [
    ['name', 'string', 'optional'],
    ['value', 'string', 'optional'],
  ],
  userDataVOWS: [
    ['username', 'string', 'optional'],
    ['password', 'string', 'optional'],
    ['clearPwd', 'boolean'],
    ['subjectDN', 'string', 'optional'],
    ['caName', 'string', 'optional'],
    ['subjectAltName', 'string', 'optional'],
    ['email', 'string', 'optional'],
    ['status', 'int'],
    ['tokenType', 'string', 'optional'],
    ['sendNotification', 'boolean'],
    ['keyRecoverable', 'boolean'],
    ['endEntityProfileName', 'string', 'optional'],
    ['certificateProfileName', 'string', 'optional'],
    ['hardTokenIssuerName', 'string', 'optional'],
    ['startTime', 'string', 'optional'],
    ['endTime', 'string', 'optional'],
    ['certificateSerialNumber', 'integer', 'optional'],
    ['extendedInformation', 'tns:extendedInformationWS', 'list'],
    ['cardNumber', 'string', 'optional'],
  ],
  nameAndId: [
    ['name', 'string', 'optional'],
    ['id', 'int'],
  ],
  certificate: [
    ['type', 'int'],
    ['certificateData', 'base64Binary', 'optional'],
  ],
  errorCode: [['internalErrorCode', 'string', 'optional']],
} as const satisfies Readonly<Record<string, readonly Member[]>>;

/** What a fault's detail holds beside its message. */
const faults = {
  AlreadyRevokedException: [],
  ApprovalException: [],
  AuthorizationDeniedException: [],
  CADoesntExistsException: [['errorCode', 'tns:errorCode', 'optional']],
  EjbcaException: [['errorCode', 'tns:errorCode', 'optional']],
  IllegalQueryException: [],
  NotFoundException: [],
  UserDoesntFullfillEndEntityProfile: [],
  WaitingForApprovalException: [
    ['approvalId', 'int'],
    ['requestId', 'int', 'optional'],
  ],
} as const satisfies Readonly<Record<string, readonly Member[]>>;

/** The faults that the service declares. */
export type FaultName = keyof typeof faults;

interface Operation {
  readonly parameters: readonly Member[];
  readonly result: readonly Member[];
  readonly faults: readonly FaultName[];
}

const operations = {
  getEjbcaVersion: { parameters: [], result: [['return', 'string', 'optional']], faults: [] },
  isAuthorized: {
    parameters: [['arg0', 'string', 'optional']],
    result: [['return', 'boolean']],
    faults: ['EjbcaException'],
  },
  findUser: {
    parameters: [['arg0', 'tns:userMatch', 'optional']],
    result: [['return', 'tns:userDataVOWS', 'list']],
    faults: ['AuthorizationDeniedException', 'EjbcaException', 'IllegalQueryException'],
  },
  editUser: {
    parameters: [['arg0', 'tns:userDataVOWS', 'optional']],
    result: [],
    faults: [
      'ApprovalException',
      'AuthorizationDeniedException',
      'CADoesntExistsException',
      'EjbcaException',
      'UserDoesntFullfillEndEntityProfile',
      'WaitingForApprovalException',
    ],
  },
  revokeUser: {
    parameters: [
      ['arg0', 'string', 'optional'],
      ['arg1', 'int'],
      ['arg2', 'boolean'],
    ],
    result: [],
    faults: [
      'AlreadyRevokedException',
      'ApprovalException',
      'AuthorizationDeniedException',
      'CADoesntExistsException',
      'EjbcaException',
      'NotFoundException',
      'WaitingForApprovalException',
    ],
  },
  getAuthorizedEndEntityProfiles: {
    parameters: [],
    result: [['return', 'tns:nameAndId', 'list']],
    faults: ['AuthorizationDeniedException', 'EjbcaException'],
  },
  getAvailableCertificateProfiles: {
    parameters: [['arg0', 'int']],
    result: [['return', 'tns:nameAndId', 'list']],
    faults: ['AuthorizationDeniedException', 'EjbcaException'],
  },
  getAvailableCAsInProfile: {
    parameters: [['arg0', 'int']],
    result: [['return', 'tns:nameAndId', 'list']],
    faults: ['AuthorizationDeniedException', 'EjbcaException'],
  },
  getAvailableCAs: {
    parameters: [],
    result: [['return', 'tns:nameAndId', 'list']],
    faults: ['AuthorizationDeniedException', 'EjbcaException'],
  },
  getLastCAChain: {
    parameters: [['arg0', 'string', 'optional']],
    result: [['return', 'tns:certificate', 'list']],
    faults: ['AuthorizationDeniedException', 'CADoesntExistsException', 'EjbcaException'],
  },
  getLatestCRL: {
    parameters: [
      ['arg0', 'string', 'optional'],
      ['arg1', 'boolean'],
    ],
    result: [['return', 'base64Binary', 'optional']],
    faults: ['CADoesntExistsException', 'EjbcaException'],
  },
  getLatestCRLPartition: {
    parameters: [
      ['arg0', 'string', 'optional'],
      ['arg1', 'boolean'],
      ['arg2', 'int'],
    ],
    result: [['return', 'base64Binary', 'optional']],
    faults: ['CADoesntExistsException', 'EjbcaException'],
  },
} as const satisfies Readonly<Record<string, Operation>>;

/** The operations of the stand-in. */
export type OperationName = keyof typeof operations;

/** Whether the service has an operation of this name. */
export function isOperation(name: string): name is OperationName {
  return Object.hasOwn(operations, name);
}

/** The parameters of an operation. */
export function parametersOf(name: OperationName): readonly Member[] {
  return operations[name].parameters;
}

/** The WSDL, for a service at this URL. */
export function wsdl(url: string): string {
  const names = Object.entries<Operation>(operations);
  return `<?xml version='1.0' encoding='UTF-8'?>
<wsdl:definitions xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
 xmlns:tns="${ejbcaNamespace}" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
 name="EjbcaWSService" targetNamespace="${ejbcaNamespace}">
<wsdl:types>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="unqualified" targetNamespace="${ejbcaNamespace}" version="1.0">
${names.map(([name]) => elements(name)).join('\n')}
${Object.keys(faults)
  .map((name) => `<xs:element name="${name}" type="tns:${name}"/>`)
  .join('\n')}
${names.map(([name, { parameters, result }]) => complexType(name, parameters) + complexType(`${name}Response`, result)).join('\n')}
${Object.entries<readonly Member[]>(complexTypes)
  .map(([name, members]) => complexType(name, members))
  .join('\n')}
${Object.entries<readonly Member[]>(faults)
  .map(([name, members]) => complexType(name, [...members, ['message', 'string', 'optional']]))
  .join('\n')}
</xs:schema>
</wsdl:types>
${names.map(([name]) => message(name, 'parameters') + message(`${name}Response`, 'parameters')).join('\n')}
${Object.keys(faults)
  .map((name) => message(name, name))
  .join('\n')}
<wsdl:portType name="EjbcaWS">
${names.map(([name, operation]) => abstractOperation(name, operation)).join('\n')}
</wsdl:portType>
<wsdl:binding name="EjbcaWSServiceSoapBinding" type="tns:EjbcaWS">
<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
${names.map(([name, operation]) => boundOperation(name, operation)).join('\n')}
</wsdl:binding>
<wsdl:service name="EjbcaWSService">
<wsdl:port binding="tns:EjbcaWSServiceSoapBinding" name="EjbcaWSPort"><soap:address location="${url}"/></wsdl:port>
</wsdl:service>
</wsdl:definitions>
`;
}

function elements(name: string): string {
  return [name, `${name}Response`].map((each) => `<xs:element name="${each}" type="tns:${each}"/>`).join('');
}

function complexType(name: string, members: readonly Member[]): string {
  return `<xs:complexType name="${name}"><xs:sequence>${members.map(element).join('')}</xs:sequence></xs:complexType>`;
}

function element([name, type, occurs]: Member): string {
  const qualified = type.includes(':') ? type : `xs:${type}`;
  const optional = occurs === undefined ? '' : ' minOccurs="0"';
  const list = occurs === 'list' ? ' maxOccurs="unbounded" nillable="true"' : '';
  return `<xs:element${optional}${list} name="${name}" type="${qualified}"/>`;
}

function message(name: string, part: string): string {
  return `<wsdl:message name="${name}"><wsdl:part element="tns:${name}" name="${part}"/></wsdl:message>`;
}

function abstractOperation(name: string, { faults: declared }: Operation): string {
  return [
    `<wsdl:operation name="${name}">`,
    `<wsdl:input message="tns:${name}" name="${name}"/>`,
    `<wsdl:output message="tns:${name}Response" name="${name}Response"/>`,
    ...declared.map((fault) => `<wsdl:fault message="tns:${fault}" name="${fault}"/>`),
    '</wsdl:operation>',
  ].join('');
}

function boundOperation(name: string, { faults: declared }: Operation): string {
  return [
    `<wsdl:operation name="${name}">`,
    `<soap:operation soapAction="${ejbcaNamespace}${name}" style="document"/>`,
    `<wsdl:input name="${name}"><soap:body use="literal"/></wsdl:input>`,
    `<wsdl:output name="${name}Response"><soap:body use="literal"/></wsdl:output>`,
    ...declared.map(
      (fault) => `<wsdl:fault name="${fault}"><soap:fault name="${fault}" use="literal"/></wsdl:fault>`,
    ),
    '</wsdl:operation>',
  ].join('');
}
