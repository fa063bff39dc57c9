import { EstError } from '../errors.ts';
import { readCertificate, type Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { generalNamesEqual } from '../pkix/general-names.ts';
import { namesEqual, sameAttributes } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { readSignedData, type SignedData } from '../pkix/signed-data-read.ts';

/**
 * Reads what a CA backend gave as the issued certificate, and believes it only when it holds the CSR's key, has new
 * names if ChangeSubjectName asked for them, is no CA's, is not over already and names one of the alias's CA
 * certificates as issuer. Throws `ca_bad_answer`.
 */
export function readIssuedCertificate(
  der: Buffer,
  csr: CertificationRequest,
  caCertificates: readonly Certificate[],
  now: Date,
): Certificate {
  const certificate = parse(der);
  if (!certificate.spki.equals(csr.publicKey.spki)) throw badAnswer('it holds another key than the CSR');
  if (certificate.basicConstraints?.cA === true) throw badAnswer('it is a CA certificate');
  if (csr.changeSubjectName !== undefined && !hasNames(certificate, csr.changeSubjectName)) {
    throw badAnswer('it does not have the names that ChangeSubjectName asks for');
  }
  if (certificate.notAfter <= now) throw badAnswer('it has expired already');
  if (!caCertificates.some(({ subject }) => namesEqual(subject, certificate.issuer))) {
    throw badAnswer('its issuer is not among the CA certificates of the alias');
  }
  return certificate;
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

function badAnswer(reason: string, cause?: unknown): EstError {
  return new EstError('ca_bad_answer', `The certificate from the CA is refused: ${reason}.`, { cause });
}
