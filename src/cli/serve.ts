import type { Command } from 'commander';
import { constants } from 'node:os';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import type { Configuration } from '../config/configuration.ts';
import { loadConfiguration } from '../config/load.ts';
import { createLog, type Log } from '../ops/log.ts';
import { sentenceOf } from '../ops/sentence.ts';
import { startGateway, type Gateway } from '../server.ts';
import { certificateWarnings, isAboutDates } from '../server/certificate-warnings.ts';
import { configurationOption, type ConfigurationOption } from './options.ts';

/** `est-gateway serve` */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description(
      'Serve EST until SIGINT or SIGTERM; a second signal does not wait for requests under way. SIGHUP: read the configuration and its files again, and go on without a break.',
    )
    .addOption(configurationOption())
    .addHelpText('after', '\nExample:\n  est-gateway serve --config /etc/est-gateway/est-gateway.yaml')
    .action(async ({ configuration }: ConfigurationOption) => {
      await serve(configuration);
    });
}

/** Serves until a signal says to stop, then lets requests under way finish. */
export async function serve(configuration: Configuration): Promise<void> {
  const hangups = heedHangups();
  boundYoungGeneration();
  const log = createLog(configuration.logging);
  logWarnings(log);
  await warnOfCertificates(configuration, log);
  const gateway = await startGateway(configuration, withoutDates(log));
  const stopped = untilSignal();
  const { estUrl, proxyPlace: proxy, httpUrl: http } = gateway;
  log.info(
    estUrl === undefined ? 'EST is served to the proxy.' : `EST is served at ${estUrl}/.well-known/est`,
    { proxy, http },
  );
  hangups.answer(async () => {
    await reload(gateway, configuration, log);
  });
  log.info(`Stopping because of ${await stopped}`);
  endAfter(configuration.limits.requestTimeout + closingTime, log);
  await gateway.stop();
}

/** Seconds beyond the time of a request after which the process ends, whatever is still open. */
const closingTime = 5;

/** What the CA was asked and has not answered stays in the journal, where a repeat of the request finds it. */
function endAfter(seconds: number, log: Log): void {
  setTimeout(() => {
    log.error('Something did not end in time and was cut off.', { seconds });
    setImmediate(() => process.exit(1));
  }, seconds * 1000).unref();
}

/** What is done about SIGHUP, which would end the process otherwise. */
interface Hangups {
  /** Runs the job from now on: at once if there was one already, one at a time, and once for those that come meanwhile. */
  answer(job: () => Promise<void>): void;
}

function heedHangups(): Hangups {
  let isWanted = false;
  let isRunning = false;
  let wanted: (() => Promise<void>) | undefined;

  async function run(): Promise<void> {
    if (wanted === undefined || isRunning) return;
    isRunning = true;
    while (isWanted) {
      isWanted = false;
      await wanted();
    }
    isRunning = false;
  }

  process.on('SIGHUP', () => {
    isWanted = true;
    void run();
  });
  return {
    answer(job) {
      wanted = job;
      void run();
    },
  };
}

/** Says what `check` says of certificates and those who may change the configuration. */
async function warnOfCertificates(configuration: Configuration, log: Log): Promise<void> {
  for (const warning of await certificateWarnings(configuration, new Date())) log.warn(warning);
}

/** The dates of certificates are said already, and in more words. */
function withoutDates(log: Log): Log {
  return {
    ...log,
    warn(message, fields) {
      if (!isAboutDates(fields)) log.warn(message, fields);
    },
  };
}

/** Takes up the configuration anew, and logs what came of it. */
async function reload(gateway: Gateway, { file, drivers }: Configuration, log: Log): Promise<void> {
  try {
    const configuration = await loadConfiguration(file, drivers);
    await gateway.reload(configuration);
    await warnOfCertificates(configuration, log);
    log.info('The configuration was reloaded.', { file });
  } catch (error) {
    log.error('The reload failed; all is served as before.', { file, reason: sentenceOf(error) });
  }
}

/** Octets of V8's young generation that hold what the requests of a busy moment make, so that it dies there. */
const youngGeneration = 24_000_000;

/**
 * V8 would let its young generation grow to 64 MB under load and keep them resident; in too small a one, what belongs to
 * TLS sessions would not die, but get into the old generation and stay for long. A running process cannot set a limit,
 * only whether there is growth, so this is decided after each collection.
 */
function boundYoungGeneration(): void {
  new PerformanceObserver(() => {
    const size =
      getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
    setFlagsFromString(`--semi-space-growth-factor=${size < youngGeneration ? 4 : 1}`);
  }).observe({ entryTypes: ['gc'] });
}

/** What Node warns of becomes lines of the log, but for the old function that http-proxy uses (DEP0060). */
function logWarnings(log: Log): void {
  process.removeAllListeners('warning');
  process.on('warning', (warning: Error & { readonly code?: string }) => {
    if (warning.code !== 'DEP0060') log.warn('A warning of Node', { error: warning });
  });
}

/** Ctrl-C arrives twice, from the terminal and from a parent that passes it on: within these milliseconds it is one. */
const sameKeystroke = 200;

/** Resolves with the first signal. A later one ends the process at once, with the code that a shell would give. */
async function untilSignal(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    let first: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        const now = performance.now();
        first ??= now;
        if (now - first > sameKeystroke) process.exit(128 + constants.signals[signal]);
        resolve(signal);
      });
    }
  });
}
