import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { PresentedCertificate } from '../auth/auth.ts';
import type { ChannelBinding } from '../auth/channel-binding.ts';
import {
  forwardedCertificateFields,
  readForwardedCertificate,
  type CertificateHeaderForm,
} from './forwarded-certificate.ts';
import { forwardedAddress, type ClientAddressOptions } from './client-address.ts';
import { clientAddressOf } from './connections.ts';
import { readProxyFields } from './proxy-fields.ts';
import {
  channelBinding,
  cipherStrength,
  presentedCertificate,
  strengthOfCipherSuite,
} from './tls-session.ts';

/** What a listener knows of its clients besides HTTP. */
export interface Transport {
  /** The client certificate; undefined: none was shown. Throws `malformed_request`. */
  readonly clientCertificate: (request: IncomingMessage) => PresentedCertificate | undefined;
  /** The channel binding of the client's TLS session. */
  readonly channelBinding: (request: IncomingMessage) => ChannelBinding;
  /** Whether a CSR with it can be accepted at all. */
  readonly canLink: boolean;
  /** Bits of the key with which TLS encrypts the answer; 0 where nobody knows. Throws `malformed_request`. */
  readonly cipherStrength: (request: IncomingMessage) => number;
  /** The client's address; undefined where nobody knows, or the client has gone away. Throws `malformed_request`. */
  readonly address: (request: IncomingMessage) => string | undefined;
  /** Names of the fields by which a proxy would hand on a client certificate, and which count for nothing here. */
  readonly ignoredProxyFields: (request: IncomingMessage) => readonly string[];
  /** Whether the request came in early data of TLS, so that it may be a replay (RFC 8470, section 5.1). */
  readonly isEarly: (request: IncomingMessage) => boolean;
}

/** TLS ends here: what header fields say about certificates and addresses is the client's word, and counts for nothing. */
export const tlsTransport: Transport = {
  clientCertificate: presentedCertificate,
  channelBinding,
  canLink: true,
  cipherStrength,
  address: ({ socket }) => clientAddressOf(socket),
  ignoredProxyFields: ({ rawHeaders }) => forwardedCertificateFields(rawHeaders),
  // Node takes none.
  isEarly: () => false,
};

/** What is believed of a proxy that ends TLS. */
export interface ProxyTransportOptions extends ClientAddressOptions {
  readonly clientCertificate: CertificateHeaderForm;
  /** Whether the proxy is trusted to let nobody but its client speak over a connection (RFC 7030, section 3.5). */
  readonly linking: 'refuse' | 'trust';
  /** The field in which the proxy names the cipher suite of its client's TLS session; undefined: in none. */
  readonly cipherSuite?: string;
}

/** TLS ends at a proxy, which alone can reach the listener and says in header fields who its client is. */
export function createProxyTransport(options: ProxyTransportOptions): Transport {
  return {
    clientCertificate({ rawHeaders }) {
      const forwarded = readForwardedCertificate(options.clientCertificate, rawHeaders);
      return forwarded && { ...forwarded, authorized: true };
    },
    channelBinding: () => (options.linking === 'trust' ? 'trusted' : 'unknown'),
    canLink: options.linking === 'trust',
    cipherStrength: (request) => weakestStrength(request, options.cipherSuite),
    address: ({ headersDistinct, socket }) =>
      forwardedAddress(headersDistinct, options) ?? socket.remoteAddress,
    // Those that the proxy does not set are refused.
    ignoredProxyFields: () => [],
    isEarly: ({ headers }) => headers['early-data'] !== undefined,
  };
}

/** Of the client's way to the proxy and, where that is TLS too, of the proxy's to the gateway. */
function weakestStrength(request: IncomingMessage, field: string | undefined): number {
  if (field === undefined) return 0;
  const name = field.toLowerCase();
  const [suite] = readProxyFields(request.rawHeaders, [name], [name]);
  const toProxy = strengthOfCipherSuite(suite?.value ?? '');
  return request.socket instanceof TLSSocket ? Math.min(toProxy, cipherStrength(request)) : toProxy;
}
