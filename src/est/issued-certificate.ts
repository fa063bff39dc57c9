import { changesOf, forbiddenChanges, type NameChange } from '../pkix/name-changes.ts';
import { EstError } from '../errors.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { generalNamesEqual } from '../pkix/general-names.ts';
import { namesEqual, sameAttributes } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { readSignedData, type SignedData } from '../pkix/signed-data-read.ts';
import { forbiddenRightIn } from '../policy/forbidden-extensions.ts';

/** What was approved. */
export interface ApprovedCertificate {
  readonly csr: CertificationRequest;
  readonly names: CertifiedNames;
  /** How the CA may change the names. */
  readonly allowedChanges: readonly NameChange[];
  /** How the CA has changed names that it has registered in place of the approved ones, and must not. */
  readonly registeredChanges: readonly NameChange[];
}

/** What a CA backend gave as the issued certificate, once it was compared with what was approved. */
export type ComparedCertificate =
  | { readonly state: 'as_approved'; readonly certificate: Certificate }
  /** A certificate was issued, and is another one; `reason` follows "is refused:". */
  | { readonly state: 'other'; readonly certificate: Certificate; readonly reason: string };

/**
 * Reads what a CA backend gave as the issued certificate, and compares it with what was approved: key, names, and that it
 * gives no right that no device gets. Throws `ca_bad_answer` when it is none, is of another CA or is over already; `now` is
 * undefined where an earlier attempt may have got it long ago.
 */
export function compareIssuedCertificate(
  der: Buffer,
  approved: ApprovedCertificate,
  caCertificates: readonly Certificate[],
  now: Date | undefined,
): ComparedCertificate {
  const certificate = parse(der);
  if (now !== undefined && certificate.notAfter <= now) throw badAnswer('it has expired already');
  if (!caCertificates.some(({ subject }) => namesEqual(subject, certificate.issuer))) {
    throw badAnswer('its issuer is not among the CA certificates of the alias');
  }
  const reason = differenceOf(certificate, approved);
  return reason === undefined
    ? { state: 'as_approved', certificate }
    : { state: 'other', certificate, reason };
}

/** Undefined: none. */
function differenceOf(
  certificate: Certificate,
  { csr, names, allowedChanges, registeredChanges }: ApprovedCertificate,
): string | undefined {
  if (!certificate.spki.equals(csr.publicKey.spki)) return 'it holds another key than the CSR';
  const right = forbiddenRightIn(certificate);
  if (right !== undefined) return `it gives a right that no device gets (${right})`;
  if (csr.changeSubjectName !== undefined && !hasNames(certificate, csr.changeSubjectName)) {
    return 'it does not have the names that ChangeSubjectName asks for';
  }
  const [registeredChange] = registeredChanges;
  if (registeredChange !== undefined) {
    return `its names are others than those registered at the CA, and issuedNames does not have ${registeredChange}`;
  }
  const { subject, subjectAltName = [] } = certificate;
  const [change] = forbiddenChanges(changesOf(names, { subject, subjectAltName }), allowedChanges);
  return change === undefined
    ? undefined
    : `its names are others than those approved, and issuedNames does not have ${change}`;
}

/** Believes a CA's own Full PKI Response only when it is one and holds the certificate. Throws `ca_bad_answer`. */
export function checkFullPkiResponse(der: Buffer, issued: Certificate): void {
  const { contentType, certificates } = parseSignedData(der);
  const isSound =
    contentType === oids.pkiResponse && certificates.some(({ sha256 }) => sha256 === issued.sha256);
  if (!isSound) throw badAnswer('its Full PKI Response does not hold it');
}

function parseSignedData(der: Buffer): SignedData {
  try {
    return readSignedData(der);
  } catch (error) {
    throw badAnswer('its Full PKI Response is malformed', error);
  }
}

/** As far as names were asked for: a CA where the device is registered knows the others. */
function hasNames(certificate: Certificate, { subject, subjectAltName }: CertifiedNames): boolean {
  return (
    (subject.rdns.length === 0 || sameAttributes(certificate.subject, subject)) &&
    (subjectAltName.length === 0 || generalNamesEqual(certificate.subjectAltName ?? [], subjectAltName))
  );
}

function parse(der: Buffer): Certificate {
  try {
    return readCertificate(der);
  } catch (error) {
    throw badAnswer('it is no certificate', error);
  }
}

/** The refusal of an answer; `reason` follows "is refused:". */
export function badAnswer(reason: string, cause?: unknown): EstError {
  return new EstError('ca_bad_answer', `The certificate from the CA is refused: ${reason}.`, { cause });
}
