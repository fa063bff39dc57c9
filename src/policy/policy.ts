import type { SchemaObject } from 'ajv';
import { EstError } from '../errors.ts';
import type { CertificateIdentity, ClientIdentity } from '../identity.ts';
import type { Certificate } from '../pkix/certificate.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { subjectAltName as subjectAltNameExtension } from '../pkix/extensions-write.ts';
import type { GeneralName } from '../pkix/general-names.ts';
import type { Name } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import type { RequestedContents } from '../pkix/pkcs10.ts';
import { challengeDemands, linkingDemand } from './challenge-demands.ts';
import type { Check } from './check.ts';
import { refuseContradictions } from './contradictions.ts';
import { csrAttributesFor, type Demand, type Wanted } from './demand.ts';
import { attributeDemands, extensionDemands } from './extension-demands.ts';
import { refuseForbiddenExtensions } from './forbidden-extensions.ts';
import { refuseOtherSubjectAltNames, refuseOtherSubjectTypes } from './granted-names.ts';
import { createAttributeGrant, type AttributeGrant } from './granted-attributes.ts';
import { refuseForeignNames } from './identity-names.ts';
import { keyDemands } from './key-demands.ts';
import { createNameRule, type ShownIdentity } from './name-rule.ts';
import { subjectAltNameDemands, subjectDemands } from './name-demands.ts';
import { refuseNamesForMany } from './names-for-many.ts';
import type { PolicyOptions } from './options.ts';
import { missing, offendingValue } from '../pkix/offending.ts';
import { refuseNamesBeyondScope } from './registration-scope.ts';
import { refuseOtherNames } from './renewed-names.ts';
import { createRequestSchema } from './request-schema.ts';
import type { RequestView } from './request-view.ts';

/** What an alias grants and demands; csrattrs says what it demands (RFC 7030, section 4.5). */
export interface Policy extends PolicyOptions {
  /** Each is said by csrattrs and checked in every CSR. */
  readonly demands: readonly Demand[];
  /** What csrattrs answers, DER; undefined: nothing is demanded. */
  readonly csrAttributes: Buffer | undefined;
  /** The same where nobody could verify the linking of identity and proof of possession. */
  readonly csrAttributesWithoutLinking: Buffer | undefined;
  /** What `names: identity` grants beside a client's own name. */
  readonly grantsAttribute: AttributeGrant;
  /** What the operator's own rules ask about a request that passed all other checks. */
  readonly examine: (viewOf: () => RequestView) => readonly Check[];
}

/**
 * Prepares a policy for clients that show what `shown` says; `schema` is the one that the options name. Throws an Error with a
 * sentence when it demands what it would then refuse, or a rule makes no sense.
 */
export function createPolicy(
  options: PolicyOptions,
  schema?: SchemaObject,
  shown: ShownIdentity = { user: true, certificate: true },
): Policy {
  const demands = [
    ...challengeDemands(options),
    ...keyDemands(options),
    ...subjectDemands(options.required),
    ...subjectAltNameDemands(options.required),
    ...extensionDemands(options.required),
    ...attributeDemands(options.required),
  ];
  const wanted = wantedBy(demands);
  refuseContradictions(options, wanted);
  const nameRules = options.rules.map((text, index) => createNameRule(text, index, options, shown));
  const requestRules = schema === undefined ? [] : [createRequestSchema(schema)];
  return {
    ...options,
    demands,
    csrAttributes: csrAttributesFor(wanted),
    csrAttributesWithoutLinking: csrAttributesFor(
      wantedBy(demands.filter((demand) => demand !== linkingDemand)),
    ),
    grantsAttribute: createAttributeGrant(options, nameRules),
    // A renewal keeps the names that were looked at when they were new; a registration authority has a scope instead.
    examine: (viewOf) => {
      if (nameRules.length === 0 && requestRules.length === 0) return [];
      const view = viewOf();
      const asksForNames = view.newNames && view.identity.registrationAuthority === undefined;
      return [...(asksForNames ? nameRules.map(({ ask }) => ask) : []), ...requestRules].map(
        (questionAbout) => questionAbout(view),
      );
    },
  };
}

