import { EstError } from '../errors.ts';
import { createGate, type Gate } from '../ops/gate.ts';

/** Checks that wait. Each waits for a moment only, and holds no memory of the computation yet. */
const queue = 64;

/**
 * Lets a few of the checks of codes that take long run at once. Their parties are the networks of the clients
 * (`networksOf`), so that who floods the gateway with wrong codes keeps users elsewhere waiting for a few checks and never
 * out. In place of a gate's own errors it throws `too_many_requests`.
 */
export function createCodeGate(concurrency: number): Gate {
  const gate = createGate({ concurrency, queue });
  return {
    async run(signal, job, networks) {
      try {
        return await gate.run(signal, job, networks);
      } catch (error) {
        if (!(error instanceof EstError)) throw error;
        throw new EstError('too_many_requests', 'Too many enrolment codes are being checked; try again.', {
          retryAfter: 1,
        });
      }
    },
  };
}
