import type { Certificate } from '../certificate.ts';
import { namesEqual } from '../names.ts';
import { oids } from '../oids.ts';
import { objection, type Objection } from './objection.ts';
import { objectionToSignature } from './signature.ts';

/** Where issuers are looked for, and when they must be in force. */
export interface IssuerOptions {
  /** Trusted only by a path to a trust anchor; may come from the peer. */
  readonly intermediates: readonly Certificate[];
  readonly trustAnchors: readonly Certificate[];
  readonly at: Date;
}

/** The issuers of a certificate and of those above it. */
export interface Issuers {
  /** Those whose key has signed the certificate, each of them a trust anchor or signed by such an issuer itself. */
  readonly of: (certificate: Certificate) => readonly Certificate[];
  /** Why others do not count. */
  readonly failure: Objection;
}

/**
 * Finds every issuer from which signatures lead up to a trust anchor. Signatures are verified from the anchors
 * downward, so that what a peer made up costs one verification by a key that is trusted, and is looked at no further. By
 * each certificate others are sought once, however they are crossed.
 */
export async function findIssuers(leaf: Certificate, options: IssuerOptions): Promise<Issuers> {
  const named = issuersByName(leaf, options);
  const signers = new Map<Certificate, Certificate[]>();
  const reached = new Set(options.trustAnchors);
  let failure = objection('unknown_issuer', 'it leads to no trust anchor');
  // The set grows meanwhile.
  for (const issuer of reached) {
    for (const [subject, candidates] of named) {
      if (!candidates.includes(issuer)) continue;
      const found = objectionToIssuer(issuer, options.at) ?? (await objectionToSignature(subject, issuer));
      if (found === undefined) {
        signers.set(subject, [...(signers.get(subject) ?? []), issuer]);
        reached.add(subject);
      } else failure = found;
    }
  }
  return { of: (certificate) => signers.get(certificate) ?? [], failure };
}

/** By the certificates that may be in a path, those that may have issued them, by their names and key identifiers alone. */
function issuersByName(
  leaf: Certificate,
  { trustAnchors, intermediates }: IssuerOptions,
): ReadonlyMap<Certificate, readonly Certificate[]> {
  const all = [...new Set([...trustAnchors, ...intermediates])];
  const named = new Map<Certificate, readonly Certificate[]>();
  const below = new Set([leaf]);
  for (const subject of below) {
    const issuers = all.filter((issuer) => mayHaveIssued(issuer, subject));
    named.set(subject, issuers);
    for (const issuer of issuers) if (!trustAnchors.includes(issuer)) below.add(issuer);
  }
  return named;
}

/** By the names, key identifiers and keys alone. */
export function mayHaveIssued(issuer: Certificate, subject: Certificate): boolean {
  return (
    keyIdentifiersAgree(issuer.subjectKeyIdentifier, subject.authorityKeyIdentifier) &&
    namesEqual(issuer.subject, subject.issuer) &&
    !issuer.spki.equals(subject.spki)
  );
}

function keyIdentifiersAgree(ofIssuer: Buffer | undefined, named: Buffer | undefined): boolean {
  return ofIssuer === undefined || named === undefined || ofIssuer.equals(named);
}

function objectionToIssuer(issuer: Certificate, at: Date): Objection | undefined {
  if (at < issuer.notBefore || at > issuer.notAfter)
    return objection('issuer_not_valid', 'the certificate of its CA has expired or is not valid yet');
  if (issuer.basicConstraints?.cA !== true) return objection('issuer_no_ca', 'its issuer is not a CA');
  if (issuer.keyUsage?.includes('keyCertSign') === false)
    return objection('issuer_no_ca', 'its issuer may not sign certificates');
  if (hasUnknownCriticalExtension(issuer))
    return objection('critical_extension', 'the certificate of its CA has an unknown critical extension');
  return undefined;
}

/** What the validation of paths and the check for revocation process. */
const processedExtensions: ReadonlySet<string> = new Set([
  oids.cRLDistributionPoints,
  oids.ocspNoCheck,
  oids.basicConstraints,
  oids.keyUsage,
  oids.extendedKeyUsage,
  oids.subjectAltName,
  oids.nameConstraints,
  oids.certificatePolicies,
  oids.policyMappings,
  oids.policyConstraints,
  oids.inhibitAnyPolicy,
]);

/** Whether the certificate must not be used by who does not understand it (RFC 5280, section 4.2). */
export function hasUnknownCriticalExtension({ extensions }: Certificate): boolean {
  return extensions.some(({ oid, critical }) => critical && !processedExtensions.has(oid));
}
