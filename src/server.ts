import { isDeepStrictEqual } from 'node:util';
import type { Configuration } from './config/configuration.ts';
import type { Log } from './ops/log.ts';
import { createGate } from './ops/gate.ts';
import { sentenceOf } from './ops/sentence.ts';
import { openAllSources } from './server/credentials.ts';
import { certificatesOf } from './auth/trust-anchors.ts';
import { objectionsTo } from './server/certificate-warnings.ts';
import { openingTimeout } from './server/drivers.ts';
import {
  logObjectionsToCas,
  objectionsToCas,
  warnOfClientCertificates,
  warnOfUnseen,
} from './server/examination.ts';
import {
  listenEst,
  listenHttp,
  listenProxy,
  placeOf,
  type Listener,
  type ServedAt,
} from './server/listeners.ts';
import { warnOfLeftState } from './server/left-state.ts';
import { objectionsToPlaces } from './server/listening-places.ts';
import { createProcessState } from './server/process-state.ts';
import { objectionsToCrls, openRevocation } from './server/revocation.ts';
import { openServices, type OpenedServices } from './server/services.ts';
import { awaitRecovery } from './server/recovery.ts';
import { objectionToDates } from './server/tls-files.ts';

/** A running gateway. */
export interface Gateway {
  /** Where EST is served, as `https://host:port`; undefined when the configuration has no such listener. */
  readonly estUrl: string | undefined;
  /** Where a proxy finds EST: a URL, or the path of a Unix socket; undefined as above. */
  readonly proxyPlace: string | undefined;
  /** Where CRL and CA certificates are served; undefined as above. */
  readonly httpUrl: string | undefined;
  /**
   * Opens all that another configuration names, and serves with it from then on; every connection stays, and requests
   * under way end as they began. Rejects with a plain sentence, and changes nothing, when something cannot be opened, or
   * when a section has changed that is read at the start alone. One at a time.
   */
  reload(configuration: Configuration): Promise<void>;
  /** Takes no new connections, lets requests under way finish, on all listeners at once, then closes everything. */
  stop(): Promise<void>;
}

/** Opens all that the configuration names and starts to serve. On failure nothing stays open. */
export async function startGateway(configuration: Configuration, log: Log): Promise<Gateway> {
  await using opened = new AsyncDisposableStack();
  const state = createProcessState(configuration.limits, log);
  let current = await openServices(configuration, log, state);
  opened.defer(() => current.close());
  await logObjectionsToCas(configuration, current.backends, log);
  await letGoOfOtherAliases(configuration, current);
  await warnOfLeftState(configuration, current, log);
  opened.defer(() => {
    state.stopping.abort(new Error('The gateway stops.'));
  });
  const { served } = current;
  const listening: Listener[] = [];
  opened.defer(async () => {
    await Promise.all(
      listening.map(async ({ drain }) => {
        await drain();
      }),
    );
  });
  const est = noted(listening, await listenEst(configuration, served.est, log));
  const proxy = noted(listening, await listenProxy(configuration, served.proxy, log));
  const http = noted(listening, await listenHttp(configuration, served.http, log));
  const listeners = { est, proxy, http };
  const retiring = new Set<Promise<void>>();
  let watching = new AbortController();
  let isStopping = false;
  const oneAtATime = createGate({ concurrency: 1, queue: Infinity });
  const running = opened.move();

  async function exchange(next: Configuration): Promise<void> {
    const before = current;
    const after = await openServices(next, log, state);
    const refusal = isStopping ? 'The gateway is stopping.' : objectionToProxies(before.served, after.served);
    if (refusal !== undefined) {
      await after.close();
      throw new Error(refusal);
    }
    await logObjectionsToCas(next, after.backends, log);
    await letGoOfOtherAliases(next, after);
    await warnOfLeftState(next, after, log);
    current = after;
    exchangeAll(listeners, current.served);
    reopenWhenBack(next, after);
    const retired = before.close().catch((error: unknown) => {
      log.error('What was served before the reload could not be closed.', { error });
    });
    retiring.add(retired);
    void retired.finally(() => retiring.delete(retired));
  }

  /** Until there is another reload. */
  function reopenWhenBack(served: Configuration, { backends }: OpenedServices): void {
    watching.abort();
    watching = new AbortController();
    const { signal } = watching;
    const reopen = async (): Promise<void> => {
      await alone(async () => {
        if (!signal.aborted) await exchange(served);
      });
    };
    void awaitRecovery({ backends, reopen, log, signal });
  }

  async function alone(job: () => Promise<void>): Promise<void> {
    await oneAtATime.run(new AbortController().signal, job);
  }

  reopenWhenBack(configuration, current);
  return {
    estUrl: est && placeOf('https', est),
    proxyPlace: proxy && placeOf('http', proxy),
    httpUrl: http && placeOf('http', http),
    async reload(next) {
      requireSameStart(configuration, next);
      await alone(async () => {
        await exchange(next);
      });
    },
    async stop() {
      isStopping = true;
      watching.abort();
      await running.disposeAsync();
      await Promise.all(retiring);
    },
  };
}

