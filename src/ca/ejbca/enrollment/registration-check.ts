import { EstError } from '../../../errors.ts';
import type { Log } from '../../../ops/log.ts';
import type { WebService } from '../web-service.ts';

/** What the role of the gateway must be allowed, to register end entities. */
const neededRules = [
  '/ra_functionality/create_end_entity',
  '/ra_functionality/edit_end_entity',
  '/ra_functionality/view_end_entity',
];

/** Milliseconds for which an answer is believed. */
const memory = 60_000;

/**
 * Whether the web service registers end entities for the gateway, which EJBCA is asked now and then. Rejects while EJBCA cannot be
 * asked at all.
 */
export function createRegistrationCheck(
  { missingRules }: Pick<WebService, 'missingRules'>,
  backend: string,
  log: Log,
): (signal: AbortSignal) => Promise<boolean> {
  let known: { readonly answer: boolean; readonly until: number } | undefined;

  async function ask(signal: AbortSignal): Promise<string | undefined> {
    try {
      const missing = await missingRules(neededRules, signal);
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
    if (!answer && known?.answer !== false) {
      log.warn(
        'EJBCA does not register end entities for the gateway: after a lost answer a device waits until EJBCA has surely ended its transaction.',
        { backend, advice },
      );
    }
    known = { answer, until: performance.now() + memory };
    return answer;
  };
}
