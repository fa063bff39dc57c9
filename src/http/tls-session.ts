import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket, type CipherNameAndProtocol } from 'node:tls';
import type { PresentedCertificate } from '../auth/auth.ts';
import { channelBindingOf } from '../auth/channel-binding.ts';

/** Nothing of it changes, since nobody renegotiates. */
const presented = new WeakMap<TLSSocket, PresentedCertificate>();

/** The client certificate of the request's TLS session. */
export function presentedCertificate({ socket }: IncomingMessage): PresentedCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const known = presented.get(socket);
  if (known !== undefined) return known;
  const x509 = socket.getPeerX509Certificate();
  if (x509 === undefined) return undefined;
  const { authorized } = socket;
  const shown = { certificate: x509.raw, session: x509, authorized, ...handshakeErrorOf(socket) };
  presented.set(socket, shown);
  return shown;
}

/** Node's types call it an Error; it is the name of OpenSSL's error, or null. */
function handshakeErrorOf({
  authorized,
  authorizationError,
}: TLSSocket): Pick<PresentedCertificate, 'handshakeError'> {
  return authorized ? {} : { handshakeError: String(authorizationError) };
}

/** The request that asked for the channel binding of its connection. */
const boundRequests = new WeakMap<Socket, IncomingMessage>();

/**
 * The channel binding of the request's TLS session; undefined without TLS. It authenticates one request for each
 * connection, which ends with the reply (RFC 9266, section 4.1).
 */
export function channelBinding(request: IncomingMessage): Buffer | undefined {
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) return undefined;
  const bound = boundRequests.get(socket) ?? request;
  boundRequests.set(socket, bound);
  return bound === request ? channelBindingOf(socket) : undefined;
}

/** Bits of the key with which TLS encrypts; 0 where nobody knows. */
export function cipherStrength({ socket }: IncomingMessage): number {
  // Node gives null, against its types, when the client has gone away.
  const suite = socket instanceof TLSSocket ? (socket.getCipher() as CipherNameAndProtocol | null) : null;
  return strengthOfCipherSuite(suite?.name ?? '');
}

/** Bits of the key of a cipher suite by the name that OpenSSL gives to it; 0 for others. */
export function strengthOfCipherSuite(name: string): number {
  if (!/^[\w-]+$/.test(name)) return 0;
  if (/(AES|ARIA|CAMELLIA)_?256|CHACHA20/.test(name)) return 256;
  return /(AES|ARIA|CAMELLIA)_?128/.test(name) ? 128 : 0;
}

/** Whether the request asked for the channel binding of its connection, which then ends with the reply. */
export function isBound(request: IncomingMessage): boolean {
  return boundRequests.get(request.socket) === request;
}
