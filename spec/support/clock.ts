import { jest } from '@jest/globals';

/** Lets `Date` begin at this time, milliseconds since 1970; timers, and OpenSSL, go on as they are. */
export function setDateAlone(now: number): void {
  const timers = [
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
    'setImmediate',
    'clearImmediate',
  ] as const;
  jest.useFakeTimers({ now, doNotFake: [...timers, 'nextTick', 'queueMicrotask', 'performance', 'hrtime'] });
}
