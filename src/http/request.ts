import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Credentials, PresentedCertificate } from '../auth/auth.ts';
import { EstError } from '../errors.ts';
import { targetOf } from './request-target.ts';

/** What the client showed: the Authorization header field, what it is for, and the client certificate. */
export function credentialsOf(
  request: IncomingMessage,
  clientCertificate: PresentedCertificate | undefined,
  address: string | undefined,
): Credentials {
  const target = targetOf(request);
  return {
    authorization: request.headers.authorization,
    method: request.method ?? '',
    target: target.state === 'path' ? target.asSent : '',
    clientCertificate,
    address,
  };
}

/** Those on which a request was refused unread or for its framing: what follows may be a part of it. */
const doubtfulConnections = new WeakSet<Duplex>();

/** Has nothing carried out that follows on the connection, which ends with the answer to this request. */
export function endWith({ socket }: IncomingMessage): void {
  doubtfulConnections.add(socket);
}

/** Whether a request of the connection was refused so, and answered. */
export function isDoubtful(connection: Duplex): boolean {
  return doubtfulConnections.has(connection);
}

/**
 * Refuses what Node lets through and what two hops could read differently: no Host in HTTP/1.1, one that names no host,
 * more than one Host or Authorization field, a request target that is no path of this server (RFC 9112, section 3.2),
 * another version or transfer coding (sections 2.3 and 6.1), too many fields, and all that follows such a request
 * (section 9.6); and what `checkExpectation` refuses. Throws `malformed_request` or `expectation_failed`.
 */
export function checkFraming(request: IncomingMessage): void {
  checkExpectation(request);
  const fault = isDoubtful(request.socket)
    ? 'The connection ends with the malformed request before this one.'
    : framingFault(request);
  if (fault === undefined) return;
  endWith(request);
  throw new EstError('malformed_request', fault);
}

/**
 * Refuses any expectation but 100-continue (RFC 9110, section 10.1.1), whatever else the request is. Throws
 * `expectation_failed`.
 */
function checkExpectation(request: IncomingMessage): void {
  if (!expectsContinue(request) || request.headers.expect?.toLowerCase() === '100-continue') return;
  endWith(request);
  throw new EstError('expectation_failed', 'The only expectation that this server meets is 100-continue.');
}

/** Header fields of a request. */
const mostFields = 100;

/** What a Host field may say (RFC 3986, sections 3.2.2 and 3.2.3); nothing where a URL has no authority. */
const hostField = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?$/;

/** A sentence. */
function framingFault(request: IncomingMessage): string | undefined {
  const { headers, headersDistinct, httpVersion, rawHeaders } = request;
  // Names and values stand in one list.
  if (rawHeaders.length > 2 * mostFields) return `The request has more than ${mostFields} header fields.`;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'The version of HTTP must be 1.1 or 1.0.';
  const codings = headersDistinct['transfer-encoding']?.join();
  if (codings !== undefined && (httpVersion === '1.0' || codings.toLowerCase() !== 'chunked')) {
    return 'The only transfer coding here is chunked, in HTTP/1.1.';
  }
  const twice = ['host', 'authorization', 'content-type', 'expect'].find(
    (name) => (headersDistinct[name]?.length ?? 0) > 1,
  );
  if (twice !== undefined) return `The request has more than one ${twice} header field.`;
  if (headers.host === undefined && httpVersion === '1.1') return 'HTTP/1.1 requires a Host header field.';
  if (!hostField.test(headers.host ?? ''))
    return 'The Host header field must be a host name or an IP address.';
  const target = targetOf(request);
  return target.state === 'malformed' ? target.reason : undefined;
}

/**
 * Whether the client waits for 100 before it sends the body. One of HTTP/1.0 would take the 100 for the answer (RFC 9110,
 * section 10.1.1).
 */
export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && request.httpVersion !== '1.0';
}
