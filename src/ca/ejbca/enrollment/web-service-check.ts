import { EstError } from '../../../errors.ts';
import type { Log } from '../../../ops/log.ts';
import type { WebService } from '../web-service.ts';

/** What the web service is needed for. */
interface Need {
  /** What the role of the gateway must be allowed. */
  readonly rules: readonly string[];
  /** For the log, where it is not to be had. */
  readonly loss: string;
}

/** To register end entities. */
export const registering: Need = {
  rules: [
    '/ra_functionality/create_end_entity',
    '/ra_functionality/edit_end_entity',
    '/ra_functionality/view_end_entity',
  ],
  loss: 'EJBCA does not register end entities for the gateway: after a lost answer a device waits until EJBCA has surely ended its transaction.',
};

/** To look up those that somebody else has registered. */
export const lookingUp: Need = {
  rules: ['/ra_functionality/view_end_entity'],
  loss: 'EJBCA does not show end entities to the gateway: what it issues by enrolment codes is not compared with the registered names.',
};

/** Milliseconds for which an answer is believed. */
const memory = 60_000;

/** Whether the web service can be used, which EJBCA is asked now and then. Rejects while EJBCA cannot be asked at all. */
export function createWebServiceCheck(
  { missingRules }: Pick<WebService, 'missingRules'>,
  { rules, loss }: Need,
  backend: string,
  log: Log,
): (signal: AbortSignal) => Promise<boolean> {
  let known: { readonly answer: boolean; readonly until: number } | undefined;

  async function ask(signal: AbortSignal): Promise<string | undefined> {
    try {
      const missing = await missingRules(rules, signal);
      return missing.length === 0
        ? undefined
        : `Allow ${missing.join(', ')} in the role of the gateway in EJBCA.`;
    } catch (error) {
      if (!(error instanceof EstError) || error.code === 'ca_unavailable' || error.code === 'ca_timeout') {
        throw error;
      }
      return 'Enable "Web Service" under System Configuration, Protocol Configuration in EJBCA.';
    }
  }

  return async (signal) => {
    if (known !== undefined && known.until > performance.now()) return known.answer;
    const advice = await ask(signal);
    const answer = advice === undefined;
    if (!answer && known?.answer !== false) log.warn(loss, { backend, advice });
    known = { answer, until: performance.now() + memory };
    return answer;
  };
}
