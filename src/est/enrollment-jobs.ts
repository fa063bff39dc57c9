import { EstError } from '../errors.ts';
import type { Work } from '../ops/work.ts';

/** What becomes of an enrolment. */
export type EnrollmentOutcome =
  | {
      readonly status: 'issued';
      readonly certificate: Buffer;
      /** The CA's own, when it speaks CMC itself. */
      readonly fullPkiResponse?: Buffer | undefined;
    }
  | { readonly status: 'pending'; readonly retryAfter: number };

/** What is asked of CAs in the name of records of the journal, also when the requests that began it are over. */
export interface EnrollmentJobs {
  /** Runs a job for a record; its signal aborts after `seconds`, or when the gateway stops. */
  run(
    id: string,
    seconds: number,
    job: (signal: AbortSignal) => Promise<EnrollmentOutcome>,
  ): Promise<EnrollmentOutcome>;
  /** The job of a record; undefined: none is under way here. */
  find(id: string): Promise<EnrollmentOutcome> | undefined;
}

/** Each job is part of the work; `stopping` aborts those that are left. */
export function createEnrollmentJobs(work: Work, stopping: AbortSignal): EnrollmentJobs {
  const underWay = new Map<string, Promise<EnrollmentOutcome>>();

  async function runAlone(
    id: string,
    seconds: number,
    job: (signal: AbortSignal) => Promise<EnrollmentOutcome>,
  ): Promise<EnrollmentOutcome> {
    const ended = work.begin();
    const limit = startLimit(seconds, stopping);
    try {
      return await job(limit.signal);
    } finally {
      limit.clear();
      underWay.delete(id);
      ended();
    }
  }

  return {
    async run(id, seconds, job) {
      const running = runAlone(id, seconds, job);
      // The journal has the outcome, whether or not anybody waits for it.
      running.catch(() => undefined);
      underWay.set(id, running);
      return await running;
    },
    find: (id) => underWay.get(id),
  };
}

function startLimit(
  seconds: number,
  stopping: AbortSignal,
): { readonly signal: AbortSignal; readonly clear: () => void } {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort(stopping.reason);
  };
  const timer = setTimeout(() => {
    controller.abort(new DOMException('The time for the CA is over.', 'TimeoutError'));
  }, seconds * 1000);
  if (stopping.aborted) stop();
  stopping.addEventListener('abort', stop, { once: true });
  return {
    signal: controller.signal,
    clear: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', stop);
    },
  };
}

/** What a job gives, for a request whose time `signal` limits. Throws `ca_timeout` when that is over before. */
export async function inTime<Value>(job: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop: (() => void) | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    stop = () => {
      reject(
        new EstError('ca_timeout', 'The CA did not answer in the time of the request.', {
          cause: signal.reason,
        }),
      );
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([job, over]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}
