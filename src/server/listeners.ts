import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { createSecureContext, Server as TlsServer, type SecureContextOptions } from 'node:tls';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import type { EnrollmentJobs } from '../est/enrollment-jobs.ts';
import type { Connection } from '../http/connections.ts';
import { createHandshakes } from '../http/handshakes.ts';
import { createEstListener, estSecureContext, prepareHttp, serverOptions } from '../http/listener.ts';
import { takeProxyHeader } from '../http/proxy-protocol.ts';
import { createPublicationHandler } from '../http/publication.ts';
import type { KeyReservations } from '../policy/key-holder.ts';
import { createEstHandler } from '../est/router.ts';
import { createShares } from '../http/shares.ts';
import { createProxyTransport, tlsTransport, type Transport } from '../http/transport.ts';
import type { Log } from '../ops/log.ts';
import { isAmong, networksOf } from '../ops/networks.ts';
import type { Work } from '../ops/work.ts';
import { trustedCertificateToPem } from '../pkix/certificate.ts';
import type { PassThrough } from '../pass-through/pass-through.ts';
import type { StateStore } from '../store/store.ts';
import { withContext } from './context.ts';
import { openingTimeout, type Backends } from './drivers.ts';
import { withPassThrough } from './pass-through.ts';
import { createProxyServer, listenOnSocket, prepareProxyListener } from './proxy-listener.ts';
import type { Served } from './served.ts';
import { readTlsFiles } from './tls-files.ts';

/** What the requests at every listener are served with. */
export interface Services {
  readonly configuration: Configuration;
  readonly secureContexts: SecureContexts;
  readonly aliases: ReadonlyMap<string, Alias>;
  readonly backends: Backends;
  readonly store: StateStore;
  readonly reservationOf: KeyReservations;
  readonly passThrough: PassThrough | undefined;
  readonly work: Work;
  readonly jobs: EnrollmentJobs;
  readonly log: Log;
}

/** What TLS is made with at each listener where it ends. */
type SecureContexts = Readonly<Record<'est' | 'proxy', SecureContextOptions | undefined>>;

/** Tries all that listening needs but the ports themselves. Rejects with a plain sentence. */
export async function openSecureContexts(
  { listeners: { est, proxy } }: Configuration,
  aliases: ReadonlyMap<string, Alias>,
  log: Log,
): Promise<SecureContexts> {
  return {
    est: est && (await withContext('listeners.est', tried(openEstContext(est, [...aliases.values()], log)))),
    proxy: proxy && (await withContext('listeners.proxy', tried(prepareProxyListener(proxy, log)))),
  };
}

/** OpenSSL has the last word on it, and must say it before anything is served. */
async function tried<Options extends SecureContextOptions | undefined>(
  opening: Promise<Options>,
): Promise<Options> {
  const options = await opening;
  if (options !== undefined) createSecureContext(options);
  return options;
}

async function openEstContext(
  listener: NonNullable<Configuration['listeners']['est']>,
  aliases: readonly Alias[],
  log: Log,
): Promise<SecureContextOptions> {
  return estSecureContext({
    ...(await readTlsFiles(listener, log)),
    trustAnchors: await trustAnchorsOf(aliases),
    minimumVersion: listener.minimumVersion,
    ciphers: listener.ciphers,
  });
}

/** For each listener of the configuration. */
export type ServedAt = Readonly<Record<keyof Configuration['listeners'], Served | undefined>>;

/** What each listener of the configuration is to serve. */
export function servedAt(services: Services): ServedAt {
  const { configuration, secureContexts, backends, log } = services;
  const { est, proxy, http } = configuration.listeners;
  return {
    est: est && { secureContext: secureContexts.est, handler: estHandlerOf(services, tlsTransport) },
    proxy: proxy && {
      secureContext: secureContexts.proxy,
      handler: estHandlerOf(
        services,
        createProxyTransport({ ...proxy, isTrusted: isAmong(proxy.trustedAddresses) }),
      ),
    },
    http: http && { handler: handlerOf(services, createPublicationHandler(publishersOf(backends), log)) },
  };
}

function estHandlerOf(services: Services, transport: Transport): RequestListener {
  const { configuration, aliases, store, reservationOf, work, jobs, log } = services;
  const { limits } = configuration;
  const journal = store.enrollments;
  const awaited = new Set(Object.keys(configuration.aliases).filter((name) => !aliases.has(name)));
  return handlerOf(
    services,
    createEstHandler({ aliases, awaited, journal, reservationOf, log, limits, transport, work, jobs }),
  );
}

