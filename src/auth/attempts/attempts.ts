import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { networksOf } from '../../ops/networks.ts';
import { createMemory } from './memory.ts';

/** Who tries to prove to be whom. */
interface Attempt {
  readonly alias: string;
  /** The client's; undefined: nobody knows. */
  readonly address: string | undefined;
  readonly name: string;
  /** Left out where the client sends a proof of its code alone (Digest). */
  readonly code?: string;
}

/** How much may be tried before somebody must wait. */
export interface AttemptLimits {
  /** Different wrong codes for one user from one address that cost nothing. */
  readonly wrongCodes: number;
  /** Seconds of the longest wait after a wrong code. */
  readonly wrongCodeWait: number;
}

/** Holds off those who guess codes, and nobody else. */
export interface Attempts {
  /**
   * Runs a check, unless this user must wait at this address: then it throws `too_many_requests`. The states `wrong` and
   * `unknown` count against the user there, `proved` for it; any other state, and anything thrown, counts for nothing.
   */
  run<Verdict extends { readonly state: string }>(
    attempt: Attempt,
    check: () => Promise<Verdict>,
  ): Promise<Verdict>;
}

/** Wrong codes that cost nothing where the user proved its code lately; so much a whole site may get wrong in a day. */
const wrongWhereKnown = 1000;

/** Wrong codes for one user from everywhere, or from one address for all users, that show that somebody is guessing. */
const manyWrong = 50;

/** Wrong codes that cost nothing then; whoever knows the code needs none. */
const wrongWhileGuessed = 1;

const day = 86_400_000;

/**
 * Who waits is always one user at one address, never an address or a user as a whole, so that nobody can hold off others
 * elsewhere, nor other users behind the same address. Many wrong codes for one user or from one address leave fewer that
 * cost nothing: somebody who knows the code gets through all the same. All of it is in the memory of this process.
 */
export function createAttempts(
  { wrongCodes, wrongCodeWait }: AttemptLimits,
  log: Log,
  clock: () => number = () => performance.now(),
): Attempts {
  const failures = createMemory<Failures>(10_000, day);
  const proofs = createMemory<true>(50_000, 7 * day);
  const wrongOfUsers = createMemory<number>(10_000, day);
  const wrongOfAddresses = createMemory<number>(10_000, day);

  function freeCodes({ client, user, address }: Keys, now: number): number {
    if (proofs.get(client, now) === true) return wrongWhereKnown;
    const wrong = Math.max(wrongOfUsers.get(user, now) ?? 0, wrongOfAddresses.get(address, now) ?? 0);
    return wrong < manyWrong ? wrongCodes : wrongWhileGuessed;
  }

  /** Counts a code as wrong before anybody knows, so that nobody gains by sending many at once. */
  function begin(keys: Keys): Begun {
    const now = clock();
    const { count, waitUntil, guesses } = failures.get(keys.client, now) ?? none;
    if (waitUntil > now) throw mustWait(waitUntil - now);
    if (guesses.includes(keys.guess)) return { isNew: false, wait: 0 };
    const wait = waitAfter(count + 1 - freeCodes(keys, now));
    const latest = [...guesses.slice(1 - mostGuesses), keys.guess];
    failures.set(keys.client, { count: count + 1, waitUntil: now + wait, guesses: latest }, now);
    return { isNew: true, wait };
  }

  function waitAfter(paid: number): number {
    return paid <= 0 ? 0 : Math.min(wrongCodeWait, 2 ** (paid - 1)) * 1000;
  }

  function takeBack({ client, guess }: Keys): void {
    const now = clock();
    const { count, guesses } = failures.get(client, now) ?? none;
    const left = { count: count - 1, waitUntil: 0, guesses: guesses.filter((other) => other !== guess) };
    if (left.count > 0) failures.set(client, left, now);
    else failures.forget(client);
  }

  function noteWrong({ alias, address, name }: Attempt, keys: Keys, wait: number, isKnown: boolean): void {
    const now = clock();
    const ofUser = (wrongOfUsers.get(keys.user, now) ?? 0) + 1;
    const ofAddress = (wrongOfAddresses.get(keys.address, now) ?? 0) + 1;
    wrongOfUsers.set(keys.user, ofUser, now);
    wrongOfAddresses.set(keys.address, ofAddress, now);
    // A name that nobody knows may be a code in the wrong place.
    const fields = { alias, user: isKnown ? name : undefined, address };
    if (wait > 0)
      log.warn('Wrong enrolment codes: this user must wait at this address.', {
        ...fields,
        seconds: wait / 1000,
      });
    if (ofUser === manyWrong) log.warn('Somebody guesses the enrolment code of a user.', fields);
    if (ofAddress === manyWrong)
      log.warn('Somebody guesses enrolment codes at an address.', { alias, address });
  }

  return {
    async run(attempt, check) {
      const keys = keysOf(attempt);
      const { isNew, wait } = begin(keys);
      let state = 'thrown';
      try {
        const verdict = await check();
        state = verdict.state;
        return verdict;
      } finally {
        const isWrong = state === 'wrong' || state === 'unknown';
        if (isNew && isWrong) noteWrong(attempt, keys, wait, state === 'wrong');
        if (isNew && !isWrong) takeBack(keys);
        if (state === 'proved') proofs.set(keys.client, true, clock());
      }
    },
  };
}

interface Begun {
  /** The same code was not tried lately. */
  readonly isNew: boolean;
  /** Milliseconds that follow when it is wrong. */
  readonly wait: number;
}

/** Of one user at one address. */
interface Failures {
  /** Codes that were wrong, or are being checked. */
  readonly count: number;
  readonly waitUntil: number;
  /** The latest of them: a device that repeats its wrong code guesses nothing. */
  readonly guesses: readonly string[];
}

const none: Failures = { count: 0, waitUntil: 0, guesses: [] };
const mostGuesses = 8;

function mustWait(milliseconds: number): EstError {
  return new EstError(
    'too_many_requests',
    'Too many wrong enrolment codes have been sent; wait, then send the right one.',
    { retryAfter: Math.ceil(milliseconds / 1000) },
  );
}

interface Keys {
  readonly client: string;
  readonly user: string;
  readonly address: string;
  /** By which two equal codes are recognised; it helps nobody to find the code. */
  readonly guess: string;
}

const guessKey = randomBytes(32);

function keysOf({ alias, address: shown, name, code }: Attempt): Keys {
  // Directories take names in any case and with any white space.
  const plainName = name.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
  const user = createHash('sha256').update(`${alias}\0${plainName}`).digest('base64');
  const address = networksOf(shown).at(-1) ?? 'nobody knows';
  return {
    client: `${user} ${address}`,
    user,
    address,
    guess: code === undefined ? randomUUID() : createHmac('sha256', guessKey).update(code).digest('base64'),
  };
}
