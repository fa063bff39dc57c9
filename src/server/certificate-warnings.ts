import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import type { Configuration } from '../config/configuration.ts';
import type { LogFields } from '../ops/log.ts';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';
import { expiresSoon } from '../pkix/chain.ts';
import { nameToString } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import { x509Of } from '../pkix/x509.ts';
import { namedFiles } from './named-files.ts';

/** The certificates of one file that the configuration names. */
interface CertificateFile {
  /** The key of the configuration, such as `aliases.est.implicitTrustAnchors[0]`. */
  readonly place: string;
  readonly certificates: readonly Certificate[];
}

/**
 * What a person should know of the certificates in all files that the configuration names, and of those who may change it:
 * sentences that begin with the key of the configuration. Files that cannot be read are for who opens them.
 */
export async function certificateWarnings(
  configuration: Configuration,
  now: Date,
): Promise<readonly string[]> {
  const files = await readAll(configuration);
  const known = files.flatMap(({ certificates }) => certificates);
  const seen = new Set<string>();
  const ofEach = files.flatMap(({ place, certificates }) =>
    certificates.flatMap((certificate) => {
      if (seen.has(certificate.sha256)) return [];
      seen.add(certificate.sha256);
      return objectionsTo(certificate, now).map((text) => `${place}: ${text}`);
    }),
  );
  const ofServers = files
    .filter(({ place }) => serverCertificates.includes(place))
    .flatMap(({ place, certificates }) =>
      objectionsToServer(certificates, known).map((text) => `${place}: ${text}`),
    );
  const ofAddress = files
    .filter(({ place }) => place === 'listeners.est.certificate')
    .flatMap(({ place, certificates: [leaf] }) =>
      objectionsToAddress(leaf, configuration.listeners.est?.address).map((text) => `${place}: ${text}`),
    );
  return [...ofEach, ...ofServers, ...ofAddress, ...(await objectionsToMode(configuration.file))];
}

const serverCertificates = ['listeners.est.certificate', 'listeners.proxy.tls.certificate'];

/** Octets of a file of certificates; larger ones hold something else. */
const largestFile = 1_000_000;

async function readAll(configuration: Configuration): Promise<readonly CertificateFile[]> {
  const found = await Promise.all(
    namedFiles(configuration).map(async ({ place, path }) => ({
      place,
      certificates: await certificatesOf(path),
    })),
  );
  return found.filter(({ certificates }) => certificates.length > 0);
}

async function certificatesOf(path: string): Promise<readonly Certificate[]> {
  try {
    const found = await stat(path);
    return found.isFile() && found.size <= largestFile
      ? certificatesFromPem(await readFile(path, 'utf8'))
      : [];
  } catch {
    return [];
  }
}

const day = 86_400_000;

/** What every certificate may have against it, one sentence each. */
export function objectionsTo(certificate: Certificate, now: Date): readonly string[] {
  const name = `the certificate ${nameToString(certificate.subject)}`;
  return [dateObjection(certificate, now), strengthObjection(certificate)]
    .filter((objection) => objection !== undefined)
    .map((objection) => `${name} ${objection}.`);
}

function dateObjection(certificate: Certificate, now: Date): string | undefined {
  const { notBefore, notAfter } = certificate;
  if (now > notAfter) return `has expired, at ${notAfter.toISOString()}; renew it`;
  if (now < notBefore) return `is valid only from ${notBefore.toISOString()}; is the clock right?`;
  if (!expiresSoon(certificate, now)) return undefined;
  const days = Math.floor((notAfter.getTime() - now.getTime()) / day);
  return `expires in ${days} ${days === 1 ? 'day' : 'days'}, at ${notAfter.toISOString()}; renew it`;
}

