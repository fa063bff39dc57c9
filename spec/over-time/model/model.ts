/** The property: no sequence of steps has anything in it that the model forbids. */
import { jest } from '@jest/globals';
import * as fc from 'fast-check';
import { setDateAlone } from '../../support/clock.ts';
import { run } from './run.ts';
import { beginning, createSite } from './site.ts';
import { sequences } from './steps.ts';

/** How many sequences are tried; more for a long night. */
export const runs = Number(process.env['OVER_TIME_RUNS'] ?? 750);

/** What sequences are tried in. */
export interface Model {
  /** What is wrong, with all that has happened before, in the shortest of a few sequences that have it; undefined: nothing. */
  violationIn(which: {
    readonly seed: number;
    readonly path?: string | undefined;
  }): Promise<string | undefined>;
  end(): Promise<void>;
}

/** In virtual time, which ends with it. */
export async function beginModel(): Promise<Model> {
  setDateAlone(beginning);
  const site = await createSite();
  const property = fc.asyncProperty(sequences, async (steps) => {
    await run(site, steps, (time) => {
      jest.setSystemTime(time);
    });
  });
  return {
    async violationIn({ seed, path }) {
      const where = { seed, numRuns: runs, ...(path !== undefined && { path }) };
      const { failed, counterexamplePath, errorInstance } = await fc.check(property, where);
      if (!failed) return undefined;
      return `OVER_TIME_SEED=${seed} OVER_TIME_PATH=${counterexamplePath ?? ''}\n${textOf(errorInstance)}`;
    },
    end: async () => {
      jest.useRealTimers();
      await site.remove();
    },
  };
}

/** The message has what happened before. */
function textOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ''}` : String(thrown);
}
