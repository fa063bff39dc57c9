import { send, type Answer } from './client.ts';
import { generateKeyPair } from './csr.ts';
import { enrolment, plainCsr } from './device.ts';
import type { TestGateway } from './gateway.ts';

/** How a spec enrols by name and code. */
export interface Login {
  readonly alias?: string;
  readonly name: string;
  readonly code: string;
  /** The client's own address: any of 127.0.0.0/8. */
  readonly address?: string;
  /** DER; left out: a new one. */
  readonly csr?: Buffer;
}

/** The Authorization field of HTTP Basic. */
function basicOf(name: string, code: string): string {
  return `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}`;
}

/** Posts a CSR to simpleenroll with HTTP Basic over a new connection. */
export async function enrolAs(
  gateway: TestGateway,
  { alias = 'est', name, code, address = '127.0.0.1', csr }: Login,
): Promise<Answer> {
  return await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    localAddress: address,
    ...enrolment(csr ?? (await newCsr()), { Authorization: basicOf(name, code) }),
  });
}

/** A CSR for a new key. */
async function newCsr(): Promise<Buffer> {
  return await plainCsr('device-of-login', await generateKeyPair('P-256'));
}
