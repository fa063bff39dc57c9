import type { CertificateFault } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { namesEqual } from './names.ts';
import { nameOfOid, oids } from './oids.ts';
import { objectionToPolicies } from './path/certificate-policies.ts';
import {
  findIssuers,
  hasUnknownCriticalExtension,
  type IssuerOptions,
  type Issuers,
} from './path/issuers.ts';
import { objectionToNames } from './path/name-constraints.ts';
import { checked, objection, type Objection } from './path/objection.ts';
import { objectionToSignature } from './path/signature.ts';

/** No path leads from the certificate to a trust anchor. The message says of the certificate why: `it has expired`. */
export class PathError extends Error {
  override readonly name = 'PathError';
  readonly fault: CertificateFault;

  constructor({ fault, text }: Objection) {
    super(text);
    this.fault = fault;
  }
}

/** From what and for when a path is built. */
export interface PathOptions extends IssuerOptions {
  /** Extended key usages of which the client's certificate must have one, if it has any; default: clientAuth. */
  readonly purposes?: readonly string[];
  /** Certificate policies of which the path must be valid under one; default: any, or none. */
  readonly policies?: readonly string[];
  /** Milliseconds that the client's certificate, and no other, may have expired ago; default: 0. */
  readonly expiredFor?: number;
}

const longestPath = 10;

/**
 * Finds a valid path from a client's certificate to a trust anchor (RFC 5280, section 6) and gives it, the client's
 * certificate first. Checked are signatures, names and their constraints, the dates of every certificate,
 * basicConstraints, key usages, certificate policies and unknown critical extensions. What is dear to check is looked at
 * when the signatures of a path are right. Throws PathError.
 */
export async function validatePath(leaf: Certificate, options: PathOptions): Promise<readonly Certificate[]> {
  const found = objectionToClient(leaf, options);
  if (found !== undefined) throw new PathError(found);
  const outcome = extendPath([leaf], leaf, await findIssuers(leaf, options), options);
  if (isObjection(outcome)) throw new PathError(outcome);
  return outcome;
}

/** Tries every issuer; gives the path to a trust anchor, or why the last attempt failed. */
function extendPath(
  path: readonly Certificate[],
  last: Certificate,
  issuers: Issuers,
  options: PathOptions,
): readonly Certificate[] | Objection {
  let { failure } = issuers;
  for (const issuer of issuers.of(last)) {
    if (hasKeyOf(issuer, path)) continue;
    const longer = [...path, issuer];
    const outcome = objectionToLength(issuer, path) ?? continuePath(longer, issuer, issuers, options);
    if (!isObjection(outcome)) return outcome;
    failure = outcome;
  }
  return failure;
}

function continuePath(
  path: readonly Certificate[],
  last: Certificate,
  issuers: Issuers,
  options: PathOptions,
): readonly Certificate[] | Objection {
  if (options.trustAnchors.includes(last)) return objectionToPath(path, options) ?? path;
  if (path.length === longestPath) return objection('path_length', 'its path is too long');
  return extendPath(path, last, issuers, options);
}

function isObjection(outcome: readonly Certificate[] | Objection): outcome is Objection {
  return 'fault' in outcome;
}

/** No key occurs twice in a path (RFC 4158, section 5.2), so cross certificates cannot send us in circles. */
function hasKeyOf({ spki: key }: Certificate, path: readonly Certificate[]): boolean {
  return path.some(({ spki }) => spki.equals(key));
}

function objectionToClient(
  certificate: Certificate,
  { at, purposes = [oids.clientAuth], expiredFor = 0 }: PathOptions,
): Objection | undefined {
  const { keyUsage, extendedKeyUsage } = certificate;
  if (at < certificate.notBefore) return objection('not_yet_valid', 'it is not valid yet');
  if (at.getTime() > certificate.notAfter.getTime() + expiredFor)
    return objection('expired', 'it has expired');
  if (hasUnknownCriticalExtension(certificate))
    return objection('critical_extension', 'it has an unknown critical extension');
  if (keyUsage?.includes('digitalSignature') === false)
    return objection('key_usage', 'its keyUsage lacks digitalSignature');
  const accepted = [...purposes, oids.anyExtendedKeyUsage];
  if (extendedKeyUsage?.some((oid) => accepted.includes(oid)) === false)
    return objection(
      'extended_key_usage',
      `its extendedKeyUsage lacks ${purposes.map(nameOfOid).join(' or ')}`,
    );
  return undefined;
}

function objectionToLength(
  { basicConstraints }: Certificate,
  path: readonly Certificate[],
): Objection | undefined {
  const casBelow = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  return casBelow > (basicConstraints?.pathLenConstraint ?? casBelow)
    ? objection('path_length', 'its path is longer than a CA in it allows')
    : undefined;
}

const malformedExtension = objection('malformed', 'its path has a malformed extension');

/** What the whole path has to fulfil. */
function objectionToPath(
  path: readonly Certificate[],
  { policies, purposes }: PathOptions,
): Objection | undefined {
  return (
    objectionToPurposes(path, purposes) ??
    checked(() => objectionToNamesIn(path), 'name_constraints', malformedExtension) ??
    checked(() => objectionToPolicies(path, policies), 'certificate_policies', malformedExtension)
  );
}

/** A CA with extended key usages vouches for no others: one purpose must be left from the top to the bottom. */
function objectionToPurposes(
  path: readonly Certificate[],
  purposes: readonly string[] = [oids.clientAuth],
): Objection | undefined {
  const isFor = ({ extendedKeyUsage }: Certificate, purpose: string): boolean =>
    extendedKeyUsage?.some((oid) => oid === purpose || oid === oids.anyExtendedKeyUsage) !== false;
  if (purposes.some((purpose) => path.every((certificate) => isFor(certificate, purpose)))) return undefined;
  return objection(
    'extended_key_usage',
    `the extendedKeyUsage of a CA in its path lacks ${purposes.map(nameOfOid).join(' or ')}`,
  );
}

/** Self-issued certificates of CAs, as at a change of keys, are exempt from constraints on names. */
function objectionToNamesIn(path: readonly Certificate[]): string | undefined {
  return path
    .flatMap((issuer, height) =>
      path
        .slice(0, height)
        .filter((certificate, at) => at === 0 || !isSelfIssued(certificate))
        .map((certificate) => objectionToNames(certificate, issuer)),
    )
    .find((objection) => objection !== undefined);
}

function isSelfIssued({ issuer, subject }: Certificate): boolean {
  return namesEqual(issuer, subject);
}

/** Whether the signature of a certificate is right by the key of another one; nothing else is looked at. */
export async function isSignedBy(subject: Certificate, issuer: Certificate): Promise<boolean> {
  return (await objectionToSignature(subject, issuer)) === undefined;
}
