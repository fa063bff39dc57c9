import { createPrivateKey, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { certificatesFromPem, certificateToPem } from '../../pkix/certificate.ts';
import { randomSerialNumber, signCertificate } from '../../pkix/certificate-write.ts';
import {
  authorityKeyIdentifier,
  certificationAuthorityConstraints,
  extendedKeyUsage,
  keyIdentifierOf,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../pkix/extensions-write.ts';
import { dNSName, iPAddress } from '../../pkix/general-names.ts';
import { nameFromAttributes, type Name } from '../../pkix/names.ts';
import { oids } from '../../pkix/oids.ts';
import { createSigner, generateSigningKey } from '../../pkix/signer.ts';

/** What a new local CA is made from. */
export interface NewCertificationAuthority {
  /** The organisation or purpose; the certificates are named `NAME Root CA` and `NAME Issuing CA`. */
  readonly name: string;
  /** Encrypts both private keys. */
  readonly passphrase: string;
  readonly now: Date;
}

/** A two-tier CA; every text is PEM, the keys are encrypted PKCS#8. */
export interface CreatedCertificationAuthority {
  readonly rootCertificate: string;
  readonly rootKey: string;
  readonly issuingCertificate: string;
  readonly issuingKey: string;
}

const day = 86_400_000;

/** CA and server certificates are valid from an hour ago (milliseconds), for clients whose clock is behind. */
export const backdate = 3_600_000;

/** Longest commonName (RFC 5280, appendix A.1). */
const longestCommonName = 64;

/**
 * Makes a root of 20 years and below it an issuing CA of 10 years that may not make further CAs, both P-256.
 * The root signs no CRL, so the issuing certificate names none.
 */
export async function createLocalCertificationAuthority({
  name,
  passphrase,
  now,
}: NewCertificationAuthority): Promise<CreatedCertificationAuthority> {
  const root = await generateSigningKey();
  const issuing = await generateSigningKey();
  const rootName = commonName(`${name} Root CA`);
  const rootKeyIdentifier = keyIdentifierOf(root.spki);
  const shared = { issuer: rootName, notBefore: new Date(now.getTime() - backdate) };
  const caKeyUsage = keyUsage(['keyCertSign', 'cRLSign']);
  const signer = createSigner(root.privateKey);

  const rootCertificate = await signCertificate(
    {
      ...shared,
      serialNumber: randomSerialNumber(),
      subject: rootName,
      notAfter: yearsAfter(now, 20),
      spki: root.spki,
      extensions: [
        certificationAuthorityConstraints(undefined),
        caKeyUsage,
        subjectKeyIdentifier(rootKeyIdentifier),
        authorityKeyIdentifier(rootKeyIdentifier),
      ],
    },
    signer,
  );
  const issuingCertificate = await signCertificate(
    {
      ...shared,
      serialNumber: randomSerialNumber(),
      subject: commonName(`${name} Issuing CA`),
      notAfter: yearsAfter(now, 10),
      spki: issuing.spki,
      extensions: [
        certificationAuthorityConstraints(0),
        caKeyUsage,
        subjectKeyIdentifier(keyIdentifierOf(issuing.spki)),
        authorityKeyIdentifier(rootKeyIdentifier),
      ],
    },
    signer,
  );
  return {
    rootCertificate: certificateToPem(rootCertificate),
    rootKey: encryptPrivateKey(root.privateKey, passphrase),
    issuingCertificate: certificateToPem(issuingCertificate),
    issuingKey: encryptPrivateKey(issuing.privateKey, passphrase),
  };
}

/** What a TLS server certificate is made from; the issuing CA as `createLocalCertificationAuthority` gives it. */
export interface NewServerCertificate {
  /** PEM. */
  readonly issuingCertificate: string;
  /** PEM, PKCS#8, encrypted with the passphrase. */
  readonly issuingKey: string;
  readonly passphrase: string;
  /** Names or addresses; localhost and its addresses are added. */
  readonly hostnames: readonly string[];
  readonly now: Date;
}

/**
 * Makes a P-256 key and a TLS server certificate of 397 days, the longest that browsers accept. Both texts are
 * PEM; the key is PKCS#8 and not encrypted.
 */
export async function createServerCertificate({
  issuingCertificate,
  issuingKey,
  passphrase,
  hostnames,
  now,
}: NewServerCertificate): Promise<{ readonly certificate: string; readonly key: string }> {
  const [issuer] = certificatesFromPem(issuingCertificate);
  if (issuer === undefined) throw new Error('The issuing certificate is missing.');
  const { privateKey, spki } = await generateSigningKey();
  const names = [...new Set([...hostnames, 'localhost', '127.0.0.1', '::1'])];
  const notAfter = now.getTime() - backdate + 397 * day - 1000;
  const certificate = await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: issuer.subject,
      subject: commonName(names.find((name) => name.length <= longestCommonName) ?? 'localhost'),
      notBefore: new Date(now.getTime() - backdate),
      notAfter: new Date(Math.min(notAfter, issuer.notAfter.getTime())),
      spki,
      extensions: [
        authorityKeyIdentifier(issuer.subjectKeyIdentifier ?? keyIdentifierOf(issuer.spki)),
        subjectKeyIdentifier(keyIdentifierOf(spki)),
        keyUsage(['digitalSignature']),
        extendedKeyUsage([oids.serverAuth]),
        subjectAltName(
          names.map((name) => (isIP(name) === 0 ? dNSName(name) : iPAddress(name))),
          false,
        ),
      ],
    },
    createSigner(createPrivateKey({ key: issuingKey, passphrase })),
  );
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { certificate: certificateToPem(certificate), key: key.toString() };
}

/** A private key as PKCS#8 PEM, encrypted with AES-256 under a passphrase. */
export function encryptPrivateKey(privateKey: KeyObject, passphrase: string): string {
  const cipher = 'aes-256-cbc';
  return privateKey.export({ type: 'pkcs8', format: 'pem', cipher, passphrase }).toString();
}

/** The same day and time some years later. */
export function yearsAfter(date: Date, years: number): Date {
  const later = new Date(date);
  later.setUTCFullYear(date.getUTCFullYear() + years);
  return later;
}

function commonName(value: string): Name {
  if (value.length > longestCommonName) {
    throw new Error(`The name ${value} is too long: a common name may have at most 64 characters.`);
  }
  return nameFromAttributes([{ type: oids.commonName, value }]);
}
