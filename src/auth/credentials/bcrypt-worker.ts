import { compareSync } from 'bcryptjs';
import { parentPort } from 'node:worker_threads';

/** What the thread is asked; the answer has the same id. */
export interface BcryptQuestion {
  readonly id: number;
  readonly code: string;
  readonly hash: string;
}

/** Whether it is the code of the hash. */
export interface BcryptAnswer {
  readonly id: number;
  readonly matches: boolean;
}

parentPort?.on('message', ({ id, code, hash }: BcryptQuestion) => {
  parentPort?.postMessage({ id, matches: compareSync(code, hash) } satisfies BcryptAnswer);
});
