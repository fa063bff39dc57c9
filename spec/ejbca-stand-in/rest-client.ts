import { expect } from '@jest/globals';
import type { ClientCertificate } from '../support/ejbca/credentials.ts';
import { opensslCsr } from '../support/csr.ts';
import type { StandIn } from '../support/ejbca/start.ts';
import { send } from '../support/client.ts';

/** An answer of the REST API; `json` is undefined for what is no JSON. */
export interface RestAnswer {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

/** What a call may change: whose certificate, or none; further headers; a JSON body. */
export interface RestCall {
  readonly client?: ClientCertificate | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: object;
  readonly signal?: AbortSignal;
}

/** Calls the REST API as the administrator who may do everything, unless told otherwise. */
export async function rest(
  ejbca: StandIn,
  method: string,
  path: string,
  call: RestCall = {},
): Promise<RestAnswer> {
  const client = 'client' in call ? call.client : ejbca.clientCertificate;
  const answer = await send(`${ejbca.url}/ejbca-rest-api${path}`, {
    method,
    ca: ejbca.trustAnchor,
    ...(call.signal && { signal: call.signal }),
    ...(client && { cert: client.certificate, key: client.key }),
    headers: { ...(call.json && { 'Content-Type': 'application/json' }), ...call.headers },
    ...(call.json && { body: JSON.stringify(call.json) }),
  });
  const contentType = answer.headers['content-type'];
  return {
    status: answer.status,
    contentType,
    body: answer.body,
    json: contentType === 'application/json' ? jsonOf(answer.body) : undefined,
  };
}

/** EJBCA calls chains of certificates JSON, too. */
function jsonOf(body: string): RestAnswer['json'] {
  return body.startsWith('{') ? (JSON.parse(body) as RestAnswer['json']) : undefined;
}

/** The error JSON of EJBCA. */
export function refusal(status: number, text: string | RegExp): object {
  return {
    status,
    json: {
      error_code: status,
      error_message: typeof text === 'string' ? text : expect.stringMatching(text),
    },
  };
}

/** What an enrolment gives. */
export interface Enrolled {
  readonly serialNumber: string;
  readonly der: Buffer;
}

/** Enrols by pkcs10enroll under the user name as commonName, and gives what the answer says. */
export async function enrolAt(ejbca: StandIn, username: string, signal?: AbortSignal): Promise<Enrolled> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const csr = await opensslCsr(...key, '-subj', `/CN=${username}`);
  const { json } = await rest(ejbca, 'POST', '/v1/certificate/pkcs10enroll', {
    ...(signal && { signal }),
    json: {
      certificate_request: csr.toString('base64'),
      certificate_profile_name: 'Device',
      end_entity_profile_name: 'Device',
      certificate_authority_name: 'Device CA',
      username,
      password: 'foo123',
    },
  });
  return {
    serialNumber: String(json?.['serial_number']),
    der: Buffer.from(String(json?.['certificate']), 'base64'),
  };
}
