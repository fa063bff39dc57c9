/** `/v1/ca`: CAs, their chains and CRLs (section 1.2). */
import { certificateToPem, readCertificate } from '../../../../src/pkix/certificate.ts';
import { nameToString } from '../../../../src/pkix/names.ts';
import { certificationAuthorityId, normalizedDn } from '../distinguished-name.ts';
import { certificationAuthorityByDn } from '../ejbca.ts';
import { checkActive } from '../model/enrollment.ts';
import type { CertificationAuthority } from '../model/database.ts';
import { publishCrl } from '../model/revocation-list.ts';
import { refusals } from '../refusal.ts';
import { since as versions } from '../version.ts';
import { json, statusReply, type Call, type Reply, type Route } from './call.ts';

const since = versions.certificationAuthorities;

/** The routes. */
export const certificationAuthorityRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/ca/status', since, handle: statusReply },
  { method: 'GET', path: '/v1/ca', since, handle: list },
  { method: 'GET', path: '/v1/ca/{subject_dn}/certificate/download', since, handle: downloadChain },
  { method: 'GET', path: '/v1/ca/{issuer_dn}/getLatestCrl', since, handle: latestCrl },
  { method: 'POST', path: '/v1/ca/{issuer_dn}/createcrl', since, handle: createCrl },
];

/** Those that the caller may use and that are active; external ones never are. */
function list(call: Call): Reply {
  const administrator = call.authenticate();
  const all = [...call.ejbca.database.certificationAuthorities.values()];
  return json(200, {
    certificate_authorities: all
      .filter(({ status }) => status === 'active' || status === 'token offline')
      .filter(({ name }) => administrator.isAuthorized(`/ca/${name}`))
      .map(({ id, name, dn, authority, issuerDn }) => ({
        id,
        name,
        subject_dn: dn,
        issuer_dn: issuerDn,
        expiration_date: authority.notAfter.toISOString().replace(/\.\d+Z$/, 'Z'),
      })),
  });
}

/** By the DN alone, of every CA that the role may use, external and off-line ones as well. */
function downloadChain(call: Call): Reply {
  const administrator = call.authenticate();
  const { subject_dn: dn = '' } = call.parameters;
  if (!dn.includes('=')) throw refusals.general();
  const ca = certificationAuthorityByDn(call.ejbca, normalizedDn(dn));
  const id = ca?.id ?? certificationAuthorityId(normalizedDn(dn));
  const isAllowed = administrator.isAuthorized(ca === undefined ? '/ca' : `/ca/${ca.name}`);
  if (!isAllowed) throw refusals.notAuthorized(`/ca/${id}`);
  if (ca === undefined) throw refusals.unknownCaId(id);
  return {
    status: 200,
    contentType: 'application/json',
    headers: { 'Content-Disposition': `attachment; filename="${ca.dn}.cacert.pem"` },
    body: ca.chain.map(withNames).join(''),
  };
}

/** Lines for people before each PEM. */
function withNames(der: Buffer): string {
  const { subject, issuer } = readCertificate(der);
  return `Subject: ${nameToString(subject)}\nIssuer: ${nameToString(issuer)}\n${certificateToPem(der)}`;
}

/** Of one partition, 0 unless another is named; null where there is none. Needs no right to the CA. */
function latestCrl(call: Call): Reply {
  call.identify();
  const dn = normalizedDn(call.parameters['issuer_dn'] ?? '');
  const partition = Number(call.url.searchParams.get('crlPartitionIndex') ?? '0');
  const isDelta = call.url.searchParams.get('deltaCrl') === 'true';
  const crl = isDelta ? undefined : certificationAuthorityByDn(call.ejbca, dn)?.crls.get(partition);
  return json(200, { crl: crl === undefined ? null : crl.der.toString('base64'), response_format: 'DER' });
}

/** New ones of all partitions. */
async function createCrl(call: Call): Promise<Reply> {
  const administrator = call.authenticate();
  administrator.require('/ca_functionality/create_crl');
  const ca = named(call, 'issuer_dn');
  checkActive(ca);
  await publishCrl(call.ejbca.database, ca);
  return json(200, {
    issuer_dn: ca.dn,
    latest_crl_version: ca.crls.get(0)?.number,
    latest_delta_crl_version: 0,
    all_success: true,
  });
}

/** The CA of a DN in the path; its name does not do. */
function named({ ejbca, parameters }: Call, parameter: string): CertificationAuthority {
  const dn = parameters[parameter] ?? '';
  const ca = dn.includes('=') ? certificationAuthorityByDn(ejbca, normalizedDn(dn)) : undefined;
  if (ca === undefined) throw refusals.unknownIssuer(dn);
  return ca;
}
