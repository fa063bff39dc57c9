import { hash } from 'node:crypto';
import type { LastAnswers } from '../ca/ca.ts';
import { isOutage } from '../errors.ts';
import type { Log } from '../ops/log.ts';
import type { AnswerRegistry } from '../store/store.ts';

/** What the answers of one backend are kept with. */
export interface LastAnswersParts {
  readonly registry: AnswerRegistry;
  /** The backend's name, for the log. */
  readonly backend: string;
  /** Its options: with others it may be another CA. */
  readonly options: unknown;
  readonly log: Log;
}

/** Milliseconds. */
const pause = 10_000;

/** Nothing is asked yet. */
export function createLastAnswers({ registry, backend, options, log }: LastAnswersParts): LastAnswers {
  const scope = hash('sha256', JSON.stringify(options), 'hex');
  let outage: { readonly error: unknown; readonly until: number } | undefined;

  async function askUnlessDown<Value>(ask: () => Promise<Value>): Promise<Value> {
    if (outage !== undefined && performance.now() < outage.until) throw outage.error;
    try {
      return await ask();
    } catch (error) {
      if (isOutage(error)) noteOutage(error);
      throw error;
    }
  }

  function noteOutage(error: unknown): void {
    if (outage === undefined) {
      const words = 'A CA does not answer; what it said last of itself stays in use, and enrolments get 503.';
      log.error(words, { backend, error });
    }
    outage = { error, until: performance.now() + pause };
  }

  return {
    async ask(question, ask) {
      const key = `${scope} ${question}`;
      try {
        const answer = await askUnlessDown(ask);
        await registry.keep(key, answer);
        return answer;
      } catch (error) {
        const last = isOutage(error) ? await registry.last(key) : undefined;
        if (last === undefined) throw error;
        return last;
      }
    },
    async askNow(ask) {
      try {
        return await askUnlessDown(ask);
      } catch (error) {
        if (isOutage(error)) return undefined;
        throw error;
      }
    },
    get wasDown() {
      return outage !== undefined;
    },
  };
}