/** With what is passed through; a request is under way until its client has the answer, or has gone. */
function handlerOf({ passThrough, work }: Services, others: RequestListener): RequestListener {
  const handler = withPassThrough(passThrough, others);
  return (request, response) => {
    response.once('close', work.begin());
    handler(request, response);
  };
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
  /** Serves this from now on; what was asked before is still answered as before. */
  exchange(served: Served): void;
}

/** Serves EST over TLS, where the configuration says so. */
export async function listenEst(
  { listeners: { est }, limits }: Configuration,
  served: Served | undefined,
  log: Log,
): Promise<Listener | undefined> {
  if (est === undefined || served?.secureContext === undefined) return undefined;
  const [handler, replace] = replaceable(served.handler);
  const server = createEstListener(served.secureContext, handler);
  const enter = entranceOf(server, est, limits);
  const drain = prepareHttp(server, { name: 'est', enter }, limits, handler, log);
  await withContext('listeners.est', listen(server, est));
  return listenerOf(server, drain, replace);
}

/**
 * What happens to a connection before TLS. Behind the PROXY protocol it is the client's address that counts, and a
 * connection of the proxy itself counts for none.
 */
function entranceOf(
  server: HttpsServer,
  { proxyProtocol }: NonNullable<Configuration['listeners']['est']>,
  limits: Configuration['limits'],
): (connection: Connection) => Promise<void> {
  const share = createShares(limits);
  const handshakes = createHandshakes(server, limits);
  const isTrusted = proxyProtocol && isAmong(proxyProtocol.trustedAddresses);
  const timeout = limits.handshakeTimeout;
  return async (connection) => {
    const address =
      isTrusted === undefined
        ? connection.address
        : await takeProxyHeader(connection, { isTrusted, timeout });
    const networks = networksOf(address);
    share(connection.socket, networks);
    await handshakes.enter(connection, networks);
  };
}

/** Serves EST to a proxy that ends TLS, where the configuration says so. */
export async function listenProxy(
  { listeners: { proxy }, limits }: Configuration,
  served: Served | undefined,
  log: Log,
): Promise<Listener | undefined> {
  if (proxy === undefined || served === undefined) return undefined;
  const [handler, replace] = replaceable(served.handler);
  const server = createProxyServer(proxy, { ...served, handler }, log);
  const drain = prepareHttp(server, { name: 'proxy' }, limits, handler, log);
  const { socket, address = '', port = 0 } = proxy;
  const listening = socket === undefined ? listen(server, { address, port }) : listenOnSocket(server, socket);
  await withContext('listeners.proxy', listening);
  return listenerOf(server, drain, replace);
}

/** Serves CRL, CA certificates and what is passed through over plain HTTP, where the configuration says so. */
export async function listenHttp(
  { listeners: { http }, limits }: Configuration,
  served: Served | undefined,
  log: Log,
): Promise<Listener | undefined> {
  if (http === undefined || served === undefined) return undefined;
  const [handler, replace] = replaceable(served.handler);
  const server = createHttpServer(serverOptions, handler);
  const share = createShares(limits);
  const enter = (connection: Connection): void => {
    share(connection.socket, networksOf(connection.address));
  };
  const drain = prepareHttp(server, { name: 'http', enter }, limits, handler, log);
  await withContext('listeners.http', listen(server, http));
  return listenerOf(server, drain, replace);
}

/** A handler that hands over to another one when it is told to. */
function replaceable(
  first: RequestListener,
): [handler: RequestListener, replace: (next: RequestListener) => void] {
  let current = first;
  return [
    (request, response) => {
      current(request, response);
    },
    (next) => {
      current = next;
    },
  ];
}

function listenerOf(
  server: Server,
  drain: Listener['drain'],
  replace: (next: RequestListener) => void,
): Listener {
  return {
    server,
    drain,
    exchange({ handler, secureContext }) {
      replace(handler);
      if (secureContext !== undefined && server instanceof TlsServer) server.setSecureContext(secureContext);
    },
  };
}

async function listen(
  server: Server,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<void> {
  try {
    server.listen({ host: address, port });
    await once(server, 'listening');
  } catch (error) {
    if (address !== '::' || !isWithoutIpv6(error)) throw error;
    await listen(server, { address: '0.0.0.0', port });
  }
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
