import type { SchemaObject } from 'ajv';
import { readFile } from 'node:fs/promises';
import type { Certificate } from '../pkix/certificate.ts';
import { certificatesIn } from './certificate-files.ts';
import { readSecret } from './secret.ts';
import { readOwnKey, readPkcs12 } from '../pkix/key-files.ts';

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
  /** PEM as TLS takes it. */
  readonly tls: { readonly cert: string; readonly key: string; readonly passphrase?: string };
  readonly certificate: Certificate;
}

/** Reads the files. Throws an Error with a plain sentence when they cannot be used, or do not belong together. */
export async function readClientCertificate(options: ClientCertificateOptions): Promise<ClientCertificate> {
  const cert = await readFile(options.certificate, 'utf8');
  const key = await readSecret(options.privateKey);
  const passphrase = await readPassphrase(options);
  const { certificate } = inClientCertificate(() =>
    readOwnKey(certificatesIn(options.certificate, cert), key, { passphrase }),
  );
  return { tls: { cert, key, ...(passphrase !== undefined && { passphrase }) }, certificate };
}

/** A PKCS#12 file and the certificate in it. */
export interface Pkcs12File {
  /** As TLS takes it. */
  readonly tls: { readonly pfx: Buffer; readonly passphrase?: string };
  readonly certificate: Certificate;
}

/** As `readClientCertificate`, for one PKCS#12 file. */
export async function readPkcs12File(
  options: Pick<ClientCertificateOptions, 'passphrase'> & { readonly pkcs12: string },
): Promise<Pkcs12File> {
  const pfx = await readFile(options.pkcs12);
  const passphrase = await readPassphrase(options);
  const certificate = inClientCertificate(() => readPkcs12(pfx, { passphrase }));
  return { tls: { pfx, ...(passphrase !== undefined && { passphrase }) }, certificate };
}

async function readPassphrase({
  passphrase,
}: Pick<ClientCertificateOptions, 'passphrase'>): Promise<string | undefined> {
  return passphrase === undefined ? undefined : await readSecret(passphrase);
}

function inClientCertificate<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    throw new Error(`clientCertificate: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
