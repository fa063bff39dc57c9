/** What a REST resource of EJBCA gets and gives. */
import type { Administrator } from '../administrator.ts';
import type { Ejbca } from '../ejbca.ts';
import type { Operation } from '../model/registration.ts';
import type { Pause } from '../model/transaction.ts';
import { revisionOf } from '../version.ts';

/** A request on its way to a resource. */
export interface Call {
  readonly ejbca: Ejbca;
  /** The URL as the client sees it. */
  readonly url: URL;
  /** What stands in the path where the route has a name, decoded. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The body, when it is a JSON object; else empty. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Refuses a caller whom EJBCA does not know. */
  identify(): Administrator;
  /** Refuses a caller whom EJBCA does not know, or who may not administer anything. */
  authenticate(): Administrator;
  readonly pause: Pause;
}

/** The caller's own operation. Refuses as `authenticate`. */
export function operationOf(call: Call): Operation {
  return { ejbca: call.ejbca, administrator: call.authenticate(), pause: call.pause };
}

/** An answer. */
export interface Reply {
  readonly status: number;
  /** Undefined: there is no body. */
  readonly contentType: string | undefined;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One path of the API and what it does. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/ejbca/ejbca-rest-api`; `{name}` stands for one segment. */
  readonly path: string;
  /** The first version that has it. */
  readonly since?: string;
  readonly enterpriseOnly?: true;
  readonly handle: (call: Call) => Reply | Promise<Reply>;
}

/** A JSON answer; members that are undefined are left out, as EJBCA leaves out null. */
export function json(status: number, body: unknown): Reply {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}

/** A text member of the body; absent and null are the empty text. */
export function text(call: Call, member: string): string {
  const value = call.body[member];
  return typeof value === 'string' ? value : '';
}

/** EJBCA's status resources: no credentials needed (1.2). */
export function statusReply({ ejbca: { release } }: Call): Reply {
  return json(200, { status: 'OK', version: '1.0', revision: revisionOf(release) });
}

/** A member that must be an object; anything else is an empty one. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
