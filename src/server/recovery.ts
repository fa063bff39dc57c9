import { setTimeout as wait } from 'node:timers/promises';
import { isOutage } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import { sentenceOf } from '../ops/sentence.ts';
import { openingTimeout, type Backends } from './drivers.ts';

/** Milliseconds between two questions whether a CA is back. */
const interval = 5000;

/** Milliseconds, at most, after openings that failed though the CA is back. */
const longestInterval = 300_000;

/** How to wait for CAs that were down when their backends were opened. */
export interface Recovery {
  readonly backends: Backends;
  /** Opens everything anew; afterwards nobody waits for these backends any more. */
  readonly reopen: () => Promise<void>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Resolves at once when all CAs answered, else when one is back and everything is open anew, or the signal aborts. */
export async function awaitRecovery({ backends, reopen, log, signal }: Recovery): Promise<void> {
  const down = new Map([...backends].filter(([, { answers }]) => answers.wasDown));
  if (down.size === 0) return;
  let pause = interval;
  while (await hasPassed(pause, signal)) {
    const back = await firstBack(down);
    if (back === undefined) continue;
    try {
      await reopen();
      log.info('A CA answers again; all is served with what it says now.', { backend: back });
      return;
    } catch (error) {
      pause = Math.min(2 * pause, longestInterval);
      const words = 'A CA answers again, but not as the configuration needs it; all is served as before.';
      log.error(words, { backend: back, reason: sentenceOf(error) });
    }
  }
}

/** False: the signal has aborted. */
async function hasPassed(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await wait(milliseconds, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}

async function firstBack(down: Backends): Promise<string | undefined> {
  for (const [name, { opened }] of down) if (await isBack(opened.health?.bind(opened))) return name;
  return undefined;
}

/** A backend that cannot say it is opened to see. */
async function isBack(health: ((signal: AbortSignal) => Promise<void>) | undefined): Promise<boolean> {
  try {
    await health?.(AbortSignal.timeout(openingTimeout));
    return true;
  } catch (error) {
    return !isOutage(error);
  }
}
