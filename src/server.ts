import type { Configuration } from './config/configuration.ts';
import type { Log } from './ops/log.ts';
import { sentenceOf } from './ops/sentence.ts';
import { openAliases } from './server/aliases.ts';
import { openAllSources } from './server/credentials.ts';
import { closeBackends, openCertificationAuthorities, openingTimeout, openState } from './server/drivers.ts';
import {
  checkListeners,
  listenEst,
  listenHttp,
  listenProxy,
  placeOf,
  type Listener,
} from './server/listeners.ts';
import { openPassThrough } from './server/pass-through.ts';
import { openReservedKeys } from './server/reserved-keys.ts';
import { warnOfReadableSecrets } from './server/secret-files.ts';

/** A running gateway. */
export interface Gateway {
  /** Where EST is served, as `https://host:port`; undefined when the configuration has no such listener. */
  readonly estUrl: string | undefined;
  /** Where a proxy finds EST: a URL, or the path of a Unix socket; undefined as above. */
  readonly proxyPlace: string | undefined;
  /** Where CRL and CA certificates are served; undefined as above. */
  readonly httpUrl: string | undefined;
  /** Takes no new connections, lets requests under way finish, then closes everything. */
  stop(): Promise<void>;
}

/** Opens all that the configuration names and starts to serve. On failure nothing stays open. */
export async function startGateway(configuration: Configuration, log: Log): Promise<Gateway> {
  await using opened = new AsyncDisposableStack();
  const store = opened.adopt(await openState(configuration), (state) => state.close());
  const backends = opened.adopt(await openCertificationAuthorities(configuration, store, log), closeBackends);
  const aliases = await openAliases(configuration, backends, store, log);
  const passThrough = await openPassThrough(configuration, log);
  opened.defer(() => passThrough?.close());
  const reservationOf = await openReservedKeys({ configuration, aliases, backends, store });
  const services = { configuration, aliases, store, reservationOf, passThrough, log };
  const est = adopt(opened, await listenEst(services));
  const proxy = adopt(opened, await listenProxy(services));
  const http = adopt(opened, await listenHttp(services, backends));
  await warnOfReadableSecrets(configuration, log);
  const running = opened.move();
  return {
    estUrl: est && placeOf('https', est),
    proxyPlace: proxy && placeOf('http', proxy),
    httpUrl: http && placeOf('http', http),
    stop: () => running.disposeAsync(),
  };
}

/** The listener, if there is one, ends with all that was opened. */
function adopt(opened: AsyncDisposableStack, listener: Listener | undefined): Listener | undefined {
  return listener && opened.adopt(listener, ({ drain }) => drain());
}

/**
 * Tries all that a start would try, and the health of each backend and source of credentials; resolves with what is
 * wrong, in plain words.
 */
export async function checkGateway(configuration: Configuration, log: Log): Promise<readonly string[]> {
  try {
    await using opened = new AsyncDisposableStack();
    const store = opened.adopt(await openState(configuration), (state) => state.close());
    const backends = opened.adopt(
      await openCertificationAuthorities(configuration, store, log),
      closeBackends,
    );
    await openAliases(configuration, backends, store, log);
    await checkListeners(configuration.listeners, log);
    (await openPassThrough(configuration, log))?.close();
    const problems = await Promise.all([
      ...[...backends].map(
        async ([name, { opened: backend }]) => await problemOf(`backends.${name}`, backend),
      ),
      ...(await openAllSources(configuration, store, log)).map(
        async ({ place, source }) => await problemOf(place, source),
      ),
    ]);
    return problems.filter((problem) => problem !== undefined);
  } catch (error) {
    return [sentenceOf(error)];
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
