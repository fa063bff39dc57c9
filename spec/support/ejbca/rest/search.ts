/** `/v1/certificate/search` and `/v2/certificate`: finding certificates, and what profiles allow (section 1.2). */
import { createHash } from 'node:crypto';
import { readCertificate } from '../../../../src/pkix/certificate.ts';
import type { Administrator } from '../administrator.ts';
import { revocationReasons, type Database, type IssuedCertificate } from '../database.ts';
import { refusals } from '../refusal.ts';
import { json, statusReply, type Call, type Reply, type Route } from './call.ts';

/** The routes. */
export const searchRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/certificate/search', handle: search },
  { method: 'GET', path: '/v2/certificate/status', handle: statusReply },
  { method: 'GET', path: '/v2/certificate/count', handle: count },
  { method: 'POST', path: '/v2/certificate/search', handle: searchV2 },
  { method: 'GET', path: '/v2/certificate/profile/{profile_name}', handle: profile },
];

type Matches = (certificate: IssuedCertificate) => boolean;

function search(call: Call): Reply {
  const found = matching(call);
  const most = Number(call.body['max_number_of_results'] ?? 0);
  return json(200, {
    certificates: found.slice(0, most).map((certificate) => ({
      certificate: certificate.der.toString('base64'),
      serial_number: certificate.serialNumber,
      response_format: 'DER',
      certificate_profile: certificate.certificateProfile,
      end_entity_profile: certificate.endEntityProfile,
    })),
    more_results: found.length > most,
  });
}

function searchV2(call: Call): Reply {
  const { database } = call.ejbca;
  const found = matching(call);
  const pagination = record(call.body['pagination']);
  const [pageSize, currentPage] = [Number(pagination['page_size']), Number(pagination['current_page'])];
  const first = pageSize * (currentPage - 1);
  return json(200, {
    certificates: found
      .slice(first, first + pageSize)
      .map((certificate) => versionTwo(database, certificate)),
    pagination_summary: { page_size: pageSize, current_page: currentPage, total_certs: found.length },
  });
}

function count(call: Call): Reply {
  const certificates = visible(call.ejbca.database, viewer(call));
  const isActiveOnly = call.url.searchParams.get('isActive') === 'true';
  return json(200, {
    count: certificates.filter(({ revocation }) => !isActiveOnly || revocation === undefined).length,
  });
}

function viewer(call: Call): Administrator {
  const administrator = call.authenticate();
  administrator.require('/ca_functionality/view_certificate');
  return administrator;
}

/** What EJBCA finds is limited to the CAs and profiles of the caller's role, without a word about the rest. */
function visible({ certificates }: Database, administrator: Administrator): readonly IssuedCertificate[] {
  return certificates.filter(
    ({ certificationAuthority, endEntityProfile }) =>
      administrator.isAuthorized(`/ca/${certificationAuthority}`) &&
      administrator.isAuthorized(`/endentityprofilesrules/${endEntityProfile}/view_end_entity`),
  );
}

/** Newest first. */
function matching(call: Call): readonly IssuedCertificate[] {
  const administrator = viewer(call);
  const { criteria } = call.body;
  if (!Array.isArray(criteria) || criteria.length === 0) throw refusals.emptyCriteria();
  const alternatives = Map.groupBy(criteria.map(record), ({ property }) => String(property));
  const tests = [...alternatives].map(([property, group]) => {
    const each = group.map((criterion) => criterionTest(property, criterion));
    // Dates narrow each other down; any other property takes one of its values.
    return property.endsWith('_DATE') ? all(each) : any(each);
  });
  return visible(call.ejbca.database, administrator).filter(all(tests)).toReversed();
}

const all =
  (tests: readonly Matches[]): Matches =>
  (certificate) =>
    tests.every((matches) => matches(certificate));
const any =
  (tests: readonly Matches[]): Matches =>
  (certificate) =>
    tests.some((matches) => matches(certificate));

