import { EstError, type CertificateFault } from '../errors.ts';
import { readSignedCertificate, type Certificate } from './certificate.ts';
import { objectionToPolicies } from './certificate-policies.ts';
import { DerError, readBitString, readDer } from './der.ts';
import { decodePublicKey, type PublicKey } from './keys.ts';
import { objectionToNames } from './name-constraints.ts';
import { namesEqual } from './names.ts';
import { nameOfOid, oids } from './oids.ts';
import { verifySignature } from './signature.ts';

/** No path leads from the certificate to a trust anchor. The message says of the certificate why: `it has expired`. */
export class PathError extends Error {
  override readonly name = 'PathError';
  readonly fault: CertificateFault;

  constructor({ fault, text }: Objection) {
    super(text);
    this.fault = fault;
  }
}

/** Why a certificate does not count: a stable word, and what follows "it is refused: ". */
interface Objection {
  readonly fault: CertificateFault;
  readonly text: string;
}

function objection(fault: CertificateFault, text: string): Objection {
  return { fault, text };
}

/** From what and for when a path is built. */
export interface PathOptions {
  /** Trusted only by a path to a trust anchor; may come from the peer. */
  readonly intermediates: readonly Certificate[];
  readonly trustAnchors: readonly Certificate[];
  readonly at: Date;
  /** Extended key usages of which the client's certificate must have one, if it has any; default: clientAuth. */
  readonly purposes?: readonly string[];
  /** Certificate policies of which the path must be valid under one; default: any, or none. */
  readonly policies?: readonly string[];
  /** Milliseconds that the client's certificate, and no other, may have expired ago; default: 0. */
  readonly expiredFor?: number;
}

const longestPath = 10;

