import type { Configuration } from './config/configuration.ts';
import type { Log } from './ops/log.ts';
import { openAliases } from './server/aliases.ts';
import { textOf } from './server/context.ts';
import {
  closeBackends,
  openCertificationAuthorities,
  openingTimeout,
  openState,
  type Backend,
} from './server/drivers.ts';
import { listenEst, listenHttp, readTlsFiles, urlOf } from './server/listeners.ts';
import { warnOfReadableSecrets } from './server/secret-files.ts';

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

/** Opens all that the configuration names and starts to serve. On failure nothing stays open. */
export async function startGateway(configuration: Configuration, log: Log): Promise<Gateway> {
  await using opened = new AsyncDisposableStack();
  const store = opened.adopt(await openState(configuration), (state) => state.close());
  const backends = opened.adopt(await openCertificationAuthorities(configuration, store, log), closeBackends);
  const aliases = await openAliases(configuration, backends, store, log);
  const est = opened.adopt(await listenEst(configuration, aliases, store, log), ({ drain }) => drain());
  const http = await listenHttp(configuration, backends, log);
  if (http !== undefined) opened.adopt(http, ({ drain }) => drain());
  await warnOfReadableSecrets(configuration, log);
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
    const problems = await Promise.all(
      [...backends].map(async ([name, backend]) => await problemOf(name, backend)),
    );
    return problems.filter((problem) => problem !== undefined);
  } catch (error) {
    return [textOf(error)];
  }
}

async function problemOf(name: string, { opened }: Backend): Promise<string | undefined> {
  try {
    await opened.health?.(AbortSignal.timeout(openingTimeout));
    return undefined;
  } catch (error) {
    return `backends.${name}: ${textOf(error)}`;
  }
}
