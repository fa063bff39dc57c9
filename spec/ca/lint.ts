import { readCertificate, type Certificate } from '../../src/pkix/certificate.ts';
import { readDer, type DerNode } from '../../src/pkix/der.ts';
import type { Extension } from '../../src/pkix/extensions.ts';
import { oids } from '../../src/pkix/oids.ts';

interface Linted {
  readonly certificate: Certificate;
  /** Every value of the TBSCertificate and inside its extensions, from the outside in. */
  readonly nodes: readonly DerNode[];
  readonly tbs: readonly DerNode[];
  readonly signatureAlgorithm: Buffer;
}

const has = (oid: string) => (extension: Extension) => extension.oid === oid;
const critical = ({ certificate }: Linted, oid: string): boolean | undefined =>
  certificate.extensions.find(has(oid))?.critical;
const hexOf = (octets: Buffer | undefined): string => octets?.toString('hex') ?? '';

/**
 * What certificate linters look for in an end-entity certificate (RFC 5280 and RFC 6818; zlint and pkilint have
 * these under other names): each rule holds or not.
 */
const rules: Readonly<Record<string, (linted: Linted) => boolean>> = {
  'the version is 3': ({ tbs }) => hexOf(tbs[0]?.bytes) === 'a003020102',
  'the serial number is positive': ({ tbs }) => (tbs[1]?.content[0] ?? 0xff) < 0x80,
  'the serial number is not zero': ({ certificate }) => certificate.serialNumber !== '00',
  'the serial number has at most 20 octets': ({ tbs }) => (tbs[1]?.content.length ?? 99) <= 20,
  'the serial number has at least 64 bits': ({ tbs }) => (tbs[1]?.content.length ?? 0) >= 9,
  'both signature algorithms are the same': ({ tbs, signatureAlgorithm }) =>
    tbs[2]?.bytes.equals(signatureAlgorithm) ?? false,
  'the issuer has a name': ({ certificate }) => certificate.issuer.rdns.length > 0,
  'the validity has seconds and Z, UTCTime until 2049': ({ tbs }) =>
    tbs[4]?.children.length === 2 && tbs[4].children.every(isTimeOfRfc5280),
  'the validity ends after it begins': ({ certificate }) => certificate.notBefore < certificate.notAfter,
  'there are no unique identifiers': ({ tbs }) => tbs.slice(7).every(({ tag }) => tag === 0xa3),
  'no extension is there twice': ({ certificate: { extensions } }) =>
    new Set(extensions.map(({ oid }) => oid)).size === extensions.length,
  'no extension is empty': ({ certificate: { extensions } }) =>
    extensions.every(({ value }) => value.length > 2 && readDer(value).content.length > 0),
  'no FALSE is spelled out': ({ nodes }) => nodes.every(({ bytes }) => hexOf(bytes) !== '010100'),
  'the subjectKeyIdentifier is there, not critical': (linted) =>
    linted.certificate.subjectKeyIdentifier?.length === 20 &&
    critical(linted, oids.subjectKeyIdentifier) === false,
  'the authorityKeyIdentifier is there, not critical, with a key identifier alone': (linted) =>
    hexOf(linted.certificate.extensions.find(has(oids.authorityKeyIdentifier))?.value).startsWith(
      '30168014',
    ) && critical(linted, oids.authorityKeyIdentifier) === false,
  'the keyUsage is there and critical': (linted) => critical(linted, oids.keyUsage) === true,
  'the keyUsage has nothing of a CA': ({ certificate: { keyUsage = [] } }) =>
    !keyUsage.includes('keyCertSign') && !keyUsage.includes('cRLSign'),
  'the keyUsage has no zero bits at its end': ({ certificate: { extensions } }) =>
    hasMinimalBits(extensions.find(has(oids.keyUsage))?.value),
  'the extendedKeyUsage is not critical': (linted) => critical(linted, oids.extendedKeyUsage) !== true,
  'the extendedKeyUsage is not any': ({ certificate: { extendedKeyUsage = [] } }) =>
    !extendedKeyUsage.includes(oids.anyExtendedKeyUsage),
  'no extendedKeyUsage is there twice': ({ certificate: { extendedKeyUsage = [] } }) =>
    new Set(extendedKeyUsage).size === extendedKeyUsage.length,
  'the basicConstraints make no CA': ({ certificate: { basicConstraints } }) =>
    basicConstraints === undefined ||
    (!basicConstraints.cA && basicConstraints.pathLenConstraint === undefined),
  'the subjectAltName is critical just when there is no subject': (linted) =>
    critical(linted, oids.subjectAltName) === undefined
      ? linted.certificate.subject.rdns.length > 0
      : critical(linted, oids.subjectAltName) === (linted.certificate.subject.rdns.length === 0),
  'the CRL distribution points are not critical': (linted) =>
    critical(linted, oids.cRLDistributionPoints) !== true,
  'the authority information access is not critical': (linted) =>
    critical(linted, oids.authorityInfoAccess) !== true,
  'URLs are http': ({ certificate: { extensions } }) => extensions.flatMap(urlsOf).every(isHttp),
};

/** The rules that an end-entity certificate (DER) breaks. */
export function lint(der: Buffer): readonly string[] {
  const certificate = readCertificate(der);
  const { signatureAlgorithm } = certificate.signed;
  const tbs = readDer(certificate.signed.tbs);
  const values = certificate.extensions.map(({ value }) => readDer(value));
  const linted = {
    certificate,
    tbs: tbs.children,
    signatureAlgorithm: signatureAlgorithm.bytes,
    nodes: [tbs, ...values].flatMap(withDescendants),
  };
  return Object.entries(rules).flatMap(([rule, holds]) => (holds(linted) ? [] : [rule]));
}

function withDescendants(node: DerNode): readonly DerNode[] {
  return [node, ...node.children.flatMap(withDescendants)];
}

function isTimeOfRfc5280({ tag, content }: DerNode): boolean {
  const text = content.toString('latin1');
  return tag === 0x17 ? /^\d{12}Z$/.test(text) : tag === 0x18 && /^(20[5-9]|2[1-9]\d)\d{11}Z$/.test(text);
}

function hasMinimalBits(value: Buffer | undefined): boolean {
  const [unusedBits = 0, ...octets] = value?.subarray(2) ?? [];
  return ((octets.at(-1) ?? 0) & (1 << unusedBits)) !== 0;
}

/** URLs stand in GeneralNames under the tag [6]. */
function urlsOf({ oid, value }: Extension): readonly string[] {
  if (oid !== oids.cRLDistributionPoints && oid !== oids.authorityInfoAccess) return [];
  const names = withDescendants(readDer(value)).filter(({ tag }) => tag === 0x86);
  return names.map(({ content }) => content.toString('latin1'));
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:';
}
