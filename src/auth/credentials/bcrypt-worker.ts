import { compareSync } from 'bcryptjs';
import { parentPort } from 'node:worker_threads';

/** What the thread is asked, one question at a time; the answer is whether it is the code of the hash. */
export interface BcryptQuestion {
  readonly code: string;
  readonly hash: string;
}

parentPort?.on('message', ({ code, hash }: BcryptQuestion) => {
  parentPort?.postMessage(compareSync(code, hash));
});
