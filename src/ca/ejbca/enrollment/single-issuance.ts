import type { Log } from '../../../ops/log.ts';
import { outcomeOf } from '../refusal.ts';
import { pages } from '../refusals/known-text.ts';
import { newEndEntity, type RegisteredEndEntity } from '../web-service.ts';
import { PasswordNotKept } from './exactly-once.ts';

/** Whether EJBCA gives one certificate for each registration at an alias, as its answers have shown. */
export interface SingleIssuance {
  /** Whether they have shown that it does not. */
  isDenied(): boolean;
  /** Whether a refused registration shows it. */
  deniedBy(error: unknown): boolean;
  /** Whether an end entity should be looked at that has got its certificate. */
  isDue(): boolean;
  /** Learns from such an end entity. */
  learnFrom(endEntity: RegisteredEndEntity | undefined): void;
}

/** Milliseconds for which an answer is believed: somebody may change EJBCA's settings. */
const memory = 3_600_000;

const passwordsMade = `Switch "Auto-generated" off for the password in the end entity profile. EJBCA: ${pages.endEntityProfiles}.`;
const notFinished = `Switch "Finish User" on in the CA, and "Number of allowed requests" off in the end entity profile. EJBCA: ${pages.certificationAuthorities}; ${pages.endEntityProfiles}.`;

/** Nothing is known yet. `endEntityProfile` is for the log. */
export function createSingleIssuance(
  { backend, endEntityProfile }: { readonly backend: string; readonly endEntityProfile: string },
  log: Log,
): SingleIssuance {
  let lookedAt: number | undefined;
  let deniedAt: number | undefined;
  const isFresh = (since: number | undefined): boolean =>
    since !== undefined && performance.now() - since < memory;

  function deny(advice: string): void {
    deniedAt = performance.now();
    log.warn(
      'EJBCA does not give one certificate for each registration: after a lost answer a device waits until EJBCA has surely ended its transaction.',
      { backend, endEntityProfile, advice },
    );
  }

  return {
    isDenied: () => isFresh(deniedAt),
    deniedBy(error) {
      const isDenied = outcomeOf(error) === 'makesPasswords' || error instanceof PasswordNotKept;
      if (isDenied) deny(passwordsMade);
      return isDenied;
    },
    isDue: () => !isFresh(lookedAt),
    learnFrom(endEntity) {
      lookedAt = performance.now();
      if (endEntity?.status === newEndEntity) deny(notFinished);
    },
  };
}
