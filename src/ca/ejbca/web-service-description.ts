const namespace = 'http://ws.protocol.core.ejbca.org/';

type Members = Readonly<Record<string, string>>;

/** The members of EJBCA's types, with their types of XML Schema; `*` marks a list. */
const types: Readonly<Record<string, Members>> = {
  findUser: { arg0: 'tns:userMatch' },
  findUserResponse: { return: 'tns:userDataVOWS*' },
  editUser: { arg0: 'tns:userDataVOWS' },
  editUserResponse: {},
  isAuthorized: { arg0: 'xs:string' },
  isAuthorizedResponse: { return: 'xs:boolean' },
  userMatch: { matchtype: 'xs:int', matchvalue: 'xs:string', matchwith: 'xs:int' },
  extendedInformationWS: { name: 'xs:string', value: 'xs:string' },
  userDataVOWS: {
    caName: 'xs:string',
    cardNumber: 'xs:string',
    certificateProfileName: 'xs:string',
    // An integer of any size: the library would read a number and lose digits.
    certificateSerialNumber: 'xs:string',
    clearPwd: 'xs:boolean',
    email: 'xs:string',
    endEntityProfileName: 'xs:string',
    endTime: 'xs:string',
    extendedInformation: 'tns:extendedInformationWS*',
    keyRecoverable: 'xs:boolean',
    password: 'xs:string',
    sendNotification: 'xs:boolean',
    startTime: 'xs:string',
    status: 'xs:int',
    subjectAltName: 'xs:string',
    subjectDN: 'xs:string',
    tokenType: 'xs:string',
    username: 'xs:string',
  },
};

const operations = ['findUser', 'editUser', 'isAuthorized'];

/**
 * What the gateway uses of EJBCA's web service `ejbcaws`, as WSDL: the whole description is large, differs between
 * versions, and would have to be fetched before EJBCA can be asked anything.
 */
export const webServiceDescription = `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="${namespace}" targetNamespace="${namespace}">
  <wsdl:types>
    <xs:schema elementFormDefault="unqualified" targetNamespace="${namespace}">
${messages(elementOf)}
${Object.entries(types).map(complexType).join('\n')}
    </xs:schema>
  </wsdl:types>
${messages((name) => `<wsdl:message name="${name}"><wsdl:part element="tns:${name}" name="parameters"/></wsdl:message>`)}
  <wsdl:portType name="EjbcaWS">${operations.map(abstractOperation).join('')}</wsdl:portType>
  <wsdl:binding name="EjbcaWSBinding" type="tns:EjbcaWS">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    ${operations.map(boundOperation).join('')}
  </wsdl:binding>
  <wsdl:service name="EjbcaWSService">
    <wsdl:port binding="tns:EjbcaWSBinding" name="EjbcaWSPort"><soap:address location="urn:ejbcaws"/></wsdl:port>
  </wsdl:service>
</wsdl:definitions>`;

function messages(write: (name: string) => string): string {
  return operations.flatMap((name) => [write(name), write(`${name}Response`)]).join('\n');
}

function elementOf(name: string): string {
  return `<xs:element name="${name}" type="tns:${name}"/>`;
}

function complexType([name, members]: readonly [string, Members]): string {
  const elements = Object.entries(members).map(([member, type]) => {
    const list = type.endsWith('*') ? ' maxOccurs="unbounded"' : '';
    return `<xs:element minOccurs="0"${list} name="${member}" type="${type.replace('*', '')}"/>`;
  });
  return `<xs:complexType name="${name}"><xs:sequence>${elements.join('')}</xs:sequence></xs:complexType>`;
}

function abstractOperation(name: string): string {
  return `<wsdl:operation name="${name}"><wsdl:input message="tns:${name}"/><wsdl:output message="tns:${name}Response"/></wsdl:operation>`;
}

function boundOperation(name: string): string {
  const body = '<soap:body use="literal"/>';
  return `<wsdl:operation name="${name}"><soap:operation soapAction=""/><wsdl:input>${body}</wsdl:input><wsdl:output>${body}</wsdl:output></wsdl:operation>`;
}