function wantedBy(demands: readonly Demand[]): readonly Wanted[] {
  return demands.map(({ wanted }) => wanted).filter((one) => one !== undefined);
}

/**
 * The names to certify, if nothing is refused: those of the CSR, or that ChangeSubjectName asks for. A renewal keeps those
 * of the certificate, in its encoding, unless ChangeSubjectName asks for others.
 */
export function namesToCertify(
  { changeSubjectName, subject, subjectAltName = [] }: RequestedContents,
  renewed?: Certificate,
): CertifiedNames {
  if (changeSubjectName !== undefined) return changeSubjectName;
  if (renewed === undefined) return { subject, subjectAltName };
  return { subject: renewed.subject, subjectAltName: renewed.subjectAltName ?? [] };
}

/**
 * May this identity have this certificate (RFC 7030, section 4.2.1)? The checks refuse with `refused_by_policy`, or with
 * `bad_certification_request` when the CSR names nobody.
 */
export function examineEnrollment(
  policy: Policy,
  identity: ClientIdentity,
  csr: RequestedCertificate,
): readonly Check[] {
  const { changeSubjectName } = csr;
  const fixed = [forbiddenExtensions(csr), namesForMany(namesToCertify(csr))];
  if (changeSubjectName === undefined) return [...fixed, ...firstNames(policy, identity, csr)];
  return [
    ...fixed,
    changeOfNames(policy),
    {
      rule: 'fixed: names of the client certificate',
      check: () => {
        if (identity.certificate === undefined) throw nothingToChange();
        refuseOtherNames(identity.certificate.certificate, withoutVendorsNames(identity.certificate, csr));
      },
    },
    ...firstNames(policy, identity, withNames(csr, changeSubjectName)),
  ];
}

/**
 * May this certificate of the client be renewed or rekeyed (RFC 7030, section 4.2.2)? Subject and subjectAltName of
 * the CSR must be those of the certificate, absence included, as RFC 5280, section 7.1 compares names. Other names, by
 * ChangeSubjectName where it is allowed, come under the rules of a first enrolment. `now` undefined: it repeats a request whose
 * answer `current` may be, so that key and time of that are not asked about. The checks refuse with `refused_by_policy`.
 */
export function examineRenewal(
  policy: Policy,
  identity: ClientIdentity,
  current: Certificate,
  csr: RequestedCertificate,
  now: Date | undefined,
): readonly Check[] {
  const { changeSubjectName } = csr;
  return [
    forbiddenExtensions(csr),
    namesForMany(namesToCertify(csr, current)),
    ...(changeSubjectName === undefined ? [] : [changeOfNames(policy)]),
    {
      rule: 'fixed: names of the client certificate',
      check: () => {
        refuseOtherNames(current, csr);
      },
    },
    ...(now === undefined ? [] : keyAndTimeOfRenewal(policy, current, csr, now)),
    ...(changeSubjectName === undefined
      ? policy.demands.filter(({ onlyForFirst }) => !onlyForFirst).map(demandOf(csr))
      : firstNames(policy, identity, withNames(csr, changeSubjectName))),
  ];
}

function keyAndTimeOfRenewal(
  policy: Policy,
  current: Certificate,
  csr: RequestedCertificate,
  now: Date,
): readonly Check[] {
  return [
    {
      rule: 'policy.renewWithSameKey',
      check: () => {
        refuseSameKey(policy, current, csr);
      },
    },
    {
      rule: 'policy.renewAfterPercent',
      check: () => {
        refuseEarlyRenewal(policy, current, now);
      },
    },
  ];
}

function forbiddenExtensions(csr: RequestedCertificate): Check {
  return {
    rule: 'fixed: no rights of a CA, registration authority or signer',
    check: () => {
      refuseForbiddenExtensions(csr);
    },
  };
}

function namesForMany(names: CertifiedNames): Check {
  return {
    rule: 'fixed: no wildcards',
    check: () => {
      refuseNamesForMany(names);
    },
  };
}

