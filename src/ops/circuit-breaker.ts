import { EstError } from '../errors.ts';

/** Spares a service that fails again and again, and those who would wait for it. */
export interface CircuitBreaker {
  /** Runs the job; throws `ca_unavailable` at once while the service is spared. */
  run<Value>(job: () => Promise<Value>): Promise<Value>;
}

/** When the service is spared, and for how long. */
export interface CircuitBreakerOptions {
  /** Failures in a row. */
  readonly failures: number;
  /** Seconds without a call; then one call tries whether the service is back. */
  readonly pause: number;
  /** Whether what a job threw means that the service is down. */
  readonly isFailure: (error: unknown) => boolean;
  /** Told once each time the pause begins. */
  readonly onOpen: (error: unknown) => void;
}

/** Closed at first: every call goes through. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  let failuresInARow = 0;
  /** Milliseconds of `performance.now()` until which nothing goes through. */
  let pausedUntil = 0;
  let isTrying = false;

  function admit(): void {
    if (failuresInARow < options.failures) return;
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
  }

  function note(error: unknown): void {
    if (!options.isFailure(error)) {
      failuresInARow = 0;
      return;
    }
    failuresInARow += 1;
    if (failuresInARow < options.failures) return;
    const isFirst = failuresInARow === options.failures;
    pausedUntil = performance.now() + options.pause * 1000;
    if (isFirst) options.onOpen(error);
  }

  return {
    async run(job) {
      admit();
      try {
        const value = await job();
        failuresInARow = 0;
        return value;
      } catch (error) {
        note(error);
        throw error;
      } finally {
        isTrying = false;
      }
    },
  };
}
