import type { SchemaObject } from 'ajv';
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { certificatesFromPem, type Certificate } from '../pkix/certificate.ts';
import { readSecret } from './secret.ts';
import { x509Of } from '../pkix/x509.ts';

/** Where the key and certificate are that the gateway shows as a client. */
export interface ClientCertificateOptions {
  /** Path of a PEM file: the certificate, then its intermediates. */
  readonly certificate: string;
  /** Secret reference to the PEM private key. */
  readonly privateKey: string;
  /** Secret reference. */
  readonly passphrase?: string;
}

/** JSON Schema of the options; `peer` is how the description calls the server. */
export function clientCertificateSchema(peer: string): SchemaObject {
  return {
    type: 'object',
    title: 'Client certificate',
    description: `The key and certificate by which ${peer} knows the gateway.`,
    properties: {
      certificate: {
        type: 'string',
        format: 'file',
        title: 'Certificate file',
        description: 'PEM: the certificate, then its intermediates.',
      },
      privateKey: {
        type: 'string',
        format: 'secret',
        title: 'Private key',
        description: 'PEM of its key. file:PATH or env:NAME.',
      },
      passphrase: {
        type: 'string',
        format: 'secret',
        title: 'Passphrase',
        description: 'Opens the private key. Left out: it is not encrypted. file:PATH or env:NAME.',
      },
    },
    required: ['certificate', 'privateKey'],
    additionalProperties: false,
  };
}

/** A key and its certificate. */
export interface ClientCertificate {
  /** As TLS takes them, PEM. */
  readonly tls: { readonly cert: string; readonly key: string; readonly passphrase?: string };
  readonly certificate: Certificate;
}

/** Reads the files. Throws an Error with a plain sentence when they do not belong together. */
export async function readClientCertificate(options: ClientCertificateOptions): Promise<ClientCertificate> {
  const cert = await readFile(options.certificate, 'utf8');
  const pem = await readSecret(options.privateKey);
  const { passphrase: reference } = options;
  const passphrase = reference === undefined ? {} : { passphrase: await readSecret(reference) };
  const [certificate] = certificatesFromPem(cert);
  const key = createPrivateKey({ key: pem, ...passphrase });
  if (certificate === undefined || !x509Of(certificate.der).checkPrivateKey(key)) {
    throw new Error(
      'clientCertificate: the private key does not belong to the first certificate of the file.',
    );
  }
  return { tls: { cert, key: pem, ...passphrase }, certificate };
}
