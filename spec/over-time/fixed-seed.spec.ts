import './model/no-checkpoints.ts';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { beginModel, runs, type Model } from './model/model.ts';

describe('users, devices, registration authorities and operators, at two gateways that may die', () => {
  let model: Model;
  beforeAll(async () => {
    model = await beginModel();
  });
  afterAll(async () => {
    await model.end();
  });

  it(
    'get what they may have, once, and nothing that was revoked, whatever happens in between',
    async () => {
      expect(await model.violationIn({ seed: 1 })).toBeUndefined();
    },
    60_000 + runs * 2000,
  );
});
