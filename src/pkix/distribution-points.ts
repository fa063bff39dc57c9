import type { Certificate } from './certificate.ts';
import {
  contextTag,
  DerError,
  expectTag,
  readBitString,
  readDer,
  readObjectIdentifier,
  tags,
  withTag,
  type DerNode,
} from './der.ts';
import { readExtensionValue } from './extensions.ts';
import { readGeneralNameNodes, type GeneralName } from './general-names.ts';
import { oids } from './oids.ts';

/** ReasonFlags of RFC 5280, section 4.2.1.13, in the order of their bits; the first one is not used. */
const reasonFlags = [
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
] as const;

/** Why a certificate may be revoked. */
type RevocationReason = (typeof reasonFlags)[number];

/** A set of reasons. */
export type Reasons = ReadonlySet<RevocationReason>;

/** What a complete CRL covers. */
export const allReasons: Reasons = new Set(reasonFlags);

/** Of which certificates a CRL speaks (RFC 5280, section 5.2.5). */
export interface CrlScope {
  /** Those that name one of these as their distribution point; undefined: all of the issuer's. */
  readonly names: readonly GeneralName[] | undefined;
  /** Only certificates of CAs, or only others; undefined: both. */
  readonly only: 'CAs' | 'endEntities' | undefined;
  /** Who is revoked for another reason need not be on it. */
  readonly reasons: Reasons;
  /** A text that is the same for CRLs that name the same scope, of which a newer one replaces an older one. */
  readonly text: string;
}

/** The scope of a CRL that has no issuingDistributionPoint. */
export const completeScope: CrlScope = { names: undefined, only: undefined, reasons: allReasons, text: '' };

/** Decodes the value of issuingDistributionPoint. Throws DerError, too for indirect and attribute CRLs. */
export function readIssuingDistributionPoint(value: Buffer): CrlScope {
  const { children } = expectTag(readDer(value), tags.sequence, 'The issuingDistributionPoint');
  const isSet = (n: number): boolean =>
    children.some(({ tag, content }) => tag === contextTag(n, 'primitive') && content[0] !== 0);
  if (isSet(4)) throw new DerError('It is an indirect CRL; only those of the issuer itself are used.');
  if (isSet(5)) throw new DerError('The CRL is for attribute certificates.');
  if (isSet(1) && isSet(2)) throw new DerError('The CRL is for no certificates at all.');
  const point = children.find(({ tag }) => tag === contextTag(0, 'constructed'));
  return {
    names: point === undefined ? undefined : readDistributionPointName(point),
    only: isSet(1) ? 'endEntities' : isSet(2) ? 'CAs' : undefined,
    reasons: readReasons(children.find(({ tag }) => tag === contextTag(3, 'primitive'))),
    text: value.toString('hex'),
  };
}

/** Where a certificate says that CRLs which speak of it are (RFC 5280, section 4.2.1.13). */
export interface DistributionPoint {
  /** Empty: it has none, or one relative to the name of a CRL issuer. */
  readonly names: readonly GeneralName[];
  /** A CRL from there covers no others. */
  readonly reasons: Reasons;
  /** Whether its CRLs are of somebody else than the issuer of the certificate. */
  readonly isIndirect: boolean;
}

/** The cRLDistributionPoints of a certificate. Throws DerError. */
export function distributionPointsOf({ extensions }: Certificate): readonly DistributionPoint[] {
  const points = readExtensionValue(extensions, oids.cRLDistributionPoints, readDer);
  if (points === undefined) return [];
  return expectTag(points, tags.sequence, 'The cRLDistributionPoints').children.map(({ children }) => {
    const field = (n: number, form: 'primitive' | 'constructed'): DerNode | undefined =>
      children.find(({ tag }) => tag === contextTag(n, form));
    const name = field(0, 'constructed');
    return {
      names: name === undefined ? [] : readDistributionPointName(name),
      reasons: readReasons(field(1, 'primitive')),
      isIndirect: field(2, 'constructed') !== undefined,
    };
  });
}

/** Names relative to the CRL issuer's are not compared. */
function readDistributionPointName({ children: [name] }: DerNode): readonly GeneralName[] {
  return name?.tag === contextTag(0, 'constructed') ? readGeneralNameNodes(name.children) : [];
}

/** Without the field, all. */
function readReasons(field: DerNode | undefined): Reasons {
  if (field === undefined) return allReasons;
  const { octets } = readBitString(withTag(field, tags.bitString));
  const isSet = (bit: number): boolean => (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
  return new Set(reasonFlags.filter((_, at) => isSet(at + 1)));
}

/** The points that a CRL of this scope serves; undefined: all of the issuer's certificates. */
export function pointsServedBy(
  { names }: CrlScope,
  points: readonly DistributionPoint[],
): readonly DistributionPoint[] | undefined {
  if (names === undefined) return undefined;
  return points.filter(
    (point) => !point.isIndirect && point.names.some((name) => names.some(({ der }) => der.equals(name.der))),
  );
}

/** Where CRLs of the point are fetched; http and https alone. */
export function urlsOf({ names }: DistributionPoint): readonly string[] {
  return names.flatMap(httpUrl);
}

/** Where the certificate says that OCSP responders are (RFC 5280, section 4.2.2.1); http and https alone. Throws DerError. */
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
