import type { KeyObject } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { EstError } from '../errors.ts';
import { createGate } from '../ops/gate.ts';
import type { Party } from '../ops/turns.ts';
import { generatePrivateKey, type KeyToMake } from '../pkix/private-keys.ts';
import type { RsaKeyOrder } from './key-maker-worker.ts';

/** One processor at least is left to everything else. */
const gate = createGate({ concurrency: availableParallelism() > 2 ? 2 : 1, queue: 64 });

/** Seconds after which there may be less to do. */
const retryAfter = 5;

/**
 * Makes a private key. RSA keys, which take up to seconds, are made in threads of their own, a few at once: the others
 * wait, and parties take turns. Throws `overloaded` when too many wait, and as soon as the signal aborts; what is made
 * after that is thrown away.
 */
export async function makePrivateKey(
  { type, bits }: KeyToMake,
  signal: AbortSignal,
  party: Party,
): Promise<KeyObject> {
  if (type !== 'RSA') return await generatePrivateKey(type);
  const late = Promise.withResolvers<never>();
  const giveUp = (): void => {
    late.reject(tooLate());
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([
      gate.run(signal, async () => await makeRsaKey(bits, signal), party),
      late.promise,
    ]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * A thread for one key, with which all goes that it has in memory. OpenSSL cannot be stopped in the middle: the promise
 * settles when the thread has ended, so that no more of them run than may.
 */
async function makeRsaKey(modulusLength: RsaKeyOrder, signal: AbortSignal): Promise<KeyObject> {
  const thread = new Worker(new URL(`./key-maker-worker${extension}`, import.meta.url), {
    workerData: modulusLength,
  });
  const ended = Promise.withResolvers<KeyObject | undefined>();
  let key: KeyObject | undefined;
  thread.on('message', (made: KeyObject) => {
    key = made;
  });
  thread.on('error', ended.reject);
  thread.on('exit', () => {
    ended.resolve(key);
  });
  const terminate = (): void => {
    void thread.terminate();
  };
  signal.addEventListener('abort', terminate, { once: true });
  try {
    const made = await ended.promise;
    if (made === undefined) throw tooLate();
    return made;
  } finally {
    signal.removeEventListener('abort', terminate);
  }
}

function tooLate(): EstError {
  return new EstError('overloaded', 'The key was not made in time.', { retryAfter });
}

/** That of this file: the sources run without a build, too. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
