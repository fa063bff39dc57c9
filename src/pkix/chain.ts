import type { KeyObject } from 'node:crypto';
import type { Certificate } from './certificate.ts';
import { namesEqual, nameToString } from './names.ts';
import { x509Of } from './x509.ts';

/**
 * The chain from the issuing certificate to its self-signed root, out of certificates in any order. Each must
 * be a CA that may have the ones below it, and none may be left over. Throws an Error with a plain sentence.
 */
export function orderChain(issuing: Certificate, above: readonly Certificate[]): readonly Certificate[] {
  requireDistinct('chain', [issuing, ...above]);
  const chain = [issuing];
  const left = new Set(above);
  for (let last = issuing; !isRoot(last);) {
    const issuer = [...left].find((candidate) => isIssuedBy(last, candidate));
    if (issuer === undefined) throw incomplete(last);
    left.delete(issuer);
    chain.push(issuer);
    last = issuer;
  }
  const [unused] = left;
  if (unused !== undefined) {
    throw new Error(`chain: ${describe(unused)} is not above the CA certificate; remove it from the chain.`);
  }
  chain.forEach(requireCertificationAuthority);
  return chain;
}

/**
 * What `cacerts` gives: the certificates of a CA, and others that its clients need, such as those around a change of
 * the root (RFC 7030, section 4.1.3). Refuses an end entity, duplicates, a certificate that nobody in the bag signed,
 * a bag without a root, and a retired root that would look newer than the current one. Throws an Error with a plain
 * sentence.
 */
export function caCertificateBag(
  chain: readonly Certificate[],
  additional: readonly Certificate[],
): readonly Certificate[] {
  const bag = [...chain, ...additional];
  requireDistinct('additionalCaCertificates', bag);
  bag.forEach(requireMayIssue);
  for (const certificate of additional) {
    if (!bag.some((issuer) => isIssuedBy(certificate, issuer))) {
      throw new Error(
        `additionalCaCertificates: nobody in the CA's chain or here has signed ${describe(certificate)}.`,
      );
    }
  }
  requireNewestRoot(chain.filter(isRoot), additional.filter(isRoot));
  return bag;
}

/**
 * The certificates in the chain of a CA, in any order, that have signed no other one in it: those of the CA that issues
 * to end entities.
 */
export function issuingCertificates(chain: readonly Certificate[]): readonly Certificate[] {
  return chain.filter((issuer) => !chain.some((other) => other !== issuer && isIssuedBy(other, issuer)));
}

function requireNewestRoot(current: readonly Certificate[], others: readonly Certificate[]): void {
  const [root] = [...current, ...others];
  if (root === undefined) {
    throw new Error("additionalCaCertificates: the CA's chain has no self-signed root; add the root here.");
  }
  const lasting = current.length === 0 ? undefined : others.find(({ notAfter }) => notAfter >= root.notAfter);
  if (lasting !== undefined) {
    throw new Error(
      `additionalCaCertificates: the retired root ${describe(lasting)} must end before the current root, ` +
        'since clients take the one that ends last for the current one.',
    );
  }
}

function isRoot(certificate: Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

/** Throws when the certificate is not valid at the moment. */
export function requireInDate(certificate: Certificate, now: Date): void {
  if (now < certificate.notBefore) {
    throw new Error(
      `The certificate ${describe(certificate)} is valid only from ${certificate.notBefore.toISOString()}; is the clock right?`,
    );
  }
  if (now > certificate.notAfter) {
    throw new Error(
      `The certificate ${describe(certificate)} expired at ${certificate.notAfter.toISOString()}; renew the CA.`,
    );
  }
}

const soon = 30 * 24 * 3_600_000;

/** Whether the certificate ends within 30 days, or has ended. */
export function expiresSoon({ notAfter }: Pick<Certificate, 'notAfter'>, now: Date): boolean {
  return notAfter.getTime() < now.getTime() + soon;
}

function incomplete(last: Certificate): Error {
  return new Error(
    `chain: the issuer of ${describe(last)}, ${nameToString(last.issuer)}, is missing; ` +
      'the chain must lead up to the self-signed root.',
  );
}

function requireCertificationAuthority(certificate: Certificate, certificatesBelow: number): void {
  requireMayIssue(certificate);
  const pathLength = certificate.basicConstraints?.pathLenConstraint ?? Infinity;
  if (pathLength < certificatesBelow) {
    throw new Error(
      `chain: ${describe(certificate)} allows ${pathLength} CA certificates below it, but there are ${certificatesBelow}.`,
    );
  }
}

function requireMayIssue(certificate: Certificate): void {
  const mayIssue = certificate.keyUsage?.includes('keyCertSign') ?? true;
  if (certificate.basicConstraints?.cA !== true || !mayIssue) {
    throw new Error(
      `${describe(certificate)} may not issue certificates: expected basicConstraints with CA:TRUE, ` +
        'and a keyUsage that has keyCertSign.',
    );
  }
}

function requireDistinct(option: string, certificates: readonly Certificate[]): void {
  if (new Set(certificates.map(({ sha256 }) => sha256)).size < certificates.length) {
    throw new Error(`${option}: the same certificate is there twice; remove one.`);
  }
}

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return (
    namesEqual(certificate.issuer, issuer.subject) && x509Of(certificate.der).verify(publicKeyOf(issuer))
  );
}

function publicKeyOf(certificate: Certificate): KeyObject {
  try {
    return x509Of(certificate.der).publicKey;
  } catch (error) {
    throw new Error(`chain: the public key of ${describe(certificate)} cannot be read.`, { cause: error });
  }
}

function describe({ subject }: Certificate): string {
  return nameToString(subject);
}
