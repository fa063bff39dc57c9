import { expect } from '@jest/globals';
import type { ClientCertificate } from '../support/ejbca/credentials.ts';
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
    ...(client && { cert: client.certificate, key: client.key }),
    headers: { ...(call.json && { 'Content-Type': 'application/json' }), ...call.headers },
    ...(call.json && { body: JSON.stringify(call.json) }),
  });
  const contentType = answer.headers['content-type'];
  const isJson = contentType === 'application/json';
  return {
    status: answer.status,
    contentType,
    body: answer.body,
    json: isJson ? (JSON.parse(answer.body) as Readonly<Record<string, unknown>>) : undefined,
  };
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
