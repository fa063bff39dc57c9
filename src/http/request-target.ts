import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { normalSegments } from '../ops/path-segment.ts';

/** What a request is for. */
export type RequestTarget =
  | {
      readonly state: 'path';
      /** Path and query as the client wrote them: of a target in absolute form, what follows the authority. */
      readonly asSent: string;
      /** The same with every path spelled in one way: equal paths are equal texts. */
      readonly normal: string;
    }
  | { readonly state: 'malformed'; /** A sentence. */ readonly reason: string };

/**
 * The target of a request in origin form or, with an authority of our own, in absolute form (RFC 9112, sections 3.2.1
 * and 3.2.2). Dot segments stay, and name nothing here.
 */
export function targetOf(request: IncomingMessage): RequestTarget {
  const { url = '' } = request;
  if (url.startsWith('/')) return pathTarget(url);
  const absolute = absoluteForm.exec(url)?.groups;
  if (absolute === undefined) return malformed('The request target must be a path.');
  if (!isOwnAuthority(request, absolute)) {
    return malformed('The request target names another server; send a path, or the name of this one.');
  }
  const { rest = '' } = absolute;
  return pathTarget(rest.startsWith('/') ? rest : `/${rest}`);
}

/** Path and query in their one spelling; empty for what `checkFraming` refuses. */
export function pathOf(request: IncomingMessage): string {
  const target = targetOf(request);
  return target.state === 'path' ? target.normal : '';
}

function malformed(reason: string): RequestTarget {
  return { state: 'malformed', reason };
}

function pathTarget(asSent: string): RequestTarget {
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(asSent) ?? [];
  if (asSent.includes('#')) return malformed('The request target must not have a fragment.');
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) {
    return malformed('The path holds a percent sign that is not followed by two hex digits.');
  }
  return { state: 'path', asSent, normal: normalSegments(path) + query };
}

/** Without user information, which RFC 9110, section 4.2.4 has us distrust, and never with an empty host. */
const authority = String.raw`(?<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(?<port>\d{0,5}))?`;
const absoluteForm = new RegExp(`^(?<scheme>https?)://${authority}(?<rest>[/?].*)?$`, 'is');
const ownHost = new RegExp(`^${authority}$`);

/** A host and a port, as a URL or a Host field writes them. */
interface Authority {
  readonly host?: string;
  readonly port?: string;
}

/**
 * Whether the target names the server to which the client speaks: as its Host field does, or by a name of the TLS
 * certificate that it was shown and the port to which it connected.
 */
function isOwnAuthority(
  { headers, socket }: IncomingMessage,
  { scheme = '', ...target }: Authority & { readonly scheme?: string },
): boolean {
  const isTls = socket instanceof TLSSocket;
  const defaultPort = scheme.toLowerCase() === 'https' ? 443 : 80;
  if (isTls && defaultPort !== 443) return false;
  const host = ownHost.exec(headers.host ?? '')?.groups;
  if (host !== undefined && textOf(host, defaultPort) === textOf(target, defaultPort)) return true;
  const port = target.port === undefined || target.port === '' ? defaultPort : Number(target.port);
  const certificate = isTls ? socket.getX509Certificate() : undefined;
  return certificate !== undefined && port === socket.localPort && isNamed(certificate, target.host);
}

/** A final dot is the root of the DNS, and names nothing else (RFC 3986, section 3.2.2). */
function plainHost(host = ''): string {
  return host
    .toLowerCase()
    .replace(/\.$/, '')
    .replace(/^\[|\]$/g, '');
}

function textOf({ host, port }: Authority, defaultPort: number): string {
  return `${plainHost(host)} ${port === undefined || port === '' ? defaultPort : Number(port)}`;
}

function isNamed(certificate: X509Certificate, host = ''): boolean {
  const name = plainHost(host);
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}
