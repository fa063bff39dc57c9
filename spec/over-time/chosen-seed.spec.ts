import './model/no-checkpoints.ts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomInt } from 'node:crypto';
import { beginModel, runs, type Model } from './model/model.ts';

/** `new`: one that nobody has tried. */
const chosen = process.env['OVER_TIME_SEED'] ?? '2';
const seed = chosen === 'new' ? randomInt(2 ** 31) : Number(chosen);
/** The run of this seed that failed, alone. */
const path = process.env['OVER_TIME_PATH'];

describe('users, devices, registration authorities and operators, at two gateways that may die', () => {
  let model: Model;
  beforeAll(async () => {
    process.stdout.write(`over time: OVER_TIME_SEED=${seed}\n`);
    model = await beginModel();
  });
  afterAll(async () => {
    await model.end();
  });

  it(
    'get what they may have by the sequences of another seed, too',
    async () => {
      expect(await model.violationIn({ seed, path })).toBeUndefined();
    },
    60_000 + runs * 2000,
  );
});
