/** The part of an EJBCA that signs: a key, its certificate, end entities' certificates and CRLs. */
import type { KeyObject } from 'node:crypto';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { randomSerialNumber, signCertificate } from '../../../src/pkix/certificate-write.ts';
import { signCertificateRevocationList, type RevokedCertificate } from '../../../src/pkix/crl.ts';
import {
  authorityKeyIdentifier,
  certificationAuthorityConstraints,
  cRLDistributionPoints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../../src/pkix/extensions-write.ts';
import type { Extension } from '../../../src/pkix/extensions.ts';
import type { GeneralName } from '../../../src/pkix/general-names.ts';
import type { Name } from '../../../src/pkix/names.ts';
import { createSigner, type Signer } from '../../../src/pkix/signer.ts';

/** A key of a CA with its certificate. */
export interface Authority {
  readonly certificate: Buffer;
  readonly privateKey: KeyObject;
  readonly subject: Name;
  readonly signer: Signer;
  readonly keyIdentifier: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** What a spec makes of certificates before they are signed. */
  change?: ((contents: CertificateContents) => CertificateContents) | undefined;
}

const day = 86_400_000;

/** Makes a CA, in force since a day before `now`: self-signed, or certified by another one. */
export async function createAuthority(
  subject: Name,
  keyType: 'EC' | 'RSA',
  issuer: Authority | undefined,
  now: number,
): Promise<Authority> {
  const { privateKey, publicKey } =
    keyType === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = createSigner(privateKey);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyIdentifier = sha1(spki);
  const notBefore = new Date(Math.floor(now / 1000) * 1000 - day);
  const notAfter = new Date(now + (issuer === undefined ? 7300 : 3650) * day);
  const certificate = await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: issuer?.subject ?? subject,
      subject,
      notBefore,
      notAfter,
      spki,
      extensions: [
        certificationAuthorityConstraints(undefined),
        keyUsage(['digitalSignature', 'keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(keyIdentifier),
        authorityKeyIdentifier(issuer?.keyIdentifier ?? keyIdentifier),
      ],
    },
    issuer?.signer ?? signer,
  );
  return { certificate, privateKey, subject, signer, keyIdentifier, notBefore, notAfter };
}

/** EJBCA's key identifiers need not be what RFC 5280 proposes; nobody may rely on it. */
function sha1(spki: Buffer): Buffer {
  return createHash('sha1').update(spki).digest();
}

/** What goes into the certificate of an end entity. */
export interface CertificateContents {
  readonly subject: Name;
  readonly alternativeNames: readonly GeneralName[];
  readonly spki: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extendedKeyUsage: readonly string[];
  /** Default: as RFC 5280 has it, critical where there is no subject. */
  readonly isAlternativeNameCritical?: boolean;
  /** Undefined: none. */
  readonly crlDistributionPoint?: string | undefined;
  readonly furtherExtensions?: readonly Extension[];
}

/** A certificate, its serial number in lower-case hex, and its period. */
export interface SignedCertificate {
  readonly der: Buffer;
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Issues the certificate of an end entity. It is never older than the CA's, and never outlives it. */
export async function issueCertificate(
  authority: Authority,
  contents: CertificateContents,
): Promise<SignedCertificate> {
  const serialNumber = randomSerialNumber();
  const changed = authority.change?.(contents) ?? contents;
  const { subject, alternativeNames, spki, crlDistributionPoint, furtherExtensions = [] } = changed;
  const notBefore = changed.notBefore > authority.notBefore ? changed.notBefore : authority.notBefore;
  const notAfter = changed.notAfter < authority.notAfter ? changed.notAfter : authority.notAfter;
  const isCritical = changed.isAlternativeNameCritical ?? subject.rdns.length === 0;
  const der = await signCertificate(
    {
      serialNumber,
      issuer: authority.subject,
      subject,
      notBefore,
      notAfter,
      spki,
      extensions: [
        authorityKeyIdentifier(authority.keyIdentifier),
        subjectKeyIdentifier(sha1(spki)),
        keyUsage(['digitalSignature', 'keyEncipherment']),
        ...(changed.extendedKeyUsage.length > 0 ? [extendedKeyUsage(changed.extendedKeyUsage)] : []),
        ...(alternativeNames.length > 0 ? [subjectAltName(alternativeNames, isCritical)] : []),
        ...(crlDistributionPoint === undefined ? [] : [cRLDistributionPoints([crlDistributionPoint])]),
        ...furtherExtensions,
      ],
    },
    authority.signer,
  );
  return { der, serialNumber, notBefore, notAfter };
}

/** Signs a CRL that is good for a day. */
export async function issueCrl(
  authority: Authority,
  crlNumber: number,
  revoked: readonly RevokedCertificate[],
  now: number,
): Promise<Buffer> {
  return await signCertificateRevocationList(
    {
      issuer: authority.subject,
      thisUpdate: new Date(now),
      nextUpdate: new Date(now + day),
      crlNumber,
      authorityKeyIdentifier: authority.keyIdentifier,
      revoked,
    },
    authority.signer,
  );
}
