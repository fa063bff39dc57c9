import { EstError } from '../errors.ts';

/** Spares a service that fails again and again, and those who would wait for it. */
export interface CircuitBreaker {
  /** Runs the job; throws `ca_unavailable` at once while the service is spared. */
  run<Value>(job: () => Promise<Value>): Promise<Value>;
}

/** What the end of a job says about the service; `unknown` when the job was given up before the service showed anything. */
export type ServiceVerdict = 'works' | 'fails' | 'unknown';

/** When the service is spared, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row. */
  readonly failures: number;
  /** Seconds without a call; then one call tries whether the service is back. */
  readonly pause: number;
  /** What an error that a job threw says; a job that gave a value says that the service works. */
  readonly verdictOn: (error: unknown) => ServiceVerdict;
  /** Told once each time the service begins to be spared. */
  readonly onOpen: (error: unknown) => void;
}

/** Closed at first: every call goes through. While it is open, only the call that tries decides what comes next. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  let failuresInARow = 0;
  /** Milliseconds of `performance.now()` until which nothing goes through. */
  let pausedUntil = 0;
  let isTrying = false;

  function isOpen(): boolean {
    return failuresInARow >= options.failures;
  }

  /** Gives whether the call is the one that tries. */
  function admit(): boolean {
    if (!isOpen()) return false;
    const left = pausedUntil - performance.now();
    if (left > 0 || isTrying) {
      throw new EstError(
        'ca_unavailable',
        'The service has failed again and again and is left alone for a while.',
        {
          retryAfter: Math.max(1, Math.ceil(left / 1000)),
        },
      );
    }
    isTrying = true;
    return true;
  }

  function noteFailure(error: unknown): void {
    const wasOpen = isOpen();
    failuresInARow += 1;
    if (!isOpen()) return;
    pausedUntil = performance.now() + options.pause * 1000;
    if (!wasOpen) options.onOpen(error);
  }

  function note(verdict: ServiceVerdict, isTrial: boolean, error?: unknown): void {
    if (isTrial) isTrying = false;
    // What began before the service was spared tells of the time before.
    if (verdict === 'unknown' || (isOpen() && !isTrial)) return;
    if (verdict === 'works') failuresInARow = 0;
    else noteFailure(error);
  }

  return {
    async run(job) {
      const isTrial = admit();
      try {
        const value = await job();
        note('works', isTrial);
        return value;
      } catch (error) {
        note(options.verdictOn(error), isTrial, error);
        throw error;
      }
    },
  };
}
