import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createBasicAuthenticator } from './auth/basic.ts';
import { createClientCertificateAuthenticator } from './auth/client-certificate.ts';
import { createAuthentication, type Authentication } from './auth/index.ts';
import { createOtpVerifier } from './auth/otp-challenge.ts';
import { createOwnCertificateCheck, type OwnCertificateCheck } from './auth/own-certificate.ts';
import { trustAnchors } from './auth/trust-anchors.ts';
import type { CertificationAuthority } from './ca/ca.ts';
import { certificationAuthorityDrivers } from './ca/index.ts';
import type {
  AliasConfiguration,
  Configuration,
  DriverOptions,
  FullCmcConfiguration,
  ServerKeyGenerationConfiguration,
} from './config/configuration.ts';
import type { Alias, FullCmc, KeyEncryption, ServerKeyGeneration } from './est/alias.ts';
import { openCaCertificates } from './est/ca-certificates.ts';
import { readKeyEncryptionKeys } from './est/key-encryption-keys.ts';
import { createEstListener } from './est/listener.ts';
import { createPublicationHandler } from './est/publication.ts';
import { createEstHandler } from './est/router.ts';
import { createDrain } from './ops/drain.ts';
import type { Log } from './ops/log.ts';
import { readSecret } from './ops/secret.ts';
import { certificatesFromPem, certificateToPem, type Certificate } from './pkix/certificate.ts';
import { createPolicy } from './policy/policy.ts';
import { oids } from './pkix/oids.ts';
import { keyTypeOf } from './pkix/private-keys.ts';
import { createMessageSigner, type MessageSigner } from './pkix/signed-data.ts';
import { createBlocklist } from './pkix/weak-keys.ts';
import type { PolicyOptions } from './policy/options.ts';
import { stateStoreDrivers } from './store/index.ts';
import type { StateStore } from './store/store.ts';

// For those who write a backend or a store of their own.
export { EstError } from './errors.ts';
export type * from './ca/ca.ts';
export type * from './store/store.ts';

/** A running gateway. */
export interface Gateway {
  /** Where EST is served, as `https://host:port`. */
  readonly estUrl: string;
  /** Where CRL and CA certificates are served; undefined when the configuration has no such listener. */
  readonly httpUrl: string | undefined;
  /** Takes no new connections, lets requests under way finish, then closes everything. */
  stop(): Promise<void>;
}

type Backends = ReadonlyMap<string, CertificationAuthority>;

/** Opens all that the configuration names and starts to serve. On failure nothing stays open. */
export async function startGateway(configuration: Configuration, log: Log): Promise<Gateway> {
  await using opened = new AsyncDisposableStack();
  const store = opened.adopt(await openState(configuration), (state) => state.close());
  const backends = opened.adopt(await openCertificationAuthorities(configuration, store, log), closeBackends);
  const aliases = await openAliases(configuration, backends, store, log);
  const est = opened.adopt(await listenEst(configuration, aliases, store, log), ({ drain }) => drain());
  const http = await listenHttp(configuration, backends, log);
  if (http !== undefined) opened.adopt(http, ({ drain }) => drain());
  const running = opened.move();
  return {
    estUrl: urlOf('https', est),
    httpUrl: http === undefined ? undefined : urlOf('http', http),
    stop: () => running.disposeAsync(),
  };
}

/** Tries all that a start would try, and each backend's health; resolves with what is wrong, in plain words. */
export async function checkGateway(configuration: Configuration, log: Log): Promise<readonly string[]> {
  try {
    await using opened = new AsyncDisposableStack();
    const store = opened.adopt(await openState(configuration), (state) => state.close());
    const backends = opened.adopt(
      await openCertificationAuthorities(configuration, store, log),
      closeBackends,
    );
    await openAliases(configuration, backends, store, log);
    await readTlsFiles(configuration);
    const problems = await Promise.all([...backends].map(async ([name, ca]) => await problemOf(name, ca)));
    return problems.filter((problem) => problem !== undefined);
  } catch (error) {
    return [textOf(error)];
  }
}

