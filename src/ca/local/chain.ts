import { X509Certificate, type KeyObject } from 'node:crypto';
import type { Certificate } from '../../pkix/certificate.ts';
import { namesEqual, nameToString } from '../../pkix/names.ts';

/**
 * The chain from the issuing certificate to its self-signed root, out of certificates in any order. Each must
 * be a CA that may have the ones below it, and none may be left over. Throws an Error with a plain sentence.
 */
export function orderChain(issuing: Certificate, above: readonly Certificate[]): readonly Certificate[] {
  requireDistinct('chain', [issuing, ...above]);
  const chain = [issuing];
  const left = new Set(above);
  for (let last = issuing; !isIssuedBy(last, last);) {
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
 * Refuses what must not stand beside the chain in `cacerts`: an end entity, a certificate that nobody in the
 * bag signed, and a retired root that would look newer than the current one (RFC 7030, section 4.1.3).
 */
export function checkRollover(rollover: readonly Certificate[], chain: readonly Certificate[]): void {
  const bag = [...chain, ...rollover];
  const root = chain.at(-1);
  requireDistinct('rolloverCertificates', bag);
  for (const certificate of rollover) {
    requireMayIssue(certificate);
    if (!bag.some((issuer) => isIssuedBy(certificate, issuer))) {
      throw new Error(
        `rolloverCertificates: nobody in the chain or here has signed ${describe(certificate)}.`,
      );
    }
    if (root !== undefined && isIssuedBy(certificate, certificate) && certificate.notAfter >= root.notAfter) {
      throw new Error(
        `rolloverCertificates: the retired root ${describe(certificate)} must end before the current root, ` +
          'since clients take the one that ends last for the current one.',
      );
    }
  }
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
    namesEqual(certificate.issuer, issuer.subject) &&
    new X509Certificate(certificate.der).verify(publicKeyOf(issuer))
  );
}

function publicKeyOf(certificate: Certificate): KeyObject {
  try {
    return new X509Certificate(certificate.der).publicKey;
  } catch (error) {
    throw new Error(`chain: the public key of ${describe(certificate)} cannot be read.`, { cause: error });
  }
}

function describe({ subject }: Certificate): string {
  return nameToString(subject);
}
