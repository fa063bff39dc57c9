import { Worker } from 'node:worker_threads';
import { EstError } from '../../errors.ts';
import type { BcryptAnswer, BcryptQuestion } from './bcrypt-worker.ts';

/** Whether a code is that of a bcrypt hash. */
export type BcryptCompare = (code: string, hash: string) => Promise<boolean>;

/** More than this many at once are refused, so that a flood of logins exhausts nothing. */
const mostAtOnce = 64;

/**
 * bcrypt in a thread of its own, since it computes for a tenth of a second and more. The thread begins with the first
 * question and holds no process open. Throws `too_many_requests` when too many wait.
 */
export function createBcrypt(): BcryptCompare {
  const waiting = new Map<number, PromiseWithResolvers<boolean>>();
  let worker: Worker | undefined;
  let lastId = 0;

  function start(): Worker {
    const thread = new Worker(new URL(`./bcrypt-worker${extension}`, import.meta.url));
    thread.on('message', ({ id, matches }: BcryptAnswer) => {
      waiting.get(id)?.resolve(matches);
      waiting.delete(id);
    });
    thread.on('error', (error) => {
      worker = undefined;
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    });
    // After the listeners, which would hold the process again.
    thread.unref();
    return thread;
  }

  return async function compare(code, hash) {
    if (waiting.size >= mostAtOnce) {
      throw new EstError('too_many_requests', 'Too many enrolment codes are being checked; try again.', {
        retryAfter: 1,
      });
    }
    worker ??= start();
    const answer = Promise.withResolvers<boolean>();
    lastId += 1;
    waiting.set(lastId, answer);
    worker.postMessage({ id: lastId, code, hash } satisfies BcryptQuestion);
    return await answer.promise;
  };
}

/** That of this file: the sources run without a build, too. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
