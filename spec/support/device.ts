import { createPrivateKey, createPublicKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { certificateDer, named, type CertificateParts } from './certificate.ts';
import { send, type Answer } from './client.ts';
import { certificationRequest, generateKeyPair, id, integer, name, utf8String, type KeyPair } from './csr.ts';
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
    headers: { 'Content-Type': 'application/pkcs10', 'User-Agent': 'device', Accept: '*/*', ...headers },
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

/** Posts a CSR to simplereenroll with the device's certificate, over a new connection unless the options say otherwise. */
export async function renew(
  gateway: TestGateway,
  device: Pick<Device, 'key' | 'cert'> | undefined,
  csr: Buffer,
  alias = 'est',
  options: RequestOptions = {},
): Promise<Answer> {
  const { key, cert } = device ?? {};
  const tls = key === undefined || cert === undefined ? {} : { key, cert };
  return await send(`${gateway.url}/${alias}/simplereenroll`, {
    ca: gateway.trustAnchor,
    ...tls,
    ...enrolment(csr),
    ...options,
  });
}

/** A client certificate of the gateway's CA that differs from what the gateway issues, and is in the record of the CA. */
export async function issueByHand(gateway: TestGateway, parts: CertificateParts): Promise<Device> {
  const device = await signByHand(gateway, parts);
  await recordCertificate(gateway, device.cert);
  return device;
}

/** As if the CA had issued it itself. PEM; the dates are of no importance. */
export async function recordCertificate(
  { store, ca }: Pick<TestGateway, 'store' | 'ca'>,
  cert: string,
): Promise<void> {
  const { raw: certificate, serialNumber: upper, subject } = new X509Certificate(cert);
  const serialNumber = upper.toLowerCase();
  const notBefore = new Date();
  const notAfter = new Date(notBefore.getTime() + 86_400_000);
  await store.certificates.add({
    ...{ ca, serialNumber, idempotencyKey: serialNumber, subject, certificate },
    ...{ publicKey: serialNumber, notBefore, notAfter },
  });
}

/** A client certificate that was signed with the key of the gateway's CA behind the gateway's back. */
export async function signByHand(gateway: TestGateway, parts: CertificateParts): Promise<Device> {
  const keyPair = await generateKeyPair('P-256');
  const privateKey = createPrivateKey({ key: gateway.issuingKey, passphrase: gateway.passphrase });
  const issuerKey = { privateKey, publicKey: createPublicKey(privateKey) };
  const serialNumber = integer(BigInt(`0x7${randomBytes(8).toString('hex')}`));
  const issuer = named('Test Issuing CA');
  const der = await certificateDer({ issuer, issuerKey, key: keyPair, serialNumber, ...parts });
  const cert = certificateToPem(der);
  return { commonName: '', keyPair, key: privatePem(keyPair.privateKey), cert };
}

export function privatePem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
