/** `/v1/certificate`: enrolment (sections 1.1 and 1.2). */
import { readRequest } from '../certification-request.ts';
import { normalizedDn } from '../distinguished-name.ts';
import type { IssuedCertificate } from '../model/database.ts';
import { certificateRequest, pkcs10Enroll, type RequestedValidity } from '../model/enrollment.ts';
import {
  requireUsableCa,
  requireCertificateProfile,
  requireEndEntityProfile,
  usernameFrom,
  type Registration,
} from '../model/registration.ts';
import type { Ejbca } from '../ejbca.ts';
import { Refusal, refusals } from '../refusal.ts';
import { isAtLeast, since } from '../version.ts';
import { json, operationOf, statusReply, text, type Call, type Reply, type Route } from './call.ts';
import { certsOnlyPem } from './pkcs7.ts';

/** The routes. */
export const certificateRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/certificate/status', handle: statusReply },
  { method: 'POST', path: '/v1/certificate/pkcs10enroll', handle: enrollPkcs10 },
  { method: 'POST', path: '/v1/certificate/certificaterequest', handle: requestCertificate },
];

/** Its resource turns every refusal but 403 and 500 into 400. */
async function enrollPkcs10(call: Call): Promise<Reply> {
  try {
    return await registerAndIssue(call);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status === 403 || error.status === 500) throw error;
    throw new Refusal(400, error.message);
  }
}

/** The end entity is added, or changed when its name exists, and gets its certificate at once. */
async function registerAndIssue(call: Call): Promise<Reply> {
  const operation = operationOf(call);
  const { ejbca, administrator } = operation;
  const responseFormat = responseFormatOf(call);
  const ca = requireUsableCa(ejbca, administrator, text(call, 'certificate_authority_name'));
  const profile = requireCertificateProfile(ejbca, text(call, 'certificate_profile_name'));
  const { name: endEntityProfile, makesPasswords } = requireEndEntityProfile(
    ejbca,
    text(call, 'end_entity_profile_name'),
  );
  const request = await readRequest(text(call, 'certificate_request'));
  if (request === undefined) throw refusals.invalidCertificateRequest();
  const override = isAtLeast(ejbca.release, since.subjectOverride) ? text(call, 'subject_dn') : '';
  const registration: Registration = {
    username: usernameFrom(text(call, 'username')),
    password: makesPasswords ? undefined : text(call, 'password') || 'random',
    subjectDn: override === '' ? request.subjectDn : normalizedDn(override),
    subjectAltName: request.subjectAltName,
    isMultiValued: request.isMultiValued,
    email: text(call, 'email'),
    status: 'NEW',
    token: 'USERGENERATED',
    certificationAuthority: ca.name,
    certificateProfile: profile.name,
    endEntityProfile,
    accountBindingId: text(call, 'account_binding_id') || undefined,
    extendedInformation: [{ name: 'subjectdirattributes', value: '' }],
    cardNumber: '',
  };
  const issued = await pkcs10Enroll(operation, registration, request, validityOf(call));
  return enrollmentReply(call, issued, responseFormat);
}

type ResponseFormat = 'DER' | 'PKCS7';

/** Older versions know DER only, and do not look. */
function responseFormatOf(call: Call): ResponseFormat {
  const format = text(call, 'response_format').toUpperCase() || 'DER';
  if (!isAtLeast(call.ejbca.release, since.responseFormat)) return 'DER';
  if (format !== 'DER' && format !== 'PKCS7') throw refusals.wrongResponseFormat();
  return format;
}

/** In this one format and UTC; what has another is ignored. */
function validityOf(call: Call): RequestedValidity {
  const date = (member: string): Date | undefined => {
    const [, day, time] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)$/.exec(text(call, member)) ?? [];
    return day === undefined || time === undefined ? undefined : new Date(`${day}T${time}Z`);
  };
  if (!isAtLeast(call.ejbca.release, since.validityOverride)) {
    return { notBefore: undefined, notAfter: undefined };
  }
  return { notBefore: date('start_time'), notAfter: date('end_time') };
}

/** For an end entity that is registered already; the CSR gives nothing but its key. */
async function requestCertificate(call: Call): Promise<Reply> {
  const operation = operationOf(call);
  const request = await readRequest(text(call, 'certificate_request'));
  if (request === undefined) throw refusals.malformedCsr();
  const credentials = { username: text(call, 'username'), password: text(call, 'password') };
  try {
    return enrollmentReply(call, await certificateRequest(operation, credentials, request), 'DER');
  } catch (error) {
    return certificateRequestFailure(error, call.url);
  }
}

/** Its resource has words of its own for some of what pkcs10enroll tells as it is. */
function certificateRequestFailure(error: unknown, url: URL): Reply {
  if (!(error instanceof Refusal)) throw error;
  switch (error.kind) {
    case 'conflict':
      throw refusals.conflict();
    case 'key':
      throw refusals.unfitKey();
    case 'proof':
      throw refusals.general();
    case 'token':
      throw refusals.deviceUnavailable();
    case 'not active':
      return stackTrace(url);
    case 'approval':
    case 'authorization':
    case 'exists':
    case 'profile':
    case undefined:
      throw error;
  }
}

/** EJBCA's own handler of exceptions fails, and the application server shows where. */
function stackTrace(url: URL): Reply {
  const path = url.pathname.slice(url.pathname.indexOf('/v1/'));
  const trace = Array.from(
    { length: 120 },
    (_, line) => `at org.ejbca.Stack.line${line}(Stack.java:${line})`,
  );
  const body = `<html><head><title>ERROR</title><style>
body { font-family: sans-serif; }
</style></head><body><h1>Error processing request</h1>
<p>Context Path:</p><p>/ejbca/ejbca-rest-api</p><p>Servlet Path:</p><p></p><p>Path Info:</p><p>${path}</p>
<p>Query String:</p><p>null</p><p>Stack Trace:</p><pre>java.lang.NullPointerException
${trace.join('\n')}</pre></body></html>`;
  return { status: 500, contentType: 'text/html;charset=UTF-8', body };
}

/** DER is base64 of it; PKCS7 is base64 of PEM, and the chain is one such, too. */
function enrollmentReply(call: Call, issued: IssuedCertificate, responseFormat: ResponseFormat): Reply {
  const chain =
    call.body['include_chain'] === true
      ? chainOf(call.ejbca, text(call, 'certificate_authority_name'))
      : undefined;
  if (responseFormat === 'PKCS7') {
    return json(201, {
      certificate: base64(certsOnlyPem([issued.der])),
      serial_number: issued.serialNumber,
      response_format: responseFormat,
      ...(chain && { certificate_chain: [base64(certsOnlyPem(chain))] }),
    });
  }
  return json(201, {
    certificate: issued.der.toString('base64'),
    serial_number: issued.serialNumber,
    response_format: responseFormat,
    ...(chain && { certificate_chain: chain.map((der) => der.toString('base64')) }),
  });
}

/** The chain of the CA that the request names: from the issuing CA to the root, without the leaf. */
function chainOf({ database }: Ejbca, name: string): readonly Buffer[] {
  const ca = database.certificationAuthorities.get(name);
  if (ca === undefined) throw refusals.unknownCertificationAuthority(name);
  return ca.chain;
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
