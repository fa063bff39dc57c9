/** `/v1/certificate/{issuer_dn}/{serial}`: revocation (section 1.2). */
import {
  revocationReasons,
  type CertificationAuthority,
  type IssuedCertificate,
  type RevocationReason,
} from '../model/database.ts';
import { normalizedDn } from '../distinguished-name.ts';
import type { Administrator } from '../administrator.ts';
import { certificationAuthorityByDn, type Ejbca } from '../ejbca.ts';
import { putUpForApproval } from '../model/approval.ts';
import { refusals } from '../refusal.ts';
import { json, type Call, type Reply, type Route } from './call.ts';

const certificatePath = '/v1/certificate/{issuer_dn}/{serial_number}';

/** The routes. */
export const revocationRoutes: readonly Route[] = [
  { method: 'GET', path: `${certificatePath}/revocationstatus`, handle: revocationStatus },
  { method: 'PUT', path: `${certificatePath}/revoke`, handle: revoke },
];

function revocationStatus(call: Call): Reply {
  const administrator = call.authenticate();
  const { name, id } = requireIssuer(call);
  if (!administrator.isAuthorized(`/ca/${name}`)) throw refusals.notAuthorized(`/ca/${id}`);
  return statusOf(call, requireCertificate(call), undefined);
}

function revoke(call: Call): Reply {
  const administrator = call.authenticate();
  if (!administrator.isAuthorized('/ra_functionality/revoke_end_entity')) {
    throw refusals.notAuthorizedToRevoke();
  }
  const reason = reasonOf(call);
  const certificate = findCertificate(call);
  if (certificate === undefined) {
    const serialNumber = (call.parameters['serial_number'] ?? '').toLowerCase().replace(/^(?:0x)?0*/, '');
    throw refusals.nothingToRevoke(requireIssuer(call).dn, serialNumber);
  }
  requireRights(call.ejbca, administrator, certificate);
  const at = dateOf(call);
  if (certificate.revocation !== undefined && !mayChange(certificate.revocation.reason, reason)) {
    throw refusals.alreadyRevoked(certificate.serialNumber.toLowerCase(), certificate.issuerDn);
  }
  const { database } = call.ejbca;
  const ca = database.certificationAuthorities.get(certificate.certificationAuthority);
  const execute = (): void => {
    const isLifted = reason === 'REMOVE_FROM_CRL' || reason === 'NOT_REVOKED';
    certificate.revocation = isLifted ? undefined : { reason, at };
    certificate.updatedAt = new Date(database.clock());
  };
  if (ca?.requiresApproval === true) {
    throw putUpForApproval(database, certificate.username, 'revoke', execute);
  }
  execute();
  return statusOf(call, certificate, 'Successfully revoked');
}

/** A hold alone can end, or become final. */
function mayChange(before: RevocationReason, after: RevocationReason): boolean {
  return before === 'CERTIFICATE_HOLD' && after !== before;
}

function requireRights(
  { database }: Ejbca,
  administrator: Administrator,
  { certificationAuthority, endEntityProfile }: IssuedCertificate,
): void {
  if (!administrator.isAuthorized(`/ca/${certificationAuthority}`)) {
    const { id = 0 } = database.certificationAuthorities.get(certificationAuthority) ?? {};
    throw refusals.notAuthorizedToCaById(id, administrator.name);
  }
  if (!administrator.isAuthorized(`/endentityprofilesrules/${endEntityProfile}/revoke_end_entity`)) {
    const { id = 0 } = database.endEntityProfiles.get(endEntityProfile) ?? {};
    throw refusals.notAuthorizedToProfile(id, administrator.name);
  }
}

function requireIssuer({ ejbca, parameters }: Call): CertificationAuthority {
  const { issuer_dn: issuerDn = '' } = parameters;
  if (!issuerDn.includes('=')) throw refusals.general();
  const ca = certificationAuthorityByDn(ejbca, normalizedDn(issuerDn));
  if (ca === undefined) throw refusals.unknownIssuer(issuerDn);
  return ca;
}

function requireCertificate(call: Call): IssuedCertificate {
  const { issuer_dn: issuerDn = '', serial_number: written = '' } = call.parameters;
  const found = findCertificate(call);
  if (found === undefined) throw refusals.unknownCertificate(written, issuerDn);
  return found;
}

function findCertificate(call: Call): IssuedCertificate | undefined {
  const { serial_number: written = '' } = call.parameters;
  const [, hex] = /^(?:0[xX])?([0-9a-fA-F]+)$/.exec(written) ?? [];
  if (hex === undefined) throw refusals.invalidSerialNumber();
  const ca = requireIssuer(call);
  const serialNumber = BigInt(`0x${hex}`).toString(16).toUpperCase();
  return call.ejbca.database.certificates.find(
    (certificate) => certificate.issuerDn === ca.dn && certificate.serialNumber === serialNumber,
  );
}

function reasonOf({ url }: Call): RevocationReason {
  const written = url.searchParams.get('reason');
  const reason = Object.keys(revocationReasons).find((known) => known === written);
  if (reason === undefined) throw refusals.invalidRevocationReason();
  return reason as RevocationReason;
}

function dateOf({ url, ejbca: { database } }: Call): Date {
  const written = url.searchParams.get('date');
  const now = new Date(database.clock());
  const date = written === null ? now : new Date(written);
  if (written !== null && date > now) throw refusals.dateInTheFuture(written);
  return date;
}

/** Issuer and serial number as the caller wrote them. */
function statusOf(
  { parameters }: Call,
  { revocation }: IssuedCertificate,
  message: string | undefined,
): Reply {
  return json(200, {
    issuer_dn: parameters['issuer_dn'],
    serial_number: parameters['serial_number'],
    revoked: revocation !== undefined,
    revocation_reason: revocation?.reason ?? 'NOT_REVOKED',
    revocation_date: revocation?.at.toISOString().replace(/\.\d+Z$/, 'Z'),
    message,
  });
}
