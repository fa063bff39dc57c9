import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { CertificationAuthority } from '../ca/ca.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Alias } from '../est/alias.ts';
import { createEstListener } from '../est/listener.ts';
import { createPublicationHandler } from '../est/publication.ts';
import { createEstHandler } from '../est/router.ts';
import { createDrain } from '../ops/drain.ts';
import type { Log } from '../ops/log.ts';
import { readSecret } from '../ops/secret.ts';
import { certificatesFromPem, certificateToPem } from '../pkix/certificate.ts';
import type { StateStore } from '../store/store.ts';
import { withContext } from './context.ts';
import { openingTimeout, type Backends } from './drivers.ts';

/** Serves EST over TLS. */
export async function listenEst(
  configuration: Configuration,
  aliases: ReadonlyMap<string, Alias>,
  store: StateStore,
  log: Log,
): Promise<Listener> {
  const { limits, listeners } = configuration;
  const handler = createEstHandler({ aliases, journal: store.enrollments, log, limits });
  const options = {
    ...(await readTlsFiles(configuration)),
    trustAnchors: await trustAnchorsOf([...aliases.values()]),
    minimumVersion: listeners.est.minimumVersion,
    ...limits,
  };
  return await withContext('listeners.est', listen(createEstListener(options, handler), listeners.est));
}

/** The PEM of the TLS server certificate and of its key, which must belong together. */
export async function readTlsFiles({
  listeners: { est },
}: Configuration): Promise<{ certificate: string; privateKey: string }> {
  const certificate = await readFile(est.certificate, 'utf8');
  const privateKey = await readSecret(est.privateKey);
  const [leaf] = certificatesFromPem(certificate);
  if (leaf === undefined || !new X509Certificate(leaf.der).checkPrivateKey(createPrivateKey(privateKey))) {
    throw new Error('listeners.est: the private key does not belong to the first certificate of the file.');
  }
  return { certificate, privateKey };
}

/** PEM of all that a client certificate may lead to, each once. */
async function trustAnchorsOf(aliases: readonly Alias[]): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(openingTimeout);
  const explicit = await Promise.all(
    aliases.map(async ({ caCertificates }) => (await caCertificates.current(signal)).anchors),
  );
  const anchors = [...explicit, ...aliases.map(({ implicitTrustAnchors }) => implicitTrustAnchors)];
  const certificates = anchors.flatMap(({ roots, intermediates }) => [...roots, ...intermediates]);
  return [...new Set(certificates.map(({ der }) => certificateToPem(der)))];
}

/** Serves CRL and CA certificates over plain HTTP, where the configuration says so. */
export async function listenHttp(
  configuration: Configuration,
  backends: Backends,
  log: Log,
): Promise<Listener | undefined> {
  const { http } = configuration.listeners;
  if (http === undefined) return undefined;
  const server = createHttpServer(createPublicationHandler(publishersOf(backends), log));
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

/** Where a listener is reached from this host. */
export function urlOf(scheme: 'http' | 'https', { server }: Listener): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `${scheme}://localhost:${port}`;
}
