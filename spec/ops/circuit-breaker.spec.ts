import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCircuitBreaker, type CircuitBreaker } from '../../src/ops/circuit-breaker.ts';

const down = new Error('down');
const refused = new Error('refused');
const gone = new Error('the caller is gone');

describe('createCircuitBreaker()', () => {
  let breaker: CircuitBreaker;
  let openings: unknown[];

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] });
    openings = [];
    breaker = createCircuitBreaker({
      failures: 3,
      pause: 10,
      verdictOn: (error) => (error === down ? 'fails' : error === gone ? 'unknown' : 'works'),
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

  it('takes a caller who gave up neither for a failure nor for a success', async () => {
    for (const outcome of [gone, gone, gone, down, gone, down, gone] as const) await call(outcome);
    expect(openings).toEqual([]);
    expect(await call(down)).toBe(down);
    expect(await call('fine')).toEqual(spared);
  });

  it('lets the next call try when the one that tried gave up', async () => {
    for (let n = 0; n < 3; n += 1) await call(down);
    jest.advanceTimersByTime(10_000);
    expect(await call(gone)).toBe(gone);
    expect(await call(down)).toBe(down);
    expect(await call('fine')).toEqual(spared);
  });

  it('lets calls that began before the pause neither end it, nor prolong it, nor make room for a second try', async () => {
    const early = Array.from({ length: 3 }, () => Promise.withResolvers<string>());
    const running = early.map(async ({ promise }) => await breaker.run(async () => await promise));
    for (let n = 0; n < 3; n += 1) await call(down);
    early[0]?.resolve('late');
    expect(await running[0]).toBe('late');
    expect(await call('fine')).toEqual(spared);
    jest.advanceTimersByTime(9000);
    early[1]?.reject(down);
    await expect(running[1]).rejects.toBe(down);
    jest.advanceTimersByTime(1000);
    const trial = Promise.withResolvers<string>();
    const trying = breaker.run(async () => await trial.promise);
    early[2]?.resolve('late');
    await running[2];
    expect(await call('fine')).toEqual(spared);
    trial.resolve('back');
    await trying;
    expect(await call('fine')).toBe('fine');
  });
});
