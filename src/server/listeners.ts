import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import { connectionsCheckingInterval, createEstListener, prepareHttp } from '../est/listener.ts';
import { requireProxyProtocol, type ProxyProtocolOptions } from '../est/proxy-protocol.ts';
import { createPublicationHandler } from '../est/publication.ts';
import type { KeyReservations } from '../est/message.ts';
import { createEstHandler } from '../est/router.ts';
import { createProxyTransport, tlsTransport, type Transport } from '../est/transport.ts';
import { createDrain } from '../ops/drain.ts';
import type { Log } from '../ops/log.ts';
import { isAmong } from '../ops/networks.ts';
import { trustedCertificateToPem } from '../pkix/certificate.ts';
import type { PassThrough } from '../pass-through/pass-through.ts';
import type { StateStore } from '../store/store.ts';
import { withContext } from './context.ts';
import { openingTimeout, type Backends } from './drivers.ts';
import { withPassThrough } from './pass-through.ts';
import { checkProxyListener, listenForProxy } from './proxy-listener.ts';
import { readTlsFiles } from './tls-files.ts';

/** What every listener serves. */
export interface EstServices {
  readonly configuration: Configuration;
  readonly aliases: ReadonlyMap<string, Alias>;
  readonly store: StateStore;
  readonly reservationOf: KeyReservations;
  readonly passThrough: PassThrough | undefined;
  readonly log: Log;
}

/** Serves EST over TLS, where the configuration says so. */
export async function listenEst(services: EstServices): Promise<Listener | undefined> {
  const { limits, listeners } = services.configuration;
  if (listeners.est === undefined) return undefined;
  const options = {
    ...(await withContext('listeners.est', readTlsFiles(listeners.est, services.log))),
    trustAnchors: await trustAnchorsOf([...services.aliases.values()]),
    minimumVersion: listeners.est.minimumVersion,
    ...limits,
  };
  const server = createEstListener(options, handlerOf(services, tlsTransport), services.log);
  const proxyProtocol = proxyProtocolOf(services);
  if (proxyProtocol !== undefined) requireProxyProtocol(server, proxyProtocol);
  return await withContext('listeners.est', listen(server, listeners.est));
}

function proxyProtocolOf({ configuration, log }: EstServices): ProxyProtocolOptions | undefined {
  const { limits, listeners } = configuration;
  if (listeners.est?.proxyProtocol === undefined) return undefined;
  const isTrusted = isAmong(listeners.est.proxyProtocol.trustedAddresses);
  return { isTrusted, timeout: limits.handshakeTimeout, log };
}

/** Tries what listening for EST needs but the ports themselves. Rejects with a plain sentence. */
export async function checkListeners({ est, proxy }: Configuration['listeners'], log: Log): Promise<void> {
  if (est !== undefined) await withContext('listeners.est', readTlsFiles(est, log));
  if (proxy !== undefined) await withContext('listeners.proxy', checkProxyListener(proxy, log));
}

/** Serves EST to a proxy that ends TLS, where the configuration says so. */
export async function listenProxy(services: EstServices): Promise<Listener | undefined> {
  const { limits, listeners } = services.configuration;
  if (listeners.proxy === undefined) return undefined;
  const isTrusted = isAmong(listeners.proxy.trustedAddresses);
  const handler = handlerOf(services, createProxyTransport({ ...listeners.proxy, isTrusted }));
  const listening = listenForProxy(listeners.proxy, limits, handler, services.log);
  const server = await withContext('listeners.proxy', listening);
  return { server, drain: createDrain(server) };
}

function handlerOf(
  { configuration, aliases, store, reservationOf, passThrough, log }: EstServices,
  transport: Transport,
): RequestListener {
  const { limits } = configuration;
  const journal = store.enrollments;
  const handler = createEstHandler({ aliases, journal, reservationOf, log, limits, transport });
  return withPassThrough(passThrough, handler);
}

/**
 * PEM of all that a client certificate may lead to, each once. The whole path, of which OpenSSL verifies the first
 * signature, is validated for each request.
 */
async function trustAnchorsOf(aliases: readonly Alias[]): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(openingTimeout);
  const explicit = await Promise.all(
    aliases.map(async ({ caCertificates }) => (await caCertificates.current(signal)).anchors),
  );
  const anchors = [...explicit, ...aliases.map(({ implicitTrustAnchors }) => implicitTrustAnchors)];
  const certificates = anchors.flatMap(({ roots, intermediates }) => [...roots, ...intermediates]);
  return [...new Set(certificates.map(({ der }) => trustedCertificateToPem(der)))];
}

/** Serves CRL, CA certificates and what is passed through over plain HTTP, where the configuration says so. */
export async function listenHttp(
  { configuration, passThrough, log }: EstServices,
  backends: Backends,
): Promise<Listener | undefined> {
  const { http } = configuration.listeners;
  if (http === undefined) return undefined;
  const handler = withPassThrough(passThrough, createPublicationHandler(publishersOf(backends), log));
  const server = createHttpServer({ connectionsCheckingInterval }, handler);
  prepareHttp(server, configuration.limits, handler, log);
  return await withContext('listeners.http', listen(server, http));
}

/** The backends that are CAs themselves. */
function publishersOf(backends: Backends): ReadonlyMap<string, CertificationAuthority> {
  return new Map(
    [...backends].flatMap(([name, { opened }]) => ('forAlias' in opened ? [] : [[name, opened] as const])),
  );
}

/** A server that listens, and how it ends. */
export interface Listener {
  readonly server: Server;
  readonly drain: () => Promise<void>;
}

async function listen(
  server: Server,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<Listener> {
  try {
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (error) {
    if (address !== '::' || !isWithoutIpv6(error)) throw error;
    return await listen(server, { address: '0.0.0.0', port });
  }
  return { server, drain: createDrain(server) };
}

/** The system has IPv6 switched off. */
function isWithoutIpv6(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL')
  );
}

/** Where a listener is reached from this host: a URL, or the path of a Unix socket. */
export function placeOf(scheme: 'http' | 'https', { server }: Listener): string {
  const address = server.address();
  if (typeof address === 'string') return address;
  return `${scheme}://localhost:${address?.port ?? 0}`;
}
