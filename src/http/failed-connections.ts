import type { Server } from 'node:net';
import { boundLines } from '../ops/bounded-lines.ts';
import type { Log } from '../ops/log.ts';
import { plainAddress } from '../ops/networks.ts';
import type { Connection } from './connections.ts';

/** Lines of the log about failed connections of a listener in a second. */
const linesPerSecond = 10;

/**
 * Gives what writes a line for a connection that ends before HTTP has begun: why, and from which address. There is none
 * where the peer ends it without having sent anything, as load balancers do to see whether a port is open.
 */
export function logFailedConnections(log: Log, listener: string): (connection: Connection) => void {
  const write = boundLines(log.info, linesPerSecond);
  return function logFailure({ phase, socket, address, announced, failure }) {
    const code = failure && 'code' in failure ? String(failure.code) : '';
    const isEndedByPeer = failure === undefined || code === 'ECONNRESET' || socket.readableEnded;
    if (isEndedByPeer && socket.bytesRead <= announced) return;
    write(phase === 'TLS' ? 'handshake failed' : 'connection refused', {
      listener,
      address: address && plainAddress(address),
      reason: code === '' && failure !== undefined ? failure.message : sentenceOf(code),
      ...(code.startsWith('ERR_SSL_') && { tlsError: code }),
    });
  };
}

/**
 * Gives what writes a line for connections that are closed because there are too many, at most one a second, also for
 * those that Node closes by `maxConnections`.
 */
export function logExcess(server: Server, log: Log, listener: string): (connection: Connection) => void {
  const write = boundLines(log.warn, 1);
  server.on('drop', (dropped) => {
    const { remoteAddress: address } = dropped ?? {};
    write('connections refused', {
      listener,
      address: address && plainAddress(address),
      reason: 'There are as many connections as limits.connections says.',
    });
  });
  return ({ address, failure }) => {
    const reason = failure?.message;
    write('connections refused', { listener, address: address && plainAddress(address), reason });
  };
}

const sentences: readonly (readonly [pattern: RegExp, sentence: string])[] = [
  [/^ERR_SSL_HTTP_REQUEST$/, 'The client sends plain HTTP to the port of HTTPS.'],
  [/^ERR_SSL_HTTPS_PROXY_REQUEST$/, 'The client takes the port of HTTPS for that of an HTTP proxy.'],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE)$/,
    'The client sends something that is no TLS.',
  ],
  [
    /^ERR_SSL_(UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|UNKNOWN_PROTOCOL|TLSV1_ALERT_PROTOCOL_VERSION)$/,
    'The client and the gateway have no version of TLS in common.',
  ],
  [/^ERR_SSL_NO_SHARED_CIPHER$/, 'The client and the gateway have no cipher suite in common.'],
  [
    /^ERR_SSL_NO_(SUITABLE_KEY_SHARE|SHARED_GROUPS?|SHARED_SIGNATURE_ALGORITHMS|SUITABLE_SIGNATURE_ALGORITHM)$/,
    'The client and the gateway have no group or signature algorithm in common.',
  ],
  [/^ERR_SSL_NO_APPLICATION_PROTOCOL$/, 'The client speaks another protocol than HTTP/1.1.'],
  [
    /^ERR_SSL_\w*ALERT_UNKNOWN_CA$/,
    "The client does not trust the CA of the gateway's certificate (alert unknown_ca).",
  ],
  [
    /^ERR_SSL_\w*ALERT_CERTIFICATE_EXPIRED$/,
    "The client says that the gateway's certificate has expired; is its clock right? (alert certificate_expired)",
  ],
  [
    /^ERR_SSL_\w*ALERT_(BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_REVOKED|UNSUPPORTED_CERTIFICATE)$/,
    "The client refuses the gateway's certificate.",
  ],
  [/^ERR_SSL_EXCESSIVE_MESSAGE_SIZE$/, 'The certificates of the client are too large.'],
  [/^(ECONNRESET|EPIPE)?$/, 'The client ended the connection before the handshake was complete.'],
];

/** What is said of an error of Node by its code; none: the peer ended the connection. */
function sentenceOf(code: string): string {
  return sentences.find(([pattern]) => pattern.test(code))?.[1] ?? 'The TLS handshake failed.';
}
