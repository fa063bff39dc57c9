/** `/v1/certificate`: enrolment (sections 1.1 and 1.2). */
import { readRequest } from '../certification-request.ts';
import type { EndEntity, IssuedCertificate } from '../database.ts';
import { normalizedDn } from '../distinguished-name.ts';
import {
  authenticateEndEntity,
  checkEndEntity,
  issueTo,
  requireCa,
  requireCertificateProfile,
  type RequestedValidity,
} from '../enrollment.ts';
import type { Ejbca } from '../ejbca.ts';
import { Refusal, refusals } from '../refusal.ts';
import { isAtLeast } from '../version.ts';
import { json, statusReply, text, type Call, type Reply, type Route } from './call.ts';
import { certsOnlyPem } from './pkcs7.ts';

/** The routes. */
export const certificateRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/certificate/status', handle: statusReply },
  { method: 'POST', path: '/v1/certificate/pkcs10enroll', handle: enrollPkcs10 },
  { method: 'POST', path: '/v1/certificate/certificaterequest', handle: requestCertificate },
];

/** Its resource turns every refusal but 403 into 400. */
async function enrollPkcs10(call: Call): Promise<Reply> {
  try {
    return await registerAndIssue(call);
  } catch (error) {
    if (!(error instanceof Refusal) || error.status === 403) throw error;
    throw new Refusal(400, error.message);
  }
}

/** The end entity is added, or changed when its name exists, and gets its certificate at once. */
async function registerAndIssue(call: Call): Promise<Reply> {
  const { ejbca } = call;
  const administrator = call.authenticate();
  const responseFormat = responseFormatOf(call);
  const ca = requireCa(ejbca, administrator, text(call, 'certificate_authority_name'));
  const profile = requireCertificateProfile(ejbca, text(call, 'certificate_profile_name'));
  const request = await readRequest(text(call, 'certificate_request'));
  if (request === undefined) throw refusals.invalidCertificateRequest();
  const override = isAtLeast(ejbca.release, '9') ? text(call, 'subject_dn') : '';
  const endEntity: EndEntity = {
    username: text(call, 'username'),
    password: text(call, 'password'),
    subjectDn: override === '' ? request.subjectDn : normalizedDn(override),
    subjectAltName: request.subjectAltName,
    email: text(call, 'email'),
    status: 'NEW',
    token: 'USERGENERATED',
    certificationAuthority: ca.name,
    certificateProfile: profile.name,
    endEntityProfile: text(call, 'end_entity_profile_name'),
    accountBindingId: text(call, 'account_binding_id') || undefined,
  };
  if (ca.requiresApproval || profile.requiresApproval) throw refusals.approvalsEnabled(ca.id, profile.id);
  checkEndEntity(ejbca, administrator, endEntity);
  administrator.require('/ca_functionality/create_certificate');
  const issued = await issueTo(ejbca, endEntity, request, validityOf(call));
  return enrollmentReply(call, issued, responseFormat);
}

type ResponseFormat = 'DER' | 'PKCS7';

/** Older versions know DER only, and do not look. */
function responseFormatOf(call: Call): ResponseFormat {
  const format = text(call, 'response_format').toUpperCase() || 'DER';
  if (!isAtLeast(call.ejbca.release, '8.3')) return 'DER';
  if (format !== 'DER' && format !== 'PKCS7') throw refusals.wrongResponseFormat();
  return format;
}

/** From 9.3.3 on, in this one format and UTC; what has another is ignored. */
function validityOf(call: Call): RequestedValidity {
  const date = (member: string): Date | undefined => {
    const [, day, time] = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)$/.exec(text(call, member)) ?? [];
    return day === undefined || time === undefined ? undefined : new Date(`${day}T${time}Z`);
  };
  if (!isAtLeast(call.ejbca.release, '9.3.3')) return { notBefore: undefined, notAfter: undefined };
  return { notBefore: date('start_time'), notAfter: date('end_time') };
}

/** For an end entity that is registered already; the CSR gives nothing but its key. */
async function requestCertificate(call: Call): Promise<Reply> {
  const { ejbca } = call;
  const administrator = call.authenticate();
  const request = await readRequest(text(call, 'certificate_request'));
  if (request === undefined) throw refusals.malformedCsr();
  const endEntity = authenticateEndEntity(ejbca, text(call, 'username'), text(call, 'password'));
  if (endEntity.token !== 'USERGENERATED') throw refusals.wrongTokenType();
  administrator.require('/ca_functionality/create_certificate');
  requireCa(ejbca, administrator, endEntity.certificationAuthority);
  const issued = await issueTo(ejbca, endEntity, request).catch((error: unknown) => {
    throw asCertificateRequestRefusal(error);
  });
  return enrollmentReply(call, issued, 'DER');
}

/** Of what goes wrong while issuing it tells conflicts only; the CA's own state keeps its 503. */
function asCertificateRequestRefusal(error: unknown): unknown {
  if (!(error instanceof Refusal) || error.status >= 500) return error;
  const isConflict = error.message.includes('is not allowed to use same');
  return isConflict ? refusals.conflict() : refusals.couldNotBeGenerated();
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
