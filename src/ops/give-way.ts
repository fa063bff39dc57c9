import { setImmediate } from 'node:timers/promises';

/** What is shorter, as CSRs with EC keys and RSA keys of 4096 bits are, costs a fraction of a millisecond at each step. */
const large = 2048;

/**
 * Lets the event loop see to everything else before the next step for a request of so many octets; a small request, which most
 * are, goes on at once.
 */
export async function giveWay(octets: number): Promise<void> {
  if (octets >= large) await setImmediate();
}
