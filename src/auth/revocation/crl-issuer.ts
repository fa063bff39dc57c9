import type { Certificate } from '../../pkix/certificate.ts';
import { namesEqual } from '../../pkix/names.ts';
import { isSignedBy } from '../../pkix/path.ts';
import { findIssuers } from '../../pkix/path/issuers.ts';
import type { RevocationQuestion } from './source.ts';

/**
 * Whether a CRL counts that bears the name of the certificate's issuer: the issuer signed it, or the same CA by another key.
 * A CA of the same name is the same CA by a certificate that links the two keys, by a path to the same trust anchor (RFC
 * 5280, section 6.3.3, step f), or because `together` lists both. `isBy` says whether a certificate's key has signed it.
 */
export async function isOfIssuer(
  keyIdentifier: Buffer | undefined,
  isBy: (issuer: Certificate) => Promise<boolean>,
  question: RevocationQuestion,
  together: readonly Certificate[],
): Promise<boolean> {
  const { issuer, configured, now } = question;
  const mayBe = ({ subjectKeyIdentifier: own }: Certificate): boolean =>
    keyIdentifier === undefined || own === undefined || own.equals(keyIdentifier);
  if (mayBe(issuer) && (await isBy(issuer))) return true;
  const namesakes = [...together, ...configured].filter(
    (candidate) =>
      namesEqual(candidate.subject, issuer.subject) &&
      mayBe(candidate) &&
      candidate.notBefore <= now &&
      now <= candidate.notAfter,
  );
  for (const candidate of namesakes) {
    if ((await isBy(candidate)) && (await isSameCa(candidate, question, together))) return true;
  }
  return false;
}

async function isSameCa(
  candidate: Certificate,
  question: RevocationQuestion,
  together: readonly Certificate[],
): Promise<boolean> {
  const { issuer, configured } = question;
  if (candidate.spki.equals(issuer.spki)) return true;
  if ([candidate, issuer].every((one) => hasKeyOf(one, together))) return true;
  return (
    (await areLinked(candidate, issuer, configured)) ||
    (await areLinked(issuer, candidate, configured)) ||
    (await leadsToAnchor(candidate, question))
  );
}

function hasKeyOf({ spki: key }: Certificate, certificates: readonly Certificate[]): boolean {
  return certificates.some(({ spki }) => spki.equals(key));
}

/** Whether a certificate of the CA for itself, as OldWithNew and NewWithOld of RFC 4210, binds the one key by the other. */
async function areLinked(
  one: Certificate,
  other: Certificate,
  configured: readonly Certificate[],
): Promise<boolean> {
  for (const link of configured) {
    const isLink =
      link.spki.equals(one.spki) &&
      namesEqual(link.subject, one.subject) &&
      namesEqual(link.issuer, one.subject);
    if (isLink && (await isSignedBy(link, other))) return true;
  }
  return false;
}

async function leadsToAnchor(
  candidate: Certificate,
  { trustAnchor, configured: intermediates, now: at }: RevocationQuestion,
): Promise<boolean> {
  const isRoot = namesEqual(trustAnchor.subject, trustAnchor.issuer);
  // A path may have been given only up to a CA below the anchor.
  const trustAnchors = isRoot
    ? [trustAnchor]
    : (await findIssuers(trustAnchor, { trustAnchors: intermediates, intermediates, at })).of(trustAnchor);
  const { of } = await findIssuers(candidate, { trustAnchors, intermediates, at });
  return of(candidate).length > 0;
}