/** The signature of a self-signed one protects nothing. */
function strengthObjection(certificate: Certificate): string | undefined {
  const x509 = x509Of(certificate.der);
  const { signatureAlgorithm = '' } = x509;
  if (/sha-?1|md[245]/i.test(signatureAlgorithm) && !x509.checkIssued(x509)) {
    return `has a signature by ${signatureAlgorithm}, which many clients refuse; issue it anew with SHA-256`;
  }
  const { modulusLength } = x509.publicKey.asymmetricKeyDetails ?? {};
  return modulusLength !== undefined && modulusLength < 2048
    ? `has an RSA key of ${modulusLength} bits, which many clients refuse; expected 2048 or more`
    : undefined;
}

function objectionsToServer(
  [leaf, ...above]: readonly Certificate[],
  known: readonly Certificate[],
): readonly string[] {
  if (leaf === undefined) return [];
  const { subjectAltName = [], extendedKeyUsage } = leaf;
  return [
    subjectAltName.some(({ type }) => type === 'dNSName' || type === 'iPAddress')
      ? undefined
      : 'the certificate has no dNSName and no iPAddress in its subjectAltName; clients look for the name of the host there.',
    extendedKeyUsage?.includes(oids.serverAuth) === false
      ? 'the certificate has no extendedKeyUsage serverAuth; clients refuse it.'
      : undefined,
    chainObjection([leaf, ...above], known),
  ].filter((objection) => objection !== undefined);
}

/** Those on which a listener takes connections to others, or to itself alone. */
const anyAddress = /^(::|0\.0\.0\.0|::1|127\..*|localhost)$/;

/** A listener of one address has clients that may know it by that. A name of the DNS may lead to an IP address. */
function objectionsToAddress(leaf: Certificate | undefined, address = '::'): readonly string[] {
  if (leaf === undefined || anyAddress.test(address)) return [];
  const x509 = x509Of(leaf.der);
  const names = (leaf.subjectAltName ?? []).flatMap((name) =>
    name.type === 'dNSName' || name.type === 'iPAddress' ? [name] : [],
  );
  const isNamed =
    isIP(address) === 0
      ? x509.checkHost(address) !== undefined
      : x509.checkIP(address) !== undefined ||
        names.some(({ type, value }) => type === 'dNSName' && value !== 'localhost');
  if (isNamed || names.length === 0) return [];
  return [
    `the certificate names ${names.map(({ value }) => value).join(', ')}, and not ${address}, where the gateway listens (listeners.est.address); clients refuse it by that name.`,
  ];
}

function chainObjection(chain: readonly Certificate[], known: readonly Certificate[]): string | undefined {
  for (const [index, certificate] of chain.entries()) {
    const next = chain[index + 1];
    if (isSelfIssued(certificate)) return undefined;
    if (next === undefined) {
      const roots = known.filter(isSelfIssued);
      if (roots.some((root) => isIssuedBy(certificate, root)) || isOfPublicRoot(certificate))
        return undefined;
      return `the file ends below ${nameToString(certificate.issuer)}, which is no root that is known here; add the intermediate certificates, if it is one.`;
    }
    if (!isIssuedBy(certificate, next)) {
      return `the certificate ${nameToString(next.subject)} has not issued the one before it; put the server's first, then each that issued the one before.`;
    }
  }
  return undefined;
}

function isSelfIssued(certificate: Certificate): boolean {
  return isIssuedBy(certificate, certificate);
}

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  return x509Of(certificate.der).checkIssued(x509Of(issuer.der));
}

function isOfPublicRoot(certificate: Certificate): boolean {
  const x509 = x509Of(certificate.der);
  // eslint-disable-next-line no-restricted-syntax -- these come from Node itself
  return rootCertificates.some((pem) => x509.checkIssued(new X509Certificate(pem)));
}

/** Whoever can write it can name other files. */
async function objectionsToMode(file: string): Promise<readonly string[]> {
  const { mode } = await stat(file);
  return (mode & 0o002) === 0
    ? []
    : ['Every user of this machine can change the configuration; "chmod o-w" ends that.'];
}

/** Whether a line of the log says when a certificate ends, of which `certificateWarnings` says more. */
export function isAboutDates(fields: LogFields = {}): boolean {
  return fields['notAfter'] !== undefined;
}
