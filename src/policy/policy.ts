import { EstError } from '../errors.ts';
import type { CertificateIdentity, ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { subjectAltName as subjectAltNameExtension } from '../pkix/extensions-write.ts';
import { generalNamesEqual, type GeneralName } from '../pkix/general-names.ts';
import { namesEqual, type Name } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { challengeDemands } from './challenge-demands.ts';
import { refuseContradictions } from './contradictions.ts';
import { csrAttributesFor, type Demand } from './demand.ts';
import { attributeDemands, extensionDemands } from './extension-demands.ts';
import { refuseForbiddenExtensions } from './forbidden-extensions.ts';
import { refuseOtherSubjectAltNames, refuseOtherSubjectTypes } from './granted-names.ts';
import { refuseForeignNames } from './identity-names.ts';
import { keyDemands } from './key-demands.ts';
import { subjectAltNameDemands, subjectDemands } from './name-demands.ts';
import type { PolicyOptions } from './options.ts';
import { refuseNamesBeyondScope } from './registration-scope.ts';

/** What an alias grants and demands; csrattrs says what it demands (RFC 7030, section 4.5). */
export interface Policy extends PolicyOptions {
  /** Each is said by csrattrs and checked in every CSR. */
  readonly demands: readonly Demand[];
  /** What csrattrs answers, DER; undefined: nothing is demanded. */
  readonly csrAttributes: Buffer | undefined;
}

/** Prepares a policy. Throws an Error with a sentence when it demands what it would then refuse. */
export function createPolicy(options: PolicyOptions): Policy {
  const demands = [
    ...challengeDemands(options),
    ...keyDemands(options),
    ...subjectDemands(options.required),
    ...subjectAltNameDemands(options.required),
    ...extensionDemands(options.required),
    ...attributeDemands(options.required),
  ];
  const wanted = demands.map((demand) => demand.wanted).filter((one) => one !== undefined);
  refuseContradictions(options, wanted);
  return { ...options, demands, csrAttributes: csrAttributesFor(wanted) };
}

/**
 * May this identity have this certificate (RFC 7030, section 4.2.1)? Gives the names to certify. Throws `refused_by_policy`,
 * or `bad_certification_request` when the CSR names nobody.
 */
export function permitEnrollment(
  policy: Policy,
  identity: ClientIdentity,
  csr: CertificationRequest,
): CertifiedNames {
  refuseForbiddenExtensions(csr);
  if (csr.changeSubjectName === undefined) return permitFirstNames(policy, identity, csr);
  refuseChangeSubjectName(policy);
  if (identity.certificate === undefined) throw nothingToChange();
  refuseOtherNames(identity.certificate.certificate, withoutVendorsNames(identity.certificate, csr));
  return permitFirstNames(policy, identity, withNames(csr, csr.changeSubjectName));
}

/**
 * May this certificate of the client be renewed or rekeyed (RFC 7030, section 4.2.2)? Subject and subjectAltName of
 * the CSR must be those of the certificate, absence included, as RFC 5280, section 7.1 compares names. The new
 * certificate gets the names in the old one's encoding, or those of ChangeSubjectName, where it is allowed, under the
 * rules of a first enrolment. Throws `refused_by_policy`.
 */
export function permitRenewal(
  policy: Policy,
  identity: ClientIdentity,
  current: Certificate,
  csr: CertificationRequest,
  now: Date,
): CertifiedNames {
  refuseForbiddenExtensions(csr);
  if (csr.changeSubjectName !== undefined) refuseChangeSubjectName(policy);
  refuseOtherNames(current, csr);
  refuseSameKey(policy, current, csr);
  refuseEarlyRenewal(policy, current, now);
  if (csr.changeSubjectName !== undefined) {
    return permitFirstNames(policy, identity, withNames(csr, csr.changeSubjectName));
  }
  for (const { check, onlyForFirst } of policy.demands) if (!onlyForFirst) check(csr);
  return { subject: current.subject, subjectAltName: current.subjectAltName ?? [] };
}

/** Names that this client has not had: all that the alias grants and demands decides. */
function permitFirstNames(
  policy: Policy,
  identity: ClientIdentity,
  csr: CertificationRequest,
): CertifiedNames {
  const { subject, subjectAltName = [] } = csr;
  refuseNamelessSubject(subject, subjectAltName);
  refuseOtherSubjectTypes(policy, subject);
  refuseOtherSubjectAltNames(policy, subjectAltName);
  const { registrationAuthority } = identity;
  if (registrationAuthority !== undefined)
    refuseNamesBeyondScope(registrationAuthority, subject, subjectAltName);
  else if (policy.names === 'identity') refuseForeignNames(identity, subject, subjectAltName);
  for (const { check } of policy.demands) check(csr);
  return { subject, subjectAltName };
}

/** A vendor's subjectAltName, such as a HardwareModuleName, need not be repeated in the CSR. */
function withoutVendorsNames(
  { certificate, trustAnchor }: CertificateIdentity,
  csr: CertificationRequest,
): CertificationRequest {
  if (trustAnchor === 'explicit' || csr.subjectAltName !== undefined) return csr;
  return { ...csr, subjectAltName: certificate.subjectAltName };
}

/** RFC 6402, section 2.8: never ignored. */
function refuseChangeSubjectName(policy: Policy): void {
  if (!policy.changeSubjectName) {
    throw new EstError(
      'refused_by_policy',
      'The ChangeSubjectName attribute is not allowed here; names stay as they are.',
    );
  }
}

function nothingToChange(): EstError {
  return new EstError(
    'refused_by_policy',
    'ChangeSubjectName changes the names of the TLS client certificate, and none was shown; ' +
      'leave it out and put the names into the CSR itself.',
  );
}

/** The CSR as it would be, did it ask for these names itself. */
function withNames(
  csr: CertificationRequest,
  { subject, subjectAltName }: CertifiedNames,
): CertificationRequest {
  const others = csr.extensions.filter(({ oid }) => oid !== oids.subjectAltName);
  if (subjectAltName.length === 0) return { ...csr, subject, subjectAltName: undefined, extensions: others };
  return {
    ...csr,
    subject,
    subjectAltName,
    extensions: [...others, subjectAltNameExtension(subjectAltName, false)],
  };
}

function refuseNamelessSubject(subject: Name, subjectAltName: readonly GeneralName[]): void {
  if (subject.rdns.length === 0 && subjectAltName.length === 0) {
    throw new EstError(
      'bad_certification_request',
      'The CSR names nobody: both subject and subjectAltName are empty.',
    );
  }
}

function refuseOtherNames(current: Certificate, csr: CertificationRequest): void {
  if (!namesEqual(current.subject, csr.subject)) {
    throw new EstError(
      'refused_by_policy',
      'The subject of the CSR differs from that of the certificate that the client shows.',
    );
  }
  if (!generalNamesEqual(current.subjectAltName ?? [], csr.subjectAltName ?? [])) {
    throw new EstError(
      'refused_by_policy',
      'The subjectAltName of the CSR differs from that of the certificate that the client shows.',
    );
  }
}

function refuseSameKey(policy: Policy, current: Certificate, csr: CertificationRequest): void {
  if (!policy.renewWithSameKey && current.spki.equals(csr.publicKey.spki)) {
    throw new EstError(
      'refused_by_policy',
      'A new key is required to renew; the CSR holds the key of the old certificate.',
    );
  }
}

function refuseEarlyRenewal(policy: Policy, current: Certificate, now: Date): void {
  const validity = current.notAfter.getTime() - current.notBefore.getTime();
  const renewableFrom = current.notBefore.getTime() + (validity * policy.renewAfterPercent) / 100;
  if (now.getTime() < renewableFrom) {
    throw new EstError(
      'refused_by_policy',
      `It is too early to renew this certificate; try again after ${new Date(renewableFrom).toISOString()}.`,
    );
  }
}