function changeOfNames(policy: Policy): Check {
  return {
    rule: 'policy.changeSubjectName',
    check: () => {
      refuseChangeSubjectName(policy);
    },
  };
}

function demandOf(csr: RequestedCertificate): (demand: Demand) => Check {
  return ({ rule, check }) => ({
    rule,
    check: () => {
      check(csr);
    },
  });
}

/** Names that this client has not had: all that the alias grants and demands decides. */
function firstNames(policy: Policy, identity: ClientIdentity, csr: RequestedCertificate): readonly Check[] {
  const { subject, subjectAltName = [] } = csr;
  const { registrationAuthority } = identity;
  return [
    {
      rule: 'fixed: a name',
      check: () => {
        refuseNamelessSubject(subject, subjectAltName);
      },
    },
    {
      rule: 'policy.subject',
      check: () => {
        refuseOtherSubjectTypes(policy, subject);
      },
    },
    {
      rule: 'policy.subjectAltName',
      check: () => {
        refuseOtherSubjectAltNames(policy, subjectAltName);
      },
    },
    {
      rule: registrationAuthority === undefined ? 'policy.names' : 'registrationAuthorities',
      check: () => {
        if (registrationAuthority !== undefined)
          refuseNamesBeyondScope(registrationAuthority, subject, subjectAltName);
        else if (areNamesBound(policy, identity, csr))
          refuseForeignNames(identity, subject, subjectAltName, policy);
      },
    },
    ...policy.demands.map(demandOf(csr)),
  ];
}

/**
 * A certificate of this CA says who its holder is; that of a vendor has the names of the factory. Where ChangeSubjectName
 * is allowed, it asks for other names than those of the certificate.
 */
function areNamesBound(
  { names }: Policy,
  { certificate }: ClientIdentity,
  { changeSubjectName }: RequestedCertificate,
): boolean {
  if (names === 'certificate') {
    return certificate?.trustAnchor === 'explicit' && changeSubjectName === undefined;
  }
  return names === 'identity';
}

/** A vendor's subjectAltName, such as a HardwareModuleName, need not be repeated in the CSR. */
function withoutVendorsNames(
  { certificate, trustAnchor }: CertificateIdentity,
  csr: RequestedCertificate,
): RequestedCertificate {
  if (trustAnchor === 'explicit' || csr.subjectAltName !== undefined) return csr;
  return { ...csr, subjectAltName: certificate.subjectAltName };
}

/** RFC 6402, section 2.8: never ignored. */
function refuseChangeSubjectName(policy: Policy): void {
  if (!policy.changeSubjectName) {
    throw new EstError(
      'refused_by_policy',
      'The ChangeSubjectName attribute is not allowed here; names stay as they are.',
      { refusedBy: { offending: 'changeSubjectName' } },
    );
  }
}

function nothingToChange(): EstError {
  return new EstError(
    'refused_by_policy',
    'ChangeSubjectName changes the names of the TLS client certificate, and none was shown; ' +
      'leave it out and put the names into the CSR itself.',
    { refusedBy: { offending: 'changeSubjectName' } },
  );
}

/** The CSR as it would be, did it ask for these names itself. */
function withNames(
  csr: RequestedCertificate,
  { subject, subjectAltName }: CertifiedNames,
): RequestedCertificate {
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
      { refusedBy: { offending: missing('subject') } },
    );
  }
}

function refuseSameKey(policy: Policy, current: Certificate, csr: RequestedCertificate): void {
  const isSame = 'spki' in csr.publicKey && current.spki.equals(csr.publicKey.spki);
  if (!policy.renewWithSameKey && isSame) {
    throw new EstError(
      'refused_by_policy',
      'A new key is required to renew; the CSR holds the key of the old certificate.',
      { refusedBy: { offending: offendingValue('key', `SHA-256 ${csr.publicKey.sha256}`) } },
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
      { refusedBy: { offending: offendingValue('serialNumber of the certificate', current.serialNumber) } },
    );
  }
}
