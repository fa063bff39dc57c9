import { EstError } from '../errors.ts';

/** One question about a request. */
export interface Check {
  /** What asks: the key of the configuration, or `fixed:` and a few words where nothing can be configured. */
  readonly rule: string;
  /** Throws EstError when the answer is no. */
  readonly check: () => void;
}

/** Asks one after the other; throws the first refusal, with the rule in it. */
export function pass(checks: readonly Check[]): void {
  for (const check of checks) {
    const refusal = refusalBy(check);
    if (refusal !== undefined) throw refusal;
  }
}

/** What a check refuses, with the rule in it; undefined: nothing. */
export function refusalBy({ rule, check }: Check): EstError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof EstError)) throw error;
    const { refusedBy } = error;
    return refusedBy?.rule === undefined ? error.with({ refusedBy: { ...refusedBy, rule } }) : error;
  }
}
