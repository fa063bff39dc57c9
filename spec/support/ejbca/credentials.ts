/** The keys and certificates of EJBCA's server and of its administrators, as files. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateToPem, readCertificate } from '../../../src/pkix/certificate.ts';
import { dNSName, iPAddress } from '../../../src/pkix/general-names.ts';
import { oids } from '../../../src/pkix/oids.ts';
import type { AccessRules } from './administrator.ts';
import { issueCertificate } from './authority.ts';
import type { CertificationAuthority } from './model/database.ts';
import { nameFromDn } from './distinguished-name.ts';
import type { Ejbca } from './ejbca.ts';

/** A client certificate for EJBCA, as files and as PEM. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: string;
  readonly key: string;
}

/** The credentials of the installation, in a folder. */
interface Credentials {
  /** Gives the path. */
  write(name: string, text: string): Promise<string>;
  /** A key and a certificate of the management CA. */
  certify(
    commonName: string,
    purpose: string,
  ): Promise<{ readonly key: string; readonly certificate: string }>;
  addClientCertificate(commonName: string, rules: AccessRules | undefined): Promise<ClientCertificate>;
}

/** Certificates come from the management CA. */
export function createCredentials(
  directory: string,
  ejbca: Ejbca,
  managementCa: CertificationAuthority,
): Credentials {
  const write: Credentials['write'] = async (name, text) => {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const certify: Credentials['certify'] = async (commonName, purpose) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { der } = await issueCertificate(managementCa.authority, {
      subject: nameFromDn(`CN=${commonName}`),
      alternativeNames: purpose === oids.serverAuth ? [dNSName(commonName), iPAddress('127.0.0.1')] : [],
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 86_400_000),
      extendedKeyUsage: [purpose],
    });
    return {
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificate: certificateToPem(der),
    };
  };
  const addClientCertificate: Credentials['addClientCertificate'] = async (commonName, rules) => {
    const { key, certificate } = await certify(commonName, oids.clientAuth);
    const { sha256, der } = readCertificate(derOf(certificate));
    if (rules !== undefined) ejbca.administrators.certificates.set(sha256, rules);
    const stem = `client-${sha256.slice(0, 12)}`;
    return {
      certificateFile: await write(`${stem}.pem`, certificateToPem(der)),
      keyFile: await write(`${stem}.key`, key),
      certificate,
      key,
    };
  };
  return { write, certify, addClientCertificate };
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
}
