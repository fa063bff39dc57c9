import { setTimeout as sleep } from 'node:timers/promises';
import { EstError } from '../../errors.ts';
import type { UserIdentity } from '../../identity.ts';
import type { Log } from '../../ops/log.ts';
import { networksOf } from '../../ops/networks.ts';
import type { Attempts } from '../attempts/attempts.ts';
import { triedUser } from '../tried-user.ts';
import type { CredentialSource, CredentialVerdict, ShownCode } from './source.ts';

/** Who asks, and how long there is time. */
interface Caller {
  /** The client's address; undefined: nobody knows. */
  readonly address: string | undefined;
  readonly signal: AbortSignal;
}

/** The user who has this code; or its code is wrong, or the user unknown. */
type CodeVerdict =
  { readonly state: 'proved'; readonly user: UserIdentity } | { readonly state: 'wrong' | 'unknown' };

/**
 * Whose code this is. Throws `too_many_requests` after too many wrong ones, and `credentials_unavailable` when nobody
 * knows.
 */
export type CodeCheck = (shown: ShownCode, caller: Caller) => Promise<CodeVerdict>;

/** What checks the codes of one alias. */
export interface CodeCheckOptions {
  readonly alias: string;
  /** Asked in this order; the first that knows the name decides. */
  readonly sources: readonly CredentialSource[];
  readonly attempts: Attempts;
  readonly log: Log;
}

/** Milliseconds: a refusal takes a whole number of these, unless it takes the same time for all names anyway. */
const refusalStep = 500;

/** Seconds after which a source that is out of order may be back. */
const retryAfter = 30;

/** Checks codes against the sources of an alias. A source that is out of order ends the search: nobody else may take its place. */
export function createCodeCheck({ alias, sources, attempts, log }: CodeCheckOptions): CodeCheck {
  const isEven = sources.length === 1 && sources[0]?.takesEqualTime === true;

  async function ask(shown: ShownCode, { address, signal }: Caller): Promise<CredentialVerdict> {
    const networks = networksOf(address);
    for (const source of sources) {
      const verdict = await source.prove(shown, signal, networks).catch(unforeseen);
      if (verdict.state === 'unknown') continue;
      if ('reason' in verdict) report(source, shown, verdict);
      return verdict;
    }
    return { state: 'unknown' };
  }

  function report(
    { name: source }: CredentialSource,
    { name: user }: ShownCode,
    { state, reason }: Extract<CredentialVerdict, { readonly reason?: string }>,
  ): void {
    if (state === 'wrong') log.warn('A user may not enrol.', { alias, source, user, reason });
    // A name that nobody knows may be a code in the wrong place.
    else log.error('A source of credentials does not answer as it should.', { alias, source, reason });
  }

  return async function check(shown, caller) {
    const { address, signal } = caller;
    const startedAt = performance.now();
    const verdict = await attempts.run({ alias, address, ...shown }, async () => await ask(shown, caller));
    switch (verdict.state) {
      case 'proved':
        return verdict;
      case 'unavailable':
        throw new EstError('credentials_unavailable', verdict.reason, {
          retryAfter,
          refusedCredentials: triedUser(shown),
        });
      case 'wrong':
      case 'unknown':
        if (!isEven) await untilNextStep(startedAt, signal);
        return { state: verdict.state };
    }
  };
}

/** The texts of exceptions may hold anything; the log gets the error itself. */
function unforeseen(thrown: unknown): CredentialVerdict {
  if (thrown instanceof EstError) throw thrown;
  return { state: 'unavailable', reason: thrown instanceof Error ? thrown.message : 'something unforeseen' };
}

/** So that the time of a refusal does not tell which source knows a name, or whether any does. */
async function untilNextStep(startedAt: number, signal: AbortSignal): Promise<void> {
  const taken = performance.now() - startedAt;
  const rest = Math.ceil(taken / refusalStep) * refusalStep - taken;
  await sleep(rest, undefined, { signal }).catch(() => undefined);
}
