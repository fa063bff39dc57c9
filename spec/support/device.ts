import type { KeyObject } from 'node:crypto';
import { send, type Answer } from './client.ts';
import { certificationRequest, generateKeyPair, id, name, utf8String, type KeyPair } from './csr.ts';
import { user, type TestGateway } from './gateway.ts';
import { openssl } from './openssl.ts';

/** A device that has a key and a certificate of the gateway's CA. */
export interface Device {
  readonly commonName: string;
  readonly keyPair: KeyPair;
  /** PEM, as TLS clients take them. */
  readonly key: string;
  readonly cert: string;
}

/** HTTP Basic of the test gateway's user. */
export const basic = `Basic ${Buffer.from(`${user.name}:${user.code}`).toString('base64')}`;

/** The DER of a plain CSR. */
export async function plainCsr(commonName: string, key: KeyPair): Promise<Buffer> {
  return await certificationRequest({ key, subject: name([id.commonName, utf8String(commonName)]) });
}

/** Header fields and body of an enrolment as libest's client sends it. */
export function enrolment(csr: Buffer, headers: Readonly<Record<string, string>> = {}): EnrolmentParts {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/pkcs10', Accept: '*/*', ...headers },
    body: csr.toString('base64'),
  };
}

interface EnrolmentParts {
  readonly method: 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Posts a CSR with Basic over a new connection. */
export async function enrolWithBasic(gateway: TestGateway, csr: Buffer, alias = 'est'): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...enrolment(csr, { Authorization: basic }),
  });
}

/** The only certificate of a certs-only answer as PEM, read by openssl. */
export async function certificateOf(answer: Answer): Promise<string> {
  const text = await openssl('pkcs7 -inform DER -in answer.p7 -print_certs', {
    'answer.p7': Buffer.from(answer.body, 'base64'),
  });
  const [pem, ...more] = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/g) ?? [];
  if (pem === undefined || more.length > 0) throw new Error(`expected one certificate: ${answer.body}`);
  return pem;
}

/** A device that has just enrolled. */
export async function enrolDevice(gateway: TestGateway, commonName: string, alias = 'est'): Promise<Device> {
  const keyPair = await generateKeyPair('P-256');
  const answer = await enrolWithBasic(gateway, await plainCsr(commonName, keyPair), alias);
  return { commonName, keyPair, key: privatePem(keyPair.privateKey), cert: await certificateOf(answer) };
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
