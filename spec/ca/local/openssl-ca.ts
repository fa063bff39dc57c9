import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { openssl } from '../../support/openssl.ts';
import type { CaTexts } from '../setup.ts';

/** A CA certificate that openssl made, and its key. */
export interface OpensslCa {
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
}

/** What a certificate of `opensslCertificate` differs in from a root of ten years. */
export interface OpensslCertificateOptions {
  readonly key: KeyObject;
  readonly name: string;
  /** Undefined: self-signed. */
  readonly issuer?: OpensslCa;
  readonly basicConstraints?: string;
  readonly keyUsage?: string;
  readonly days?: number;
}

export const newKey = {
  rsa: (): KeyObject => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  p256: (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  p384: (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
} as const;

/** The key as unencrypted PKCS#8 PEM. */
export function pkcs8(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A certificate made by `openssl req -x509`. */
export async function opensslCertificate(options: OpensslCertificateOptions): Promise<OpensslCa> {
  const { key, name, issuer, days = 3650 } = options;
  const configuration = [
    '[req]',
    'distinguished_name = dn',
    'prompt = no',
    '[dn]',
    'O = Acme',
    `CN = ${name}`,
    '[v3]',
    `basicConstraints = ${options.basicConstraints ?? 'critical,CA:TRUE'}`,
    `keyUsage = ${options.keyUsage ?? 'critical,keyCertSign,cRLSign'}`,
    'subjectKeyIdentifier = hash',
    ...(issuer === undefined ? [] : ['authorityKeyIdentifier = keyid']),
    '',
  ];
  const signer = issuer === undefined ? '' : ' -CA ca.pem -CAkey ca.key';
  const command = `req -x509 -new -config req.cnf -extensions v3 -key own.key -days ${days}${signer}`;
  const certificate = await openssl(command, {
    'req.cnf': configuration.join('\n'),
    'own.key': pkcs8(key),
    'ca.pem': issuer?.certificate ?? '',
    'ca.key': issuer === undefined ? '' : pkcs8(issuer.key),
  });
  return { key, certificate };
}

/** A root and an issuing CA, as the local backend takes them. */
export async function opensslTwoTierCa(
  makeKey: () => KeyObject,
  toPem: (key: KeyObject) => string = pkcs8,
): Promise<CaTexts> {
  const root = await opensslCertificate({ key: makeKey(), name: 'Root' });
  const issuing = await opensslCertificate({
    key: makeKey(),
    name: 'Issuing',
    issuer: root,
    basicConstraints: 'critical,CA:TRUE,pathlen:0',
  });
  return { certificate: issuing.certificate, privateKey: toPem(issuing.key), chain: [root.certificate] };
}
