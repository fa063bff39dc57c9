import { EstError } from '../errors.ts';
import type { ClientIdentity, RegistrationAuthority } from '../identity.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import { generalNamesEqual } from '../pkix/general-names.ts';
import { namesEqual, sameAttributes } from '../pkix/names.ts';
import { identifierOfNames } from '../pkix/names-identifier.ts';
import type { RequestedContents } from '../pkix/pkcs10.ts';
import type { CertificateCheck } from '../policy/asked-enrollment.ts';
import { refuseNamesBeyondScope } from '../policy/registration-scope.ts';
import type { CertificateUnderNames } from '../store/store.ts';
import type { Alias } from './alias.ts';
import type { EstRequest } from './message.ts';

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
  if (registrationAuthority === undefined || hasNamesOf(own, csr, request.alias)) return own;
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

/** Of several that have not expired, the first one that is not revoked; of a single one that is asked later, as the dearest check. */
async function findCertificateOfOther(
  request: EstRequest,
  registrationAuthority: RegistrationAuthority,
  csr: RequestedContents,
): Promise<Certificate> {
  refuseNamesBeyondScope(registrationAuthority, csr.subject, csr.subjectAltName ?? []);
  let first: Certificate | undefined;
  for await (const { certificate, isAlone } of issuedUnderNamesOf(request, csr)) {
    if (isAlone || (await isInForce(request, certificate))) return certificate;
    first ??= certificate;
  }
  if (first !== undefined) return first;
  throw new EstError(
    'refused_by_policy',
    'This CA has no certificate in force with the names of the CSR that could be renewed; use simpleenroll.',
  );
}

interface Candidate {
  readonly certificate: Certificate;
  /** There is no other one. */
  readonly isAlone: boolean;
}

/** Those that have not expired, the one that lasts longest first. */
async function* issuedUnderNamesOf(
  { alias, journal, receivedAt, signal }: EstRequest,
  csr: RequestedContents,
): AsyncGenerator<Candidate> {
  let before: CertificateUnderNames | undefined;
  do {
    if (signal.aborted) throw tooLate(signal.reason);
    const issued = await journal.issuedUnder(alias.id, identifierOfNames(csr), receivedAt, before);
    for (const { certificate: der } of issued) {
      const certificate = readCertificate(der);
      const isAlone = before === undefined && issued.length === 1;
      if (hasNamesOf(certificate, csr, alias)) yield { certificate, isAlone };
    }
    before = issued.at(-1);
  } while (before !== undefined);
}

/** False where that cannot be found out at the moment, too: another one may do. */
async function isInForce(
  { alias, receivedAt, signal }: EstRequest,
  certificate: Certificate,
): Promise<boolean> {
  try {
    await alias.refuseRevoked(certificate, receivedAt, signal);
    return true;
  } catch (error) {
    if (error instanceof EstError) return false;
    throw error;
  }
}

/** Whether the certificate of somebody else that is to be renewed is in force; the client's own was checked when it came. */
export function renewedInForce(
  { alias, receivedAt, signal }: EstRequest,
  current: Certificate,
  own: Certificate,
): readonly CertificateCheck[] {
  if (current.sha256 === own.sha256) return [];
  const check = async (): Promise<void> => {
    await alias.refuseRevoked(current, receivedAt, signal);
  };
  return [{ rule: 'fixed: a certificate in force to renew', certificate: current, check }];
}

function hasNamesOf(certificate: Certificate, csr: RequestedContents, alias: Alias): boolean {
  const { subject, subjectAltName = [] } = inOrderOf(certificate, csr, alias);
  return (
    namesEqual(certificate.subject, subject) &&
    generalNamesEqual(certificate.subjectAltName ?? [], subjectAltName)
  );
}

function tooLate(cause: unknown): EstError {
  return new EstError('overloaded', 'The certificate to renew was not found in the time of the request.', {
    cause,
  });
}

function expired(): EstError {
  return new EstError(
    'forbidden',
    'The TLS client certificate is not accepted: it has expired, and may only renew itself.',
  );
}
