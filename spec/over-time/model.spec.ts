import './model/no-checkpoints.ts';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { setDateAlone } from '../support/clock.ts';
import { run } from './model/run.ts';
import { beginning, createSite, type Site } from './model/site.ts';
import { sequences } from './model/steps.ts';

/** More for a long night. */
const runs = Number(process.env['OVER_TIME_RUNS'] ?? 300);
const seed = Number(process.env['OVER_TIME_SEED'] ?? 1);
/** With the seed, the run that failed alone. */
const path = process.env['OVER_TIME_PATH'];

describe('users, devices, registration authorities and operators, at two gateways that may die', () => {
  let site: Site;
  beforeAll(async () => {
    setDateAlone(beginning);
    site = await createSite();
  });
  afterAll(async () => {
    jest.useRealTimers();
    await site.remove();
  });

  it('get what they may have, once, and nothing that was revoked, whatever happens in between', async () => {
    const property = fc.asyncProperty(sequences, async (steps) => {
      await run(site, steps, (time) => {
        jest.setSystemTime(time);
      });
    });
    const options = {
      numRuns: runs,
      seed,
      ...(path !== undefined && { path }),
    };
    const result = await fc.check(property, options);
    expect(
      result.failed
        ? `OVER_TIME_SEED=${seed} OVER_TIME_PATH=${result.counterexamplePath ?? ''}\n${String(result.errorInstance)}`
        : 'nothing',
    ).toBe('nothing');
  }, 3_600_000);
});
