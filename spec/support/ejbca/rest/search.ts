/** `/v1/certificate/search` and `/v2/certificate`: finding certificates, and what profiles allow (section 1.2). */
import { createHash } from 'node:crypto';
import { readCertificate } from '../../../../src/pkix/certificate.ts';
import { searchCertificates, visibleCertificates, type Criterion } from '../model/certificate-search.ts';
import { revocationReasons, type Database, type IssuedCertificate } from '../model/database.ts';
import { refusals } from '../refusal.ts';
import { json, record, statusReply, type Call, type Reply, type Route } from './call.ts';

/** The routes. */
export const searchRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/certificate/search', handle: search },
  { method: 'GET', path: '/v2/certificate/status', handle: statusReply },
  { method: 'GET', path: '/v2/certificate/count', handle: count },
  { method: 'POST', path: '/v2/certificate/search', handle: searchV2 },
  { method: 'GET', path: '/v2/certificate/profile/{profile_name}', handle: profile },
];

/** EJBCA's maxima. */
const [mostOfV1, mostOfV2] = [400, 500];

function search(call: Call): Reply {
  const asked = Number(call.body['max_number_of_results'] ?? 0);
  if (asked <= 0) throw refusals.tooFewResults();
  if (asked >= 1000) throw refusals.tooManyResults();
  const most = Math.min(asked, mostOfV1);
  const found = matching(call).slice(0, most);
  return json(200, {
    certificates: found.map((certificate) => ({
      certificate: twice(certificate.der),
      serial_number: certificate.serialNumber,
      response_format: 'DER',
      certificate_profile: certificate.certificateProfile,
      end_entity_profile: certificate.endEntityProfile,
    })),
    more_results: found.length === most,
  });
}

/** Pages of a list whose length is not told: total_certs counts the page, and is absent when that is empty. */
function searchV2(call: Call): Reply {
  const { database } = call.ejbca;
  const pagination = record(call.body['pagination']);
  const [asked, currentPage] = [Number(pagination['page_size']), Number(pagination['current_page'])];
  if (!(asked > 0)) throw refusals.pageTooSmall();
  if (!(currentPage > 0)) throw refusals.currentPageTooSmall();
  const pageSize = Math.min(asked, mostOfV2);
  const first = pageSize * (currentPage - 1);
  const page = sorted(matching(call), call).slice(first, first + pageSize);
  return json(200, {
    certificates: page.map((certificate) => versionTwo(database, certificate)),
    pagination_summary: {
      page_size: asked,
      current_page: currentPage,
      ...(page.length > 0 && { total_certs: page.length }),
    },
  });
}

function matching(call: Call): readonly IssuedCertificate[] {
  const { criteria } = call.body;
  const list = Array.isArray(criteria) ? criteria.map((one) => record(one) as Partial<Criterion>) : [];
  return searchCertificates({ ejbca: call.ejbca, administrator: call.identify() }, list);
}

type Sorting = (certificate: IssuedCertificate) => string | number;

const sortings = new Map<string, Sorting>([
  ['USERNAME', ({ username }) => username],
  ['SUBJECT_DN', ({ subjectDn }) => subjectDn],
  ['ISSUED_DATE', ({ notBefore }) => notBefore.getTime()],
  ['EXPIRE_DATE', ({ notAfter }) => notAfter.getTime()],
  ['UPDATE_TIME', ({ updatedAt }) => updatedAt.getTime()],
]);

function sorted(certificates: readonly IssuedCertificate[], { body }: Call): readonly IssuedCertificate[] {
  if (body['sort'] === undefined) return certificates;
  const { property, operation } = record(body['sort']);
  const key = sortings.get(String(property));
  if (key === undefined) throw refusals.unknownSortProperty();
  if (operation !== 'ASC' && operation !== 'DESC') throw refusals.unknownSortOperation();
  const ascending = certificates.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
  return operation === 'ASC' ? ascending : ascending.toReversed();
}

function count(call: Call): Reply {
  const administrator = call.authenticate();
  if (!administrator.isAuthorized('/system_functionality/view_systemconfiguration')) {
    throw refusals.notForCounting(administrator.name);
  }
  const certificates = visibleCertificates(call.ejbca.database, administrator);
  const isActiveOnly = call.url.searchParams.get('isActive') === 'true';
  return json(200, {
    count: certificates.filter(({ revocation }) => !isActiveOnly || revocation === undefined).length,
  });
}

/** A row of EJBCA's table of certificates: member names in camel case, one of them misspelt. */
function versionTwo(database: Database, certificate: IssuedCertificate): object {
  const { der, revocation, certificationAuthority, certificateRequest } = certificate;
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
    serialNumber: certificate.serialNumber,
    status: revocation === undefined ? 20 : 40,
    subjectAltName: certificate.subjectAltName === '' ? null : certificate.subjectAltName,
    subjectDN: certificate.subjectDn,
    subjectKeyId: readCertificate(der).subjectKeyIdentifier?.toString('hex'),
    tag: null,
    type: 1,
    udpateTime: certificate.updatedAt.getTime(),
    invalidity_date: -1,
    username: certificate.username,
    base64Cert: twice(der),
    certificateRequest: certificateRequest.length === 0 ? null : certificateRequest.toString('base64'),
    crlPartitionIndex: certificate.crlPartition ?? null,
  };
}

function fingerprint(der: Buffer): string {
  return createHash('sha1').update(der).digest('hex');
}

/** Base64 in lines, as base64 once more. */
function twice(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return Buffer.from(lines.join('\n')).toString('base64');
}

function profile(call: Call): Reply {
  const caller = call.identify();
  const { profile_name: name = '' } = call.parameters;
  const { certificateProfiles } = call.ejbca.database;
  const found = certificateProfiles.get(name);
  if (found === undefined) throw refusals.unknownProfile();
  return json(200, {
    available_key_algs: found.keyAlgorithms,
    available_bit_lenghts: found.bitLengths,
    available_ecdsa_curves: found.curves,
    available_cas: found.certificationAuthorities?.filter((ca) => caller.isAuthorized(`/ca/${ca}`)) ?? [
      'ANY_CA',
    ],
  });
}
