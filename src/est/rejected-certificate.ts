import { EstError } from '../errors.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { describeNames } from '../pkix/requested-names.ts';
import type { AskedEnrollment } from '../policy/asked-enrollment.ts';
import type { RecordAttempt } from '../store/store.ts';
import { badAnswer, type ComparedCertificate } from './issued-certificate.ts';
import type { EstRequest } from './message.ts';

/** Milliseconds that the CA has to revoke a certificate. */
const revocationTimeout = 10_000;

/** Characters of a name in the log. */
const longestName = 1024;

/**
 * Closes the record of a request to which the CA issued another certificate than was approved, so that no repeat makes the CA
 * issue again, has that one revoked where the CA can, and gives the refusal.
 */
export async function rejectIssued(
  request: EstRequest,
  record: RecordAttempt,
  asked: AskedEnrollment<CertificationRequest>,
  { certificate, reason }: Extract<ComparedCertificate, { readonly state: 'other' }>,
): Promise<EstError> {
  await request.journal.rejected(record, 'ca_bad_answer', new Date());
  const { subject, subjectAltName = [] } = certificate;
  request.log.error('The CA has issued another certificate than was approved; it is not delivered.', {
    requestId: request.id,
    alias: request.alias.name,
    serialNumber: certificate.serialNumber,
    reason,
    approved: textOf(asked.names),
    issued: textOf({ subject, subjectAltName }),
    revoked: await revoke(request, asked, certificate),
  });
  return badAnswer(reason);
}

/**
 * Has the certificate of a key that was made here revoked where the CA can, since the client has gone without the key, which is
 * stored nowhere.
 */
export async function revokeUndelivered(
  request: EstRequest,
  asked: AskedEnrollment<CertificationRequest>,
  der: Buffer,
): Promise<void> {
  const certificate = readCertificate(der);
  request.log.warn(
    'The client has gone without the key that was made for it; the certificate is of no use.',
    {
      requestId: request.id,
      alias: request.alias.name,
      serialNumber: certificate.serialNumber,
      revoked: await revoke(request, asked, certificate),
    },
  );
}

/**
 * Has a certificate revoked where the CA can, since the record of its request was closed before, and gives the one that the
 * record has, DER. Throws `ca_timeout` where it has none.
 */
export async function withdrawSurplus(
  request: EstRequest,
  asked: AskedEnrollment<CertificationRequest>,
  certificate: Certificate,
  recorded: Buffer | undefined,
): Promise<Buffer> {
  const { serialNumber } = certificate;
  request.log.error('The CA has issued again for a request that was answered meanwhile.', {
    requestId: request.id,
    alias: request.alias.name,
    serialNumber,
    revoked: await revoke(request, asked, certificate),
  });
  if (recorded === undefined) throw new EstError('ca_timeout', 'The answer of the CA came too late.');
  request.annotate({ repeated: true, serialNumber: readCertificate(recorded).serialNumber });
  return recorded;
}

/** The refusal of a repeat of such a request. */
export function rejectedBefore(): EstError {
  return new EstError(
    'ca_bad_answer',
    'The CA has issued another certificate to an earlier request that was the same; its log line says which.',
  );
}

/**
 * Whether it is revoked now. One for another key, or that the client has shown, may be in use; what to do with it is for
 * people to decide.
 */
async function revoke(
  { alias: { ca, name }, id, log }: EstRequest,
  { csr, renewed, identity }: AskedEnrollment<CertificationRequest>,
  certificate: Certificate,
): Promise<boolean> {
  const isOfThisRequest =
    certificate.spki.equals(csr.publicKey.spki) &&
    certificate.sha256 !== renewed?.sha256 &&
    certificate.sha256 !== identity.certificate?.certificate.sha256;
  if (ca.revoke === undefined || !isOfThisRequest) return false;
  try {
    await ca.revoke(certificate, 'cessationOfOperation', AbortSignal.timeout(revocationTimeout));
    return true;
  } catch (error) {
    const { serialNumber } = certificate;
    log.error('A certificate could not be revoked; revoke it at the CA.', {
      requestId: id,
      alias: name,
      serialNumber,
      error,
    });
    return false;
  }
}

/** Names of one line, which is not longer than a log can bear. */
function textOf(names: CertifiedNames): string {
  const { subject, subjectAltName } = describeNames(names);
  const text = subjectAltName === undefined ? subject : `${subject}; ${subjectAltName}`;
  return text.length <= longestName ? text : `${text.slice(0, longestName)}...`;
}
