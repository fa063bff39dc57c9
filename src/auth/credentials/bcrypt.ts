import { Worker } from 'node:worker_threads';
import type { Party } from '../../ops/turns.ts';
import { createCodeGate } from '../code-gate.ts';
import type { BcryptQuestion } from './bcrypt-worker.ts';

/** bcrypt, off the event loop. */
export interface Bcrypt {
  /** Whether a code is that of a bcrypt hash. The client's networks take turns (`networksOf`). */
  compare(code: string, hash: string, signal: AbortSignal, networks?: Party): Promise<boolean>;
  /** Ends the thread; nothing may be compared afterwards. */
  close(): Promise<void>;
}

/**
 * bcrypt in a thread of its own, since it computes for a tenth of a second and more. The thread begins with the first
 * question and holds no process open. `compare` throws `too_many_requests` as `createCodeGate` says.
 */
export function createBcrypt(): Bcrypt {
  const gate = createCodeGate(1);
  let answer = Promise.withResolvers<boolean>();
  let worker: Worker | undefined;

  function start(): Worker {
    const thread = new Worker(new URL(`./bcrypt-worker${extension}`, import.meta.url));
    thread.on('message', (matches: boolean) => {
      answer.resolve(matches);
    });
    thread.on('error', (error) => {
      worker = undefined;
      answer.reject(error);
    });
    // After the listeners, which would hold the process again.
    thread.unref();
    return thread;
  }

  async function ask(question: BcryptQuestion): Promise<boolean> {
    worker ??= start();
    answer = Promise.withResolvers();
    worker.postMessage(question);
    return await answer.promise;
  }

  return {
    async compare(code, hash, signal, networks) {
      return await gate.run(signal, async () => await ask({ code, hash }), networks);
    },
    async close() {
      await worker?.terminate();
    },
  };
}

/** That of this file: the sources run without a build, too. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