function criterionTest(property: string, { value, operation }: Readonly<Record<string, unknown>>): Matches {
  if (typeof value !== 'string' || value === '') throw refusals.emptyCriteria();
  switch (property) {
    case 'QUERY':
      return queryTest(value, operation);
    case 'END_ENTITY_PROFILE':
      return ({ endEntityProfile }) => endEntityProfile === value;
    case 'CERTIFICATE_PROFILE':
      return ({ certificateProfile }) => certificateProfile === value;
    case 'CA':
      return ({ certificationAuthority }) => certificationAuthority === value;
    case 'EXTERNAL_ACCOUNT_BINDING_ID':
      return ({ accountBindingId }) => accountBindingId === value;
    case 'STATUS':
      return ({ revocation }) =>
        value === 'CERT_ACTIVE'
          ? revocation === undefined
          : revocation !== undefined &&
            (value === 'CERT_REVOKED' || value === `REVOCATION_REASON_${revocation.reason}`);
    case 'ISSUED_DATE':
      return dateTest(({ issuedAt }) => issuedAt, value, operation);
    case 'EXPIRE_DATE':
      return dateTest(({ notAfter }) => notAfter, value, operation);
    case 'REVOCATION_DATE':
      return dateTest(({ revocation }) => revocation?.at, value, operation);
    default:
      throw refusals.unknownCriterion(property);
  }
}

/** Looks at subject, alternative names, user name, serial number and account binding at once. */
function queryTest(value: string, operation: unknown): Matches {
  if (operation !== 'EQUAL' && operation !== 'LIKE') {
    throw refusals.unknownCriterionOperation(String(operation));
  }
  return (certificate) => {
    const { subjectDn, subjectAltName, username, serialNumber, accountBindingId = '' } = certificate;
    if (isSerialNumber(value, serialNumber)) return true;
    const texts = [subjectDn, subjectAltName, username, accountBindingId];
    return texts.some((text) => (operation === 'EQUAL' ? text === value : text.includes(value)));
  };
}

/** In decimal or in hex. */
function isSerialNumber(text: string, serialNumber: string): boolean {
  const value = BigInt(`0x${serialNumber}`);
  return (
    (/^[0-9]+$/.test(text) && BigInt(text) === value) ||
    (/^[0-9a-fA-F]+$/.test(text) && BigInt(`0x${text}`) === value)
  );
}

function dateTest(
  dateOf: (certificate: IssuedCertificate) => Date | undefined,
  value: string,
  operation: unknown,
): Matches {
  const limit = new Date(value);
  if (operation !== 'BEFORE' && operation !== 'AFTER') {
    throw refusals.unknownCriterionOperation(String(operation));
  }
  return (certificate) => {
    const date = dateOf(certificate);
    return date !== undefined && (operation === 'BEFORE' ? date < limit : date > limit);
  };
}

/** A row of EJBCA's table of certificates: member names in camel case, one of them misspelt. */
function versionTwo(database: Database, certificate: IssuedCertificate): object {
  const { der, revocation, certificationAuthority } = certificate;
  const ca = database.certificationAuthorities.get(certificationAuthority);
  return {
    fingerprint: fingerprint(der),
    cAFingerprint: ca === undefined ? undefined : fingerprint(ca.authority.certificate),
    certificateProfileId: database.certificateProfiles.get(certificate.certificateProfile)?.id,
    endEntityProfileId: database.endEntityProfiles.get(certificate.endEntityProfile)?.id,
    certificateProfile: certificate.certificateProfile,
    endEntityProfile: certificate.endEntityProfile,
    expireDate: certificate.notAfter.getTime(),
    issuerDN: certificate.issuerDn,
    notBefore: certificate.notBefore.getTime(),
    revocationDate: revocation?.at.getTime() ?? -1,
    revocationReason: revocationReasons[revocation?.reason ?? 'NOT_REVOKED'],
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    status: revocation === undefined ? 20 : 40,
    subjectAltName: certificate.subjectAltName === '' ? null : certificate.subjectAltName,
    subjectDN: certificate.subjectDn,
    subjectKeyId: readCertificate(der).subjectKeyIdentifier?.toString('base64'),
    tag: null,
    type: 1,
    udpateTime: certificate.issuedAt.getTime(),
    username: certificate.username,
    base64Cert: twice(der),
    certificateRequest: null,
    crlPartitionIndex: 0,
  };
}

function fingerprint(der: Buffer): string {
  return createHash('sha1').update(der).digest('hex');
}

function twice(der: Buffer): string {
  return Buffer.from(der.toString('base64')).toString('base64');
}

function profile(call: Call): Reply {
  call.authenticate();
  const { profile_name: name = '' } = call.parameters;
  const { certificateProfiles, certificationAuthorities } = call.ejbca.database;
  const found = certificateProfiles.get(name);
  if (found === undefined) throw refusals.unknownProfilePath(name);
  return json(200, {
    available_key_algs: found.keyAlgorithms,
    available_bit_lenghts: found.bitLengths,
    available_ecdsa_curves: found.curves,
    available_cas: found.certificationAuthorities ?? [...certificationAuthorities.keys()],
  });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
