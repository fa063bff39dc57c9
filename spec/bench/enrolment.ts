import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { join } from 'node:path';
import { certificationRequest, generateKeyPair, id, name, utf8String, type KeyPair } from '../support/csr.ts';
import { privatePem } from '../support/device.ts';
import { estGateway, post } from './processes.ts';

/** What a client may always ask for: its own name. */
const subject = name([id.commonName, utf8String('bench')]);

async function bodyFor(key: KeyPair): Promise<string> {
  return (await certificationRequest({ key, subject })).toString('base64');
}

/** A CSR for a new key, since a repeat would be answered out of the journal: base64. */
export async function newBody(): Promise<string> {
  return await bodyFor(await generateKeyPair('P-256'));
}

/** How a client with a certificate of the gateway's own CA enrols; that costs the gateway less than a code. */
export async function enrolClient(data: string, url: string): Promise<RequestOptions> {
  const config = join(data, 'est-gateway.yaml');
  const code = estGateway('user', 'add', 'bench', '--alias', 'est', '--config', config);
  const key = await generateKeyPair('P-256');
  const ca = readFileSync(join(data, 'trust-anchor.pem'), 'utf8');
  const headers = { 'Content-Type': 'application/pkcs10', Accept: '*/*' };
  const reply = await post(`${url}/simpleenroll`, { ca, headers, auth: `bench:${code}` }, await bodyFor(key));
  const input = Buffer.from(reply, 'base64');
  const words = ['pkcs7', '-inform', 'DER', '-print_certs'];
  const cert = execFileSync('openssl', words, { input, encoding: 'utf8' });
  return { ca, cert, key: privatePem(key.privateKey), headers };
}
