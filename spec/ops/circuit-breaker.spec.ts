import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCircuitBreaker, type CircuitBreaker } from '../../src/ops/circuit-breaker.ts';

const down = new Error('down');
const refused = new Error('refused');

describe('createCircuitBreaker()', () => {
  let breaker: CircuitBreaker;
  let openings: unknown[];

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    openings = [];
    breaker = createCircuitBreaker({
      failures: 3,
      pause: 10,
      isFailure: (error) => error === down,
      onOpen: (error) => openings.push(error),
    });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  async function call(outcome: Error | 'fine'): Promise<unknown> {
    return await breaker
      .run(async () => await (outcome === 'fine' ? Promise.resolve('fine') : Promise.reject(outcome)))
      .catch((error: unknown) => error);
  }

  const spared = expect.objectContaining({ code: 'ca_unavailable' });

  it('lets everything through until there are as many failures in a row', async () => {
    const outcomes = [down, down, 'fine', down, down, refused, down, down] as const;
    for (const outcome of outcomes) expect(await call(outcome)).toBe(outcome);
    expect(openings).toEqual([]);
    expect(await call(down)).toBe(down);
    expect(openings).toEqual([down]);
    expect(await call('fine')).toEqual(spared);
  });

  it('says how long the pause is, and lets one call try after it', async () => {
    for (let n = 0; n < 3; n += 1) await call(down);
    jest.advanceTimersByTime(2500);
    expect(await call('fine')).toMatchObject({ code: 'ca_unavailable', retryAfter: 8 });
    jest.advanceTimersByTime(7500);
    const { promise, resolve } = Promise.withResolvers<string>();
    const trying = breaker.run(async () => await promise);
    expect(await call('fine')).toEqual(spared);
    resolve('back');
    expect(await trying).toBe('back');
    expect(await call('fine')).toBe('fine');
  });

  it('pauses again when the one call fails, and says so only once', async () => {
    for (let n = 0; n < 3; n += 1) await call(down);
    jest.advanceTimersByTime(10_000);
    expect(await call(down)).toBe(down);
    expect(await call('fine')).toEqual(spared);
    expect(openings).toEqual([down]);
    jest.advanceTimersByTime(10_000);
    expect(await call(refused)).toBe(refused);
    expect(await call('fine')).toBe('fine');
  });
});
