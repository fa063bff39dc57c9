import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setDateAlone } from '../support/clock.ts';
import { runOnce, type Result } from './exactly-once/run.ts';

/** More for a long night; a seed that failed is run again alone by EXACTLY_ONCE_SEED. */
const runs = Number(process.env['EXACTLY_ONCE_RUNS'] ?? 5000);
const seeds =
  process.env['EXACTLY_ONCE_SEED'] === undefined
    ? Array.from({ length: runs }, (_, index) => index + 1)
    : [Number(process.env['EXACTLY_ONCE_SEED'])];

describe('the protocol with EJBCA, in a world where all that can go wrong does', () => {
  beforeAll(() => {
    setDateAlone(0);
  });
  afterAll(() => {
    jest.useRealTimers();
  });

  it(
    'E-22 gets each request one certificate, which the journal and the device have, and locks nobody out',
    async () => {
      for (const seed of seeds) {
        const results = await runOnce(seed, (time) => {
          jest.setSystemTime(time);
        }).catch((error: unknown) => {
          throw new Error(`EXACTLY_ONCE_SEED=${seed}: ${String(error)}`, { cause: error });
        });
        const wrong = results.filter(isWrong);
        expect({ seed, wrong }).toEqual({ seed, wrong: [] });
      }
    },
    600_000 + runs * 100,
  );
});

function isWrong({ atDevice, inJournal, atEjbca }: Result): boolean {
  return atEjbca.length !== 1 || atEjbca[0] !== atDevice || atDevice !== inJournal;
}
