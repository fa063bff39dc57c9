/** `/v1/ca`: CAs, their chains and CRLs (section 1.2; in Community from 8.1 on). */
import { certificateToPem } from '../../../../src/pkix/certificate.ts';
import type { RevokedCertificate } from '../../../../src/pkix/crl.ts';
import { issueCrl } from '../authority.ts';
import type { CertificationAuthority, Database, RevocationReason } from '../database.ts';
import { normalizedDn } from '../distinguished-name.ts';
import { certificationAuthorityByDn } from '../ejbca.ts';
import { checkActive } from '../enrollment.ts';
import { refusals } from '../refusal.ts';
import { json, statusReply, type Call, type Reply, type Route } from './call.ts';

const since = '8.1';

/** The routes. */
export const certificationAuthorityRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/ca/status', since, handle: statusReply },
  { method: 'GET', path: '/v1/ca', since, handle: list },
  { method: 'GET', path: '/v1/ca/{subject_dn}/certificate/download', since, handle: downloadChain },
  { method: 'GET', path: '/v1/ca/{issuer_dn}/getLatestCrl', since, handle: latestCrl },
  { method: 'POST', path: '/v1/ca/{issuer_dn}/createcrl', since, handle: createCrl },
];

/** Those that the caller may use. */
function list(call: Call): Reply {
  const administrator = call.authenticate();
  const all = [...call.ejbca.database.certificationAuthorities.values()];
  return json(200, {
    certificate_authorities: all
      .filter(({ name }) => administrator.isAuthorized(`/ca/${name}`))
      .map(({ id, name, dn, authority, issuerDn }) => ({
        id,
        name,
        subject_dn: dn,
        issuer_dn: issuerDn,
        expiration_date: authority.notAfter.toISOString(),
      })),
  });
}

function downloadChain(call: Call): Reply {
  call.authenticate();
  const { chain } = named(call, 'subject_dn');
  return { status: 200, contentType: 'application/octet-stream', body: chain.map(certificateToPem).join('') };
}

async function latestCrl(call: Call): Promise<Reply> {
  call.authenticate();
  const ca = named(call, 'issuer_dn');
  ca.crl ??= await nextCrl(call.ejbca.database, ca);
  return json(200, { crl: ca.crl.der.toString('base64'), response_format: 'DER' });
}

async function createCrl(call: Call): Promise<Reply> {
  const administrator = call.authenticate();
  administrator.require('/ca_functionality/create_crl');
  const ca = named(call, 'issuer_dn');
  checkActive(ca);
  ca.crl = await nextCrl(call.ejbca.database, ca);
  return json(200, {
    issuer_dn: ca.dn,
    latest_crl_version: ca.crl.number,
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

const crlReasons: Partial<Record<RevocationReason, RevokedCertificate['reason']>> = {
  KEY_COMPROMISE: 'keyCompromise',
  CA_COMPROMISE: 'cACompromise',
  AFFILIATION_CHANGED: 'affiliationChanged',
  SUPERSEDED: 'superseded',
  CESSATION_OF_OPERATION: 'cessationOfOperation',
  PRIVILEGES_WITHDRAWN: 'privilegeWithdrawn',
  AA_COMPROMISE: 'aACompromise',
};

/** The next CRL of a CA with everything that is revoked now. */
export async function nextCrl(
  { certificates }: Database,
  ca: CertificationAuthority,
): Promise<{ readonly number: number; readonly der: Buffer }> {
  const revoked = certificates.flatMap(({ certificationAuthority, serialNumber, revocation }) =>
    certificationAuthority === ca.name && revocation !== undefined
      ? [
          {
            serialNumber: serialNumber.toLowerCase(),
            at: revocation.at,
            reason: crlReasons[revocation.reason] ?? ('unspecified' as const),
          },
        ]
      : [],
  );
  const number = (ca.crl?.number ?? 0) + 1;
  return { number, der: await issueCrl(ca.authority, number, revoked) };
}
