import type { SecureContextOptions } from 'node:tls';
import type { ClientIdentity } from '../../identity.ts';
import { readClientCertificate } from '../../ops/client-certificate.ts';
import { readSecret } from '../../ops/secret.ts';
import { readTrustAnchor } from '../../ops/certificate-files.ts';
import type { Certificate } from '../../pkix/certificate.ts';
import type { EstOptions } from './options.ts';

/** By what the upstream knows the gateway, and its clients. */
export interface EstCredentials {
  /** Own key and certificate, and whom the gateway trusts. */
  readonly tls: SecureContextOptions;
  readonly certificate: Certificate;
  /** Header fields of a request on behalf of a client. */
  headersFor(identity: ClientIdentity | undefined): Readonly<Record<string, string>>;
}

/** Reads the files. Throws an Error with a plain sentence when they do not belong together. */
export async function openEstCredentials({
  trustAnchor,
  clientCertificate,
  basic,
  identity: form,
}: EstOptions): Promise<EstCredentials> {
  const { tls, certificate } = await readClientCertificate(clientCertificate);
  const authorization = basic && basicAuthorization(basic.username, await readSecret(basic.password));
  return {
    tls: { ca: await readTrustAnchor(trustAnchor), ...tls },
    certificate,
    headersFor: (client) => ({
      ...(authorization !== undefined && { Authorization: authorization }),
      ...(form === 'clientCert' && clientCertField(client)),
    }),
  };
}

function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** RFC 9440, section 2.1; nothing for a client that showed no certificate. */
function clientCertField(client: ClientIdentity | undefined): Readonly<Record<string, string>> {
  const certificate = client?.certificate?.certificate;
  return certificate === undefined ? {} : { 'Client-Cert': `:${certificate.der.toString('base64')}:` };
}
