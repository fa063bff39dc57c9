import type { Certificate } from './certificate.ts';
import { contextTag, DerError, expectTag, readDer, readObjectIdentifier, tags, type DerNode } from './der.ts';
import { readExtensionValue } from './extensions.ts';
import { readGeneralNameNodes, type GeneralName } from './general-names.ts';
import { oids } from './oids.ts';

/** Of which certificates a CRL speaks (RFC 5280, section 5.2.5). */
export interface CrlScope {
  /** Those that name one of these as their distribution point; undefined: all of the issuer's. */
  readonly names: readonly GeneralName[] | undefined;
  /** Only certificates of CAs, or only others; undefined: both. */
  readonly only: 'CAs' | 'endEntities' | undefined;
}

/** Decodes the value of issuingDistributionPoint. Throws DerError, too for indirect, partial and attribute CRLs. */
export function readIssuingDistributionPoint(value: Buffer): CrlScope {
  const { children } = expectTag(readDer(value), tags.sequence, 'The issuingDistributionPoint');
  const isSet = (n: number): boolean =>
    children.some(({ tag, content }) => tag === contextTag(n, 'primitive') && content[0] !== 0);
  if (isSet(4)) throw new DerError('It is an indirect CRL; only those of the issuer itself are used.');
  if (isSet(3)) throw new DerError('The CRL is for some reasons of revocation alone.');
  if (isSet(5)) throw new DerError('The CRL is for attribute certificates.');
  const point = children.find(({ tag }) => tag === contextTag(0, 'constructed'));
  return {
    names: point === undefined ? undefined : readDistributionPointName(point),
    only: isSet(1) ? 'endEntities' : isSet(2) ? 'CAs' : undefined,
  };
}

/** Whether the CRL speaks of this certificate, if both have the same issuer (RFC 5280, section 6.3.3, step b). */
export function isInScope({ names, only }: CrlScope, certificate: Certificate): boolean {
  const isCa = certificate.basicConstraints?.cA === true;
  if (only !== undefined && isCa !== (only === 'CAs')) return false;
  if (names === undefined) return true;
  const own = distributionPointNames(certificate);
  return names.some(({ der }) => own.some((name) => name.der.equals(der)));
}

/** Where the certificate says that complete CRLs of its issuer are; http and https alone. */
export function crlUrlsOf(certificate: Certificate): readonly string[] {
  return distributionPointNames(certificate).flatMap(httpUrl);
}

/** Where the certificate says that OCSP responders are (RFC 5280, section 4.2.2.1); http and https alone. */
export function ocspUrlsOf({ extensions }: Certificate): readonly string[] {
  const descriptions = readExtensionValue(extensions, oids.authorityInfoAccess, readDer)?.children ?? [];
  return descriptions.flatMap(({ children: [method, location] }) =>
    method !== undefined && location !== undefined && readObjectIdentifier(method) === oids.ocsp
      ? readGeneralNameNodes([location]).flatMap(httpUrl)
      : [],
  );
}

function httpUrl(name: GeneralName): readonly string[] {
  return name.type === 'uniformResourceIdentifier' && /^https?:\/\//i.test(name.value) ? [name.value] : [];
}

/** RFC 5280, section 4.2.1.13; without points for some reasons alone, and those of indirect CRLs. */
function distributionPointNames({ extensions }: Certificate): readonly GeneralName[] {
  const points = readExtensionValue(extensions, oids.cRLDistributionPoints, readDer)?.children ?? [];
  return points.flatMap(({ children }) => {
    const [name, ...restrictions] = children;
    const isComplete = name?.tag === contextTag(0, 'constructed') && restrictions.length === 0;
    return isComplete ? readDistributionPointName(name) : [];
  });
}

/** Names relative to the issuer's are used by nobody. */
function readDistributionPointName({ children: [name] }: DerNode): readonly GeneralName[] {
  return name?.tag === contextTag(0, 'constructed') ? readGeneralNameNodes(name.children) : [];
}