/** An alias that comes back later under the same name is another one. */
async function letGoOfOtherAliases(
  { aliases, file }: Configuration,
  { store }: OpenedServices,
): Promise<void> {
  await store.aliases.keepOnly(Object.keys(aliases), file, new Date());
}

type Listeners = Readonly<Record<keyof ServedAt, Listener | undefined>>;

function exchangeAll(listeners: Listeners, served: ServedAt): void {
  for (const name of ['est', 'proxy', 'http'] as const) {
    if (served[name] !== undefined) listeners[name]?.exchange(served[name]);
  }
}

/** What belongs to the listeners themselves, and to the log. */
const sectionsOfStart = ['listeners', 'limits', 'logging'] as const;

function requireSameStart(started: Configuration, next: Configuration): void {
  const changed = sectionsOfStart.find((section) => !isDeepStrictEqual(started[section], next[section]));
  if (changed === undefined) return;
  throw new Error(`${changed}: a reload takes up no changes of this section; restart the gateway for them.`);
}

/** A proxy shows its certificate once for each connection, and connections stay. */
function objectionToProxies({ proxy: before }: ServedAt, { proxy: next }: ServedAt): string | undefined {
  if (isDeepStrictEqual(before?.secureContext?.ca, next?.secureContext?.ca)) return undefined;
  return 'listeners.proxy.tls.trustAnchors: other CAs take effect at a restart alone, which ends the connections of proxies.';
}

/** The listener, if there is one, which ends together with the others. */
function noted(listening: Listener[], listener: Listener | undefined): Listener | undefined {
  if (listener !== undefined) listening.push(listener);
  return listener;
}

/**
 * Tries all that a start would try, the dates of TLS server certificates, and the health of each backend and source of
 * credentials; resolves with what is wrong, in plain words. What does not keep it from serving is a warning in the log.
 */
export async function checkGateway(configuration: Configuration, log: Log): Promise<readonly string[]> {
  try {
    await using opened = new AsyncDisposableStack();
    const state = createProcessState(configuration.limits, log);
    const services = await openServices(configuration, log, state);
    const { aliases, backends, store } = opened.adopt(services, ({ close }) => close());
    await warnOfCas(configuration, aliases, log);
    warnOfUnseen(backends, log);
    warnOfClientCertificates(configuration, backends, log);
    await warnOfCrls(configuration, aliases, log);
    await warnOfLeftState(configuration, services, log);
    const problems = await Promise.all([
      ...tlsPlacesOf(configuration).map(async ({ place, tls }) => {
        const objection = await objectionToDates(tls, new Date());
        return objection && `${place}: ${objection}`;
      }),
      ...[...backends].map(
        async ([name, { opened: backend }]) => await problemOf(`backends.${name}`, backend),
      ),
      objectionsToCas(configuration, backends),
      objectionsToPlaces(configuration),
      ...(await openAllSources(configuration, store, log, opened)).map(
        async ({ place, source }) => await problemOf(place, source),
      ),
    ]);
    return problems.flat().filter((problem) => problem !== undefined);
  } catch (error) {
    return [sentenceOf(error)];
  }
}

function tlsPlacesOf({ listeners: { est, proxy } }: Configuration) {
  return [
    ...(est === undefined ? [] : [{ place: 'listeners.est', tls: est }]),
    ...(proxy?.tls === undefined ? [] : [{ place: 'listeners.proxy', tls: proxy.tls }]),
  ];
}

/** Of those alone whose certificates are in no file of the configuration. */
async function warnOfCas(
  { aliases: options, backends }: Configuration,
  aliases: OpenedServices['aliases'],
  log: Log,
): Promise<void> {
  for (const [name, { caCertificates }] of aliases) {
    if (backends[options[name]?.backend ?? '']?.driver === 'local') continue;
    const { certificates } = await caCertificates.current(AbortSignal.timeout(openingTimeout));
    for (const objection of certificates.flatMap((certificate) => objectionsTo(certificate, new Date()))) {
      log.warn(`aliases.${name}: ${objection}`);
    }
  }
}

async function warnOfCrls(
  { aliases: options, revocation }: Configuration,
  aliases: OpenedServices['aliases'],
  log: Log,
): Promise<void> {
  const quiet = { ...log, warn: () => undefined };
  const services = openRevocation(revocation, quiet);
  for (const [name, { caCertificates, implicitTrustAnchors }] of aliases) {
    const ofAlias = options[name]?.revocation;
    if (ofAlias === undefined) continue;
    const { certificates, anchors } = await caCertificates.current(AbortSignal.timeout(openingTimeout));
    const configured = [...certificates, ...[anchors, implicitTrustAnchors].flatMap(certificatesOf)];
    for (const objection of await objectionsToCrls(ofAlias, services, configured, new Date())) {
      log.warn(`aliases.${name}.revocation: ${objection}`);
    }
  }
}

/** Something that may be able to say whether it works. */
interface Answering {
  health?(signal: AbortSignal): Promise<void>;
}

async function problemOf(place: string, asked: Answering): Promise<string | undefined> {
  try {
    await asked.health?.(AbortSignal.timeout(openingTimeout));
    return undefined;
  } catch (error) {
    return `${place}: ${sentenceOf(error)}`;
  }
}
