/** Certificates of a CA that does not issue what was approved. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { certificatesFromPem, type Certificate } from '../../src/pkix/certificate.ts';
import { randomSerialNumber, signCertificate } from '../../src/pkix/certificate-write.ts';
import { extendedKeyUsage, keyUsage, subjectAltName } from '../../src/pkix/extensions-write.ts';
import type { Extension } from '../../src/pkix/extensions.ts';
import { dNSName, type GeneralName } from '../../src/pkix/general-names.ts';
import { nameFromAttributes, type Name } from '../../src/pkix/names.ts';
import { oids } from '../../src/pkix/oids.ts';
import { createSigner } from '../../src/pkix/signer.ts';
import type { CaTexts } from '../ca/setup.ts';

/** What goes into the certificate of a device. */
export interface Contents {
  readonly subject: Name;
  readonly alternativeNames: readonly GeneralName[];
  readonly spki: Buffer;
  readonly extendedKeyUsage: readonly string[];
  readonly furtherExtensions?: readonly Extension[];
}

const foreignKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  type: 'spki',
  format: 'der',
});

const withSubject = (
  contents: Contents,
  attributes: readonly { type: string; value: string }[],
): Contents => ({
  ...contents,
  subject: nameFromAttributes(attributes),
});

/** What a CA can make of what was approved; each is one change. */
export const certificateChanges = {
  none: (contents: Contents) => contents,
  'subject changed': (contents: Contents) =>
    withSubject(contents, [{ type: oids.commonName, value: 'somebody else' }]),
  'attribute added': (contents: Contents) =>
    withSubject(contents, [...contents.subject.rdns.flat(), { type: oids.countryName, value: 'SE' }]),
  'subject reordered': (contents: Contents) =>
    withSubject(contents, contents.subject.rdns.flat().toReversed()),
  'SAN added': (contents: Contents) => ({
    ...contents,
    alternativeNames: [...contents.alternativeNames, dNSName('other.example')],
  }),
  'SAN dropped': (contents: Contents) => ({ ...contents, alternativeNames: [] }),
  'other key': (contents: Contents) => ({ ...contents, spki: foreignKey }),
  'forbidden purpose': (contents: Contents) => ({
    ...contents,
    extendedKeyUsage: [...contents.extendedKeyUsage, oids.codeSigning],
  }),
  'forbidden extension': (contents: Contents) => ({
    ...contents,
    furtherExtensions: [{ oid: oids.ocspNoCheck, critical: false, value: Buffer.of(5, 0) }],
  }),
} as const satisfies Readonly<Record<string, (contents: Contents) => Contents>>;
export type CertificateChange = keyof typeof certificateChanges;

/** The key of a CA with its certificate. */
export interface SigningCa {
  readonly certificate: Certificate;
  readonly privateKey: KeyObject;
}

/** From the texts of a CA. */
export function signingCa({ certificate: pem, privateKey: key, passphrase }: CaTexts): SigningCa {
  const [certificate] = certificatesFromPem(pem);
  if (certificate === undefined) throw new Error('There is no certificate.');
  return { certificate, privateKey: createPrivateKey({ key, passphrase }) };
}

/** A certificate that is signed properly, whatever is in it. */
export async function signChanged(
  { certificate: issuer, privateKey }: SigningCa,
  approved: Omit<Contents, 'extendedKeyUsage'>,
  change: CertificateChange,
): Promise<Buffer> {
  const contents: Contents = certificateChanges[change]({ ...approved, extendedKeyUsage: [oids.clientAuth] });
  const { subject, alternativeNames: names, spki, furtherExtensions = [] } = contents;
  return await signCertificate(
    {
      serialNumber: randomSerialNumber(),
      issuer: issuer.subject,
      subject,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000),
      spki,
      extensions: [
        keyUsage(['digitalSignature']),
        extendedKeyUsage(contents.extendedKeyUsage),
        ...(names.length === 0 ? [] : [subjectAltName(names, subject.rdns.length === 0)]),
        ...furtherExtensions,
      ],
    },
    createSigner(privateKey),
  );
}
