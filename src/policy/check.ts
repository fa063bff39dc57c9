import { EstError } from '../errors.ts';

/** One question about a request. */
export interface Check {
  /** What asks: the key of the configuration, or `fixed:` and a few words where nothing can be configured. */
  readonly rule: string;
  /** Throws EstError when the answer is no. */
  readonly check: () => void | Promise<void>;
}

/** Asks one after the other; throws the first refusal, with the rule in it. */
export async function pass(checks: readonly Check[]): Promise<void> {
  for (const { rule, check } of checks) await underRule(rule, check);
}

/** What a check refuses, with the rule in it; undefined: nothing. */
export async function refusalBy(check: Check): Promise<EstError | undefined> {
  try {
    await pass([check]);
    return undefined;
  } catch (error) {
    if (error instanceof EstError) return error;
    throw error;
  }
}

/** Gives what `find` finds; its refusal gets the rule, unless it names one itself. */
export async function underRule<Found>(rule: string, find: () => Found | Promise<Found>): Promise<Found> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof EstError) || error.refusedBy?.rule !== undefined) throw error;
    throw error.with({ refusedBy: { ...error.refusedBy, rule } });
  }
}