/** What this file and those beside it process. */
const processedExtensions: ReadonlySet<string> = new Set([
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

/**
 * Finds a valid path from a client's certificate to a trust anchor (RFC 5280, section 6) and gives it, the client's
 * certificate first. Checked are signatures, names and their constraints, the dates of every certificate,
 * basicConstraints, key usages, certificate policies and unknown critical extensions. Throws PathError.
 */
export async function validatePath(leaf: Certificate, options: PathOptions): Promise<readonly Certificate[]> {
  const found = objectionToClient(leaf, options);
  if (found !== undefined) throw new PathError(found);
  const outcome = await extendPath([leaf], leaf, options);
  if (isObjection(outcome)) throw new PathError(outcome);
  return outcome;
}

/** Tries every issuer whose name fits; gives the path to a trust anchor, or why the last attempt failed. */
async function extendPath(
  path: readonly Certificate[],
  last: Certificate,
  options: PathOptions,
): Promise<readonly Certificate[] | Objection> {
  let failure = objection('unknown_issuer', 'it leads to no trust anchor');
  for (const issuer of [...options.trustAnchors, ...options.intermediates]) {
    if (!mayHaveIssued(issuer, last, path)) continue;
    const longer = [...path, issuer];
    const outcome =
      (await objectionToIssuer(issuer, last, path, options.at)) ??
      (await continuePath(longer, issuer, options));
    if (!isObjection(outcome)) return outcome;
    failure = outcome;
  }
  return failure;
}

function isObjection(outcome: readonly Certificate[] | Objection): outcome is Objection {
  return 'fault' in outcome;
}

async function continuePath(
  path: readonly Certificate[],
  last: Certificate,
  options: PathOptions,
): Promise<readonly Certificate[] | Objection> {
  if (options.trustAnchors.includes(last))
    return (
      (await checked(
        () => objectionToPolicies(path, options.policies),
        'certificate_policies',
        malformedExtension,
      )) ?? path
    );
  if (path.length === longestPath) return objection('path_length', 'its path is too long');
  return await extendPath(path, last, options);
}

/** No key occurs twice in a path (RFC 4158, section 5.2), so cross certificates cannot send us in circles. */
function mayHaveIssued(issuer: Certificate, subject: Certificate, path: readonly Certificate[]): boolean {
  return (
    namesEqual(issuer.subject, subject.issuer) &&
    keyIdentifiersAgree(issuer.subjectKeyIdentifier, subject.authorityKeyIdentifier) &&
    !path.some(({ spki }) => spki.equals(issuer.spki))
  );
}

function keyIdentifiersAgree(ofIssuer: Buffer | undefined, named: Buffer | undefined): boolean {
  return ofIssuer === undefined || named === undefined || ofIssuer.equals(named);
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

async function objectionToIssuer(
  issuer: Certificate,
  subject: Certificate,
  path: readonly Certificate[],
  at: Date,
): Promise<Objection | undefined> {
  const { basicConstraints, keyUsage } = issuer;
  if (at < issuer.notBefore || at > issuer.notAfter)
    return objection('issuer_not_valid', 'the certificate of its CA has expired or is not valid yet');
  if (basicConstraints?.cA !== true) return objection('issuer_no_ca', 'its issuer is not a CA');
  if (keyUsage?.includes('keyCertSign') === false)
    return objection('issuer_no_ca', 'its issuer may not sign certificates');
  if (hasUnknownCriticalExtension(issuer))
    return objection('critical_extension', 'the certificate of its CA has an unknown critical extension');
  const casBelow = path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length;
  if (casBelow > (basicConstraints.pathLenConstraint ?? casBelow))
    return objection('path_length', 'its path is longer than a CA in it allows');
  return (
    (await checked(() => objectionToNamesBelow(issuer, path), 'name_constraints', malformedExtension)) ??
    (await checked(() => objectionToSignature(subject, issuer), 'signature', unacceptedSignature))
  );
}

/** Self-issued certificates of CAs, as at a change of keys, are exempt from constraints on names. */
function objectionToNamesBelow(issuer: Certificate, path: readonly Certificate[]): string | undefined {
  return path
    .filter((certificate, at) => at === 0 || !isSelfIssued(certificate))
    .map((certificate) => objectionToNames(certificate, issuer))
    .find((objection) => objection !== undefined);
}

const malformedExtension = objection('malformed', 'its path has a malformed extension');
const unacceptedSignature = objection(
  'signature',
  'its path has a key or signature of a kind that is not accepted',
);

/** What is malformed, or of a kind that is not accepted, is an objection too. */
async function checked(
  look: () => string | undefined | Promise<string | undefined>,
  fault: CertificateFault,
  failure: Objection,
): Promise<Objection | undefined> {
  try {
    const text = await look();
    return text === undefined ? undefined : objection(fault, text);
  } catch (error) {
    if (error instanceof EstError || error instanceof DerError) return failure;
    throw error;
  }
}

function hasUnknownCriticalExtension({ extensions }: Certificate): boolean {
  return extensions.some(({ oid, critical }) => critical && !processedExtensions.has(oid));
}

function isSelfIssued({ issuer, subject }: Certificate): boolean {
  return namesEqual(issuer, subject);
}

/** Whether the signature of a certificate is right by the key of another one; nothing else is looked at. */
export async function isSignedBy(subject: Certificate, issuer: Certificate): Promise<boolean> {
  const found = await checked(() => objectionToSignature(subject, issuer), 'signature', unacceptedSignature);
  return found === undefined;
}

async function objectionToSignature(subject: Certificate, issuer: Certificate): Promise<string | undefined> {
  if (signedBy.get(subject)?.has(issuer) === true) return undefined;
  const { tbs, signatureAlgorithm, signature } = readSignedCertificate(subject.der);
  const octets = readBitString(signature).octets;
  if (!(await verifySignature(signatureAlgorithm, publicKeyOf(issuer), tbs.bytes, octets))) {
    return 'a signature in its path is wrong';
  }
  remember(subject, issuer);
  return undefined;
}

/** Signatures found right, and keys: certificates never change, and those of CAs and busy clients are kept. */
const signedBy = new WeakMap<Certificate, WeakSet<Certificate>>();
const publicKeys = new WeakMap<Certificate, PublicKey>();

function remember(subject: Certificate, issuer: Certificate): void {
  const issuers = signedBy.get(subject) ?? new WeakSet();
  issuers.add(issuer);
  signedBy.set(subject, issuers);
}

function publicKeyOf(certificate: Certificate): PublicKey {
  const known = publicKeys.get(certificate);
  if (known !== undefined) return known;
  const publicKey = decodePublicKey(readDer(certificate.spki));
  publicKeys.set(certificate, publicKey);
  return publicKey;
}
