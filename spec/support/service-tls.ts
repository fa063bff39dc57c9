import { createPrivateKey, createPublicKey } from 'node:crypto';
import { createServerCertificate } from '../../src/ca/local/create.ts';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { newCaTexts, type CaTexts } from '../ca/setup.ts';
import { certificateDer, named } from './certificate.ts';
import { generateKeyPair } from './csr.ts';
import { privatePem } from './device.ts';

/** By what a service and the gateway know each other, PEM, all of one CA. */
export interface ServiceTls {
  readonly ca: CaTexts;
  readonly trustAnchor: string;
  /** For localhost. */
  readonly server: { readonly cert: string; readonly key: string };
  /** Names no host. */
  readonly client: { readonly cert: string; readonly key: string };
}

/** A new CA with a certificate for a server and one for a client. */
export async function newServiceTls(): Promise<ServiceTls> {
  const ca = await newCaTexts();
  const { passphrase = '', certificate: issuingCertificate, privateKey: issuingKey } = ca;
  const [trustAnchor = ''] = ca.chain;
  const hostnames = ['localhost'];
  const issuing = { issuingCertificate, issuingKey, passphrase };
  const server = await createServerCertificate({ ...issuing, hostnames, now: new Date() });
  const issuerKey = createPrivateKey({ key: issuingKey, passphrase });
  const key = await generateKeyPair('P-256');
  const client = await certificateDer({
    subject: named('gateway'),
    issuer: named('Spec Issuing CA'),
    issuerKey: { privateKey: issuerKey, publicKey: createPublicKey(issuerKey) },
    key,
  });
  return {
    ca,
    trustAnchor,
    server: { cert: server.certificate + issuingCertificate, key: server.key },
    client: { cert: certificateToPem(client) + issuingCertificate, key: privatePem(key.privateKey) },
  };
}
