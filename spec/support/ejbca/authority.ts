/** The part of an EJBCA that signs: a key, its certificate, end entities' certificates and CRLs. */
import type { KeyObject } from 'node:crypto';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { randomSerialNumber, signCertificate } from '../../../src/pkix/certificate-write.ts';
import { signCertificateRevocationList, type RevokedCertificate } from '../../../src/pkix/crl.ts';
import {
  authorityKeyIdentifier,
  certificationAuthorityConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../../src/pkix/extensions-write.ts';
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
  readonly notAfter: Date;
}

const day = 86_400_000;

/** Makes a CA: self-signed, or certified by another one. */
export async function createAuthority(
  subject: Name,
  keyType: 'EC' | 'RSA',
  issuer: Authority | undefined,
): Promise<Authority> {
  const { privateKey, publicKey } =
    keyType === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = createSigner(privateKey);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const keyIdentifier = sha1(spki);
  const notAfter = new Date(Date.now() + (issuer === undefined ? 7300 : 3650) * day);
  const certificate = await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: issuer?.subject ?? subject,
      subject,
      notBefore: new Date(Date.now() - day),
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
  return { certificate, privateKey, subject, signer, keyIdentifier, notAfter };
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
}

/** A certificate and its serial number, lower-case hex. */
export interface SignedCertificate {
  readonly der: Buffer;
  readonly serialNumber: string;
}

/** Issues the certificate of an end entity. It never outlives the CA. */
export async function issueCertificate(
  authority: Authority,
  contents: CertificateContents,
): Promise<SignedCertificate> {
  const serialNumber = randomSerialNumber();
  const { subject, alternativeNames, spki, notBefore, notAfter } = contents;
  const der = await signCertificate(
    {
      serialNumber,
      issuer: authority.subject,
      subject,
      notBefore,
      notAfter: notAfter < authority.notAfter ? notAfter : authority.notAfter,
      spki,
      extensions: [
        authorityKeyIdentifier(authority.keyIdentifier),
        subjectKeyIdentifier(sha1(spki)),
        keyUsage(['digitalSignature', 'keyEncipherment']),
        ...(contents.extendedKeyUsage.length > 0 ? [extendedKeyUsage(contents.extendedKeyUsage)] : []),
        ...(alternativeNames.length > 0 ? [subjectAltName(alternativeNames, subject.rdns.length === 0)] : []),
      ],
    },
    authority.signer,
  );
  return { der, serialNumber };
}

/** Signs a CRL that is good for a day. */
export async function issueCrl(
  authority: Authority,
  crlNumber: number,
  revoked: readonly RevokedCertificate[],
): Promise<Buffer> {
  return await signCertificateRevocationList(
    {
      issuer: authority.subject,
      thisUpdate: new Date(),
      nextUpdate: new Date(Date.now() + day),
      crlNumber,
      authorityKeyIdentifier: authority.keyIdentifier,
      revoked,
    },
    authority.signer,
  );
}