async function problemOf(name: string, ca: CertificationAuthority): Promise<string | undefined> {
  try {
    await ca.health?.(AbortSignal.timeout(openingTimeout));
    return undefined;
  } catch (error) {
    return `backends.${name}: ${textOf(error)}`;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Opens the store of the configuration. */
export async function openState({ store }: Configuration): Promise<StateStore> {
  return await find(stateStoreDrivers, store).open(optionsOf(store));
}

/** Opens every CA backend of the configuration; the keys are their names. */
export async function openCertificationAuthorities(
  { backends, limits: { pendingExpiry } }: Configuration,
  { certificates, heldRequests }: StateStore,
  log: Log,
): Promise<Backends> {
  const opened = new Map<string, CertificationAuthority>();
  for (const [name, backend] of Object.entries(backends)) {
    const services = { name, certificates, heldRequests, pendingExpiry, log };
    opened.set(
      name,
      await withContext(
        `backends.${name}`,
        find(certificationAuthorityDrivers, backend).open(optionsOf(backend), services),
      ),
    );
  }
  return opened;
}

async function closeBackends(backends: Backends): Promise<void> {
  await Promise.all([...backends.values()].map(async (ca) => await ca.close?.()));
}

function find<Driver extends { readonly name: string }>(
  drivers: readonly Driver[],
  { driver }: DriverOptions,
): Driver {
  const found = drivers.find(({ name }) => name === driver);
  if (found === undefined) throw new Error(`There is no driver named ${driver}.`);
  return found;
}

function optionsOf({ driver, ...options }: DriverOptions): unknown {
  return options;
}

/** Says which part of the configuration an error is about. */
async function withContext<Value>(context: string, promise: Promise<Value>): Promise<Value> {
  try {
    return await promise;
  } catch (error) {
    throw new Error(`${context}: ${textOf(error)}`, { cause: error });
  }
}

/** Milliseconds that a backend may take at start for its CA certificates or its health. */
const openingTimeout = 15_000;

/** Milliseconds. */
const day = 86_400_000;

/** Makes every alias of the configuration ready to serve. */
export async function openAliases(
  configuration: Configuration,
  backends: Backends,
  store: StateStore,
  log: Log,
): Promise<ReadonlyMap<string, Alias>> {
  const aliases = new Map<string, Alias>();
  for (const [name, options] of Object.entries(configuration.aliases)) {
    aliases.set(name, await withContext(`aliases.${name}`, openAlias(name, options, backends, store, log)));
  }
  return aliases;
}

async function openAlias(
  name: string,
  options: AliasConfiguration,
  backends: Backends,
  store: StateStore,
  log: Log,
): Promise<Alias> {
  const ca = backends.get(options.backend);
  if (ca === undefined) throw new Error(`There is no backend named ${options.backend}.`);
  ca.checkProfile?.(options.profile);
  const caCertificates = await openCaCertificates(
    ca,
    await readCertificates(options.explicitTrustAnchors),
    log,
    AbortSignal.timeout(openingTimeout),
  );
  const implicit = trustAnchors('implicit', await readCertificates(options.implicitTrustAnchors));
  if (implicit.roots.length === 0 && implicit.intermediates.length > 0) {
    throw new Error('implicitTrustAnchors holds no self-signed certificate; add the root of the vendor.');
  }
  const isRevoked = async ({ serialNumber }: Certificate, signal: AbortSignal): Promise<boolean> =>
    (await ca.certificateStatus?.(serialNumber, signal)) === 'revoked';
  const user = createBasicAuthenticator(name, store.users);
  const authentication = (expiredFor: number): Authentication =>
    createAuthentication({
      alias: name,
      mode: options.authentication,
      clientCertificate: createClientCertificateAuthenticator({
        explicit: async (signal) => (await caCertificates.current(signal)).anchors,
        implicit,
        isRevoked,
        expiredFor,
      }),
      user,
    });
  const checkSigner = createOwnCertificateCheck({
    caCertificates: async (signal) => (await caCertificates.current(signal)).certificates,
    isRevoked,
  });
  return {
    name,
    ca,
    caCertificates,
    implicitTrustAnchors: implicit,
    profile: options.profile,
    authenticate: authentication(0),
    authenticateRenewal: authentication(options.policy.renewExpiredDays * day),
    verifyOtp: createOtpVerifier(name, store.users),
    policy: createPolicy(options.policy),
    knownKeys: createBlocklist(await readTexts(options.knownKeys)),
    fullCmc: options.fullCmc && (await openFullCmc(options.fullCmc, ca, checkSigner)),
    serverKeyGeneration:
      options.serverKeyGeneration &&
      (await withContext(
        'serverKeyGeneration',
        openServerKeyGeneration(options.serverKeyGeneration, options.policy),
      )),
    strict: options.strict,
    wrap: options.wrap,
  };
}

async function openFullCmc(
  { signer, passThrough }: FullCmcConfiguration,
  ca: CertificationAuthority,
  checkSigner: OwnCertificateCheck,
): Promise<FullCmc> {
  if (passThrough && ca.fullCmc === undefined) {
    throw new Error('fullCmc.passThrough: the CA backend does not speak CMC; leave this out.');
  }
  return {
    signer: await withContext('fullCmc.signer', openCmcSigner(signer)),
    passThrough,
    checkSigner,
  };
}

/** RFC 6402, section 2.10 has the purposes by which clients know who may answer. */
async function openCmcSigner({
  certificate,
  privateKey,
}: FullCmcConfiguration['signer']): Promise<MessageSigner> {
  const certificates = await readCertificates([certificate]);
  const [own] = certificates;
  if (own?.extendedKeyUsage?.some((oid) => oid === oids.cmcRA || oid === oids.cmcCA) !== true) {
    throw new Error('The certificate must have the extended key usage id-kp-cmcRA or id-kp-cmcCA.');
  }
  return await createMessageSigner(certificates, createPrivateKey(await readSecret(privateKey)));
}

async function openServerKeyGeneration(
  { keys, encryption }: ServerKeyGenerationConfiguration,
  policy: PolicyOptions,
): Promise<ServerKeyGeneration> {
  const refused = keys.find((kind) => !policy.keys.includes(kind) && !policy.keys.includes(keyTypeOf(kind)));
  if (refused !== undefined) throw new Error(`keys holds ${refused}, which policy.keys does not allow.`);
  return { keys, encryption: encryption && (await withContext('encryption', openKeyEncryption(encryption))) };
}

async function openKeyEncryption({
  required,
  signer,
  keyEncryptionKeys,
  recipients,
}: NonNullable<ServerKeyGenerationConfiguration['encryption']>): Promise<KeyEncryption> {
  const certificates = await readCertificates([signer.certificate]);
  const privateKey = createPrivateKey(await readSecret(signer.privateKey));
  const sharedKeys = keyEncryptionKeys === undefined ? '' : await readSecret(keyEncryptionKeys);
  return {
    required,
    signer: await withContext('signer', createMessageSigner(certificates, privateKey)),
    keyEncryptionKeys: readKeyEncryptionKeys(sharedKeys),
    recipients: await readRecipients(recipients),
  };
}

async function readRecipients(files: readonly string[]): Promise<readonly Certificate[]> {
  const certificates = await readCertificates(files);
  if (certificates.some(({ subjectKeyIdentifier }) => subjectKeyIdentifier === undefined)) {
    throw new Error('recipients holds a certificate without subjectKeyIdentifier, by which it is named.');
  }
  return certificates;
}

async function readCertificates(files: readonly string[]): Promise<readonly Certificate[]> {
  return files.length === 0 ? [] : certificatesFromPem(await readTexts(files));
}

async function readTexts(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(async (file) => await readFile(file, 'utf8')))).join('\n');
}

async function listenEst(
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

async function readTlsFiles({
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

async function listenHttp(
  configuration: Configuration,
  backends: Backends,
  log: Log,
): Promise<Listener | undefined> {
  const { http } = configuration.listeners;
  if (http === undefined) return undefined;
  const server = createHttpServer(createPublicationHandler(backends, log));
  return await withContext('listeners.http', listen(server, http));
}

/** A server that listens, and how it ends. */
interface Listener {
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

function urlOf(scheme: 'http' | 'https', { server }: Listener): string {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `${scheme}://localhost:${port}`;
}
