import { it } from '@jest/globals';

/** A test of what only a CA in the gateway itself can show: left out where specs run through a relay. */
export const itWithOwnCa: (name: string, test: () => Promise<void>) => void =
  process.env['EST_GATEWAY_THROUGH'] === undefined ? it : () => undefined;
