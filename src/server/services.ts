import type { Configuration } from '../config/configuration.ts';
import { createEnrollmentJobs } from '../est/enrollment-jobs.ts';
import type { Log } from '../ops/log.ts';
import { createWork } from '../ops/work.ts';
import { openAliases } from './aliases.ts';
import { closeBackends, openCertificationAuthorities, openState } from './drivers.ts';
import { openSecureContexts, servedAt, type ServedAt, type Services } from './listeners.ts';
import { openPassThrough } from './pass-through.ts';
import type { ProcessState } from './process-state.ts';
import { openReservedKeys } from './reserved-keys.ts';
import { warnOfReadableSecrets } from './secret-files.ts';

/** All that a configuration names but the ports, open. */
export interface OpenedServices extends Pick<Services, 'aliases' | 'backends' | 'store'> {
  readonly served: ServedAt;
  /** Waits for what is under way. */
  readonly close: () => Promise<void>;
}

/** Opens them as a start, a reload and a check do. Rejects with a plain sentence; on failure nothing stays open. */
export async function openServices(
  configuration: Configuration,
  log: Log,
  state: ProcessState,
): Promise<OpenedServices> {
  await using opened = new AsyncDisposableStack();
  const store = opened.adopt(await openState(configuration), (database) => database.close());
  const backends = opened.adopt(await openCertificationAuthorities(configuration, store, log), closeBackends);
  const aliases = await openAliases(configuration, backends, store, log, opened, state);
  const passThrough = await openPassThrough(configuration, log);
  opened.defer(() => passThrough?.close());
  const secureContexts = await openSecureContexts(configuration, aliases, log);
  const reservationOf = await openReservedKeys({ configuration, aliases, backends, store });
  await warnOfReadableSecrets(configuration, log);
  const work = createWork();
  const services = {
    configuration,
    secureContexts,
    aliases,
    backends,
    store,
    reservationOf,
    passThrough,
    work,
    jobs: createEnrollmentJobs(work, state.stopping.signal),
    log,
  };
  const served = servedAt(services);
  opened.defer(work.ended);
  const running = opened.move();
  return { aliases, backends, store, served, close: () => running.disposeAsync() };
}
