import { describe, expect, it } from '@jest/globals';
import { EstError } from '../../src/errors.ts';
import { createGate } from '../../src/ops/gate.ts';

const { signal } = new AbortController();

/** A job that ends when it is told to. */
function job(): {
  readonly run: () => Promise<string>;
  readonly end: () => void;
  readonly hasBegun: () => boolean;
} {
  const { promise, resolve } = Promise.withResolvers<string>();
  let begun = false;
  return {
    run: async () => {
      begun = true;
      return await promise;
    },
    end: () => {
      resolve('done');
    },
    hasBegun: () => begun,
  };
}

/** Lets everything that can go on do so. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('createGate()', () => {
  it('lets as many run at once as it may, and the others in their order', async () => {
    const gate = createGate({ concurrency: 2, queue: 10 });
    const jobs = [job(), job(), job(), job()];
    const results = jobs.map(async ({ run }) => await gate.run(signal, run));
    await settle();
    expect(jobs.map(({ hasBegun }) => hasBegun())).toEqual([true, true, false, false]);
    jobs[1]?.end();
    await settle();
    expect(jobs.map(({ hasBegun }) => hasBegun())).toEqual([true, true, true, false]);
    for (const { end } of jobs) end();
    expect(await Promise.all(results)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('refuses who finds the queue full, and has room again afterwards', async () => {
    const gate = createGate({ concurrency: 1, queue: 1 });
    const [first, second] = [job(), job()];
    const results = [gate.run(signal, first.run), gate.run(signal, second.run)];
    await expect(gate.run(signal, job().run)).rejects.toMatchObject({ code: 'overloaded', retryAfter: 5 });
    first.end();
    second.end();
    await Promise.all(results);
    expect(await gate.run(signal, async () => await Promise.resolve('again'))).toBe('again');
  });

  it('gives the place of a job that failed to the next one', async () => {
    const gate = createGate({ concurrency: 1, queue: 1 });
    const failing = gate.run(signal, async () => await Promise.reject(new Error('no')));
    const next = gate.run(signal, async () => await Promise.resolve('next'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('next');
  });

  it('lets nobody wait beyond his time, and does not run what came too late', async () => {
    const gate = createGate({ concurrency: 1, queue: 5 });
    const [first, late] = [job(), job()];
    const running = gate.run(signal, first.run);
    const controller = new AbortController();
    const waiting = gate.run(controller.signal, late.run);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ca_timeout' });
    await expect(gate.run(controller.signal, late.run)).rejects.toMatchObject({ code: 'ca_timeout' });
    first.end();
    await running;
    expect(await gate.run(signal, async () => await Promise.resolve('free'))).toBe('free');
    expect(late.hasBegun()).toBe(false);
  });

  it('lets parties take turns, however many jobs one of them has', async () => {
    const gate = createGate({ concurrency: 1, queue: 10 });
    const order: string[] = [];
    const note = (name: string) => async () => await Promise.resolve(order.push(name));
    const first = job();
    const running = gate.run(signal, first.run, ['a']);
    const waiting = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map(
      async (name) => await gate.run(signal, note(name), [name.charAt(0)]),
    );
    first.end();
    await Promise.all([running, ...waiting]);
    expect(order).toEqual(['c1', 'b1', 'a1', 'b2', 'a2', 'a3']);
  });

  it('makes room for others at the cost of the party that has most jobs waiting', async () => {
    const gate = createGate({ concurrency: 1, queue: 4 });
    const first = job();
    const done = async () => await Promise.resolve('done');
    const running = gate.run(signal, first.run, ['flood']);
    const waiting = ['flood', 'flood', 'flood', 'flood', 'flood', 'b', 'b', 'b', 'c', 'd'].map(
      async (party) => {
        const outcome = await gate.run(signal, done, [party]).catch((error: unknown) => error);
        return outcome instanceof EstError ? outcome.code : outcome;
      },
    );
    first.end();
    await running;
    const flood = ['done', 'overloaded', 'overloaded', 'overloaded', 'overloaded'];
    const others = ['done', 'overloaded', 'overloaded', 'done', 'done'];
    expect(await Promise.all(waiting)).toEqual([...flood, ...others]);
    expect(await gate.run(signal, done, ['flood'])).toBe('done');
  });

  it('forgets a party that waits no more', async () => {
    const gate = createGate({ concurrency: 1, queue: 1 });
    const first = job();
    const running = gate.run(signal, first.run, ['a']);
    const controller = new AbortController();
    const waiting = gate.run(controller.signal, job().run, ['b']);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ca_timeout' });
    const next = gate.run(signal, async () => await Promise.resolve('next'), ['c']);
    first.end();
    await running;
    expect(await next).toBe('next');
  });
});
