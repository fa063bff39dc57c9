import { EstError } from '../errors.ts';
import type { ClientIdentity, RegistrationAuthority } from '../identity.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { generalNamesEqual } from '../pkix/general-names.ts';
import { namesEqual, nameToString, sameAttributes } from '../pkix/names.ts';
import type { RequestedContents } from '../pkix/pkcs10.ts';
import type { Check } from '../policy/check.ts';
import { refuseNamesBeyondScope } from '../policy/registration-scope.ts';
import type { Alias } from './alias.ts';
import type { EstRequest } from './message.ts';

/** Milliseconds. */
const day = 86_400_000;

/**
 * The certificate that a CSR wants renewed: the client's own; or that of somebody else, for whom a registration
 * authority asks. Then the journal says what the CA has issued under these names at this alias, the TLS client
 * certificate being another's. Throws `refused_by_policy`.
 */
export async function findRenewedCertificate(
  request: EstRequest,
  { registrationAuthority }: ClientIdentity,
  own: Certificate,
  csr: RequestedContents,
): Promise<Certificate> {
  if (registrationAuthority === undefined || hasNamesOf(own, csr)) return own;
  if (own.notAfter < request.receivedAt) throw expired();
  return await findCertificateOfOther(request, registrationAuthority, csr);
}

/** Where the CA orders subjects, the client may still have the order of its first CSR. */
export function inOrderOf<Csr extends RequestedContents>(
  { subject }: Certificate,
  csr: Csr,
  { ca }: Alias,
): Csr {
  return ca.ordersSubject === true && sameAttributes(csr.subject, subject) ? { ...csr, subject } : csr;
}

async function findCertificateOfOther(
  { alias, journal, receivedAt }: EstRequest,
  registrationAuthority: RegistrationAuthority,
  csr: RequestedContents,
): Promise<Certificate> {
  refuseNamesBeyondScope(registrationAuthority, csr.subject, csr.subjectAltName ?? []);
  const grace = alias.policy.renewExpiredDays * day;
  const since = new Date(receivedAt.getTime() - grace);
  const issued = await journal.issuedUnder(alias.name, nameToString(csr.subject), since);
  const certificate = issued.map((der) => readCertificate(der)).find((one) => hasNamesOf(one, csr));
  if (certificate === undefined) {
    throw new EstError(
      'refused_by_policy',
      'This CA has no certificate in force with the names of the CSR that could be renewed; use simpleenroll.',
    );
  }
  return certificate;
}

/** Whether the certificate of somebody else that is to be renewed is in force; the client's own was checked when it came. */
export function renewedInForce(
  { alias, receivedAt, signal }: EstRequest,
  current: Certificate,
  own: Certificate,
): readonly Check[] {
  if (current.sha256 === own.sha256) return [];
  const check = async (): Promise<void> => {
    await alias.refuseRevoked(current, receivedAt, signal);
  };
  return [{ rule: 'fixed: a certificate in force to renew', check }];
}

function hasNamesOf({ subject, subjectAltName = [] }: Certificate, csr: RequestedContents): boolean {
  return namesEqual(subject, csr.subject) && generalNamesEqual(subjectAltName, csr.subjectAltName ?? []);
}

function expired(): EstError {
  return new EstError(
    'forbidden',
    'The TLS client certificate is not accepted: it has expired, and may only renew itself.',
  );
}
