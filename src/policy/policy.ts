import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import { generalNamesEqual, type GeneralName, type GeneralNameType } from '../pkix/general-names.ts';
import type { KeyType } from '../pkix/keys.ts';
import { namesEqual, type Name } from '../pkix/names.ts';
import { nameOfOid } from '../pkix/oids.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { refuseForbiddenExtensions } from './forbidden-extensions.ts';
import { refuseForeignNames } from './identity-names.ts';

/** What an alias grants, as the configuration says it. */
export interface Policy {
  /** Attribute types that are copied from the CSR's subject, by their RFC 5280 names; another one is refused. */
  readonly subject: readonly string[];
  /** Name types that are copied from the CSR's subjectAltName; another one is refused. */
  readonly subjectAltName: readonly GeneralNameType[];
  /** `identity`: every name asked for must be the user's name or a name of the client certificate. */
  readonly names: 'any' | 'identity';
  readonly keys: readonly KeyType[];
  /** Whether simplereenroll may keep the key of the old certificate. */
  readonly renewWithSameKey: boolean;
  /** Share of a certificate's validity, in percent, that must have passed before it may be renewed. */
  readonly renewAfterPercent: number;
}

/** The names that will be certified. */
export interface PermittedNames {
  readonly subject: Name;
  readonly subjectAltName: readonly GeneralName[];
}

/**
 * May this identity have this certificate (RFC 7030, section 4.2.1)? Throws `forbidden`, or
 * `bad_certification_request` when the CSR names nobody.
 */
export function permitEnrollment(
  policy: Policy,
  identity: ClientIdentity,
  csr: CertificationRequest,
): PermittedNames {
  refuseChangeSubjectName(csr);
  refuseForbiddenExtensions(csr);
  refuseOtherKeys(policy, csr);
  const subjectAltName = csr.subjectAltName ?? [];
  refuseNamelessSubject(csr.subject, subjectAltName);
  refuseOtherSubjectTypes(policy, csr.subject);
  refuseOtherSubjectAltNames(policy, subjectAltName);
  if (policy.names === 'identity') refuseForeignNames(identity, csr.subject, subjectAltName);
  return { subject: csr.subject, subjectAltName };
}

/**
 * May this certificate be renewed or rekeyed (RFC 7030, section 4.2.2)? Subject and subjectAltName of the CSR
 * must be those of the certificate, absence included, as RFC 5280, section 7.1 compares names. The new
 * certificate gets the names in the old one's encoding. Throws `forbidden`.
 */
export function permitRenewal(
  policy: Policy,
  current: Certificate,
  csr: CertificationRequest,
  now: Date,
): PermittedNames {
  refuseChangeSubjectName(csr);
  refuseForbiddenExtensions(csr);
  refuseOtherKeys(policy, csr);
  refuseChangedNames(current, csr);
  refuseSameKey(policy, current, csr);
  refuseEarlyRenewal(policy, current, now);
  return { subject: current.subject, subjectAltName: current.subjectAltName ?? [] };
}

/** RFC 6402, section 2.8: never ignored. */
function refuseChangeSubjectName(csr: CertificationRequest): void {
  if (csr.changeSubjectName) {
    throw new EstError(
      'forbidden',
      'The ChangeSubjectName attribute is not allowed here; names stay as they are.',
    );
  }
}

function refuseOtherKeys(policy: Policy, csr: CertificationRequest): void {
  if (!policy.keys.includes(csr.publicKey.type)) {
    throw new EstError(
      'forbidden',
      `This alias accepts only these kinds of keys: ${policy.keys.join(', ')}.`,
    );
  }
}

function refuseNamelessSubject(subject: Name, subjectAltName: readonly GeneralName[]): void {
  if (subject.rdns.length === 0 && subjectAltName.length === 0) {
    throw new EstError(
      'bad_certification_request',
      'The CSR names nobody: both subject and subjectAltName are empty.',
    );
  }
}

function refuseOtherSubjectTypes(policy: Policy, subject: Name): void {
  const types = subject.rdns.flat().map(({ type }) => nameOfOid(type));
  if (!types.every((type) => policy.subject.includes(type))) {
    throw new EstError('forbidden', `The subject may hold only: ${policy.subject.join(', ')}.`);
  }
}

function refuseOtherSubjectAltNames(policy: Policy, names: readonly GeneralName[]): void {
  if (!names.every(({ type }) => policy.subjectAltName.includes(type))) {
    const allowed = policy.subjectAltName.join(', ') || 'nothing, so leave it out';
    throw new EstError('forbidden', `The subjectAltName may hold only: ${allowed}.`);
  }
  if (names.some(isTooWide)) {
    throw new EstError(
      'forbidden',
      'The subjectAltName may hold neither wildcards nor the unspecified address.',
    );
  }
}

/** A name that stands for many hosts at once. */
function isTooWide(name: GeneralName): boolean {
  if (name.type === 'dNSName') return name.value.includes('*');
  return name.type === 'iPAddress' && (name.value === '0.0.0.0' || name.value === '::');
}

function refuseChangedNames(current: Certificate, csr: CertificationRequest): void {
  if (!namesEqual(current.subject, csr.subject)) {
    throw new EstError('forbidden', 'The subject of the CSR differs from that of the certificate to renew.');
  }
  if (!generalNamesEqual(current.subjectAltName ?? [], csr.subjectAltName ?? [])) {
    throw new EstError(
      'forbidden',
      'The subjectAltName of the CSR differs from that of the certificate to renew.',
    );
  }
}

function refuseSameKey(policy: Policy, current: Certificate, csr: CertificationRequest): void {
  if (!policy.renewWithSameKey && current.spki.equals(csr.publicKey.spki)) {
    throw new EstError(
      'forbidden',
      'A new key is required to renew; the CSR holds the key of the old certificate.',
    );
  }
}

function refuseEarlyRenewal(policy: Policy, current: Certificate, now: Date): void {
  const validity = current.notAfter.getTime() - current.notBefore.getTime();
  const renewableFrom = current.notBefore.getTime() + (validity * policy.renewAfterPercent) / 100;
  if (now.getTime() < renewableFrom) {
    throw new EstError(
      'forbidden',
      `It is too early to renew this certificate; try again after ${new Date(renewableFrom).toISOString()}.`,
    );
  }
}
