import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { networksOf, siteOf } from '../../ops/networks.ts';
import { triedUser } from '../tried-user.ts';
import { createMemory, type Memory } from './memory.ts';

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

/**
 * Users at addresses whose failures are remembered at least. So many slow hashes take about as long as the longest wait,
 * so that who makes up names in order that a wait is forgotten gains nothing by it. An entry takes some 250 octets.
 */
const leastFailures = 50_000;

/** Users and sites of which wrong codes are counted at least. */
const leastCounts = 20_000;

/** Those who were right are remembered longer: nobody can make them up. */
const leastProofs = 50_000;

const day = 86_400_000;

/**
 * Who waits is always one user at one address, never an address or a user as a whole, so that nobody can hold off others
 * elsewhere, nor other users behind the same address. Many wrong codes for one user or from one address leave fewer that
 * cost nothing: somebody who knows the code gets through all the same. The address of IPv6 is its first 64 bits, and after
 * many wrong codes for the user from one site the whole site, but for those who were right there. All of it is in the
 * memory of this process.
 */
export function createAttempts(
  { wrongCodes, wrongCodeWait }: AttemptLimits,
  log: Log,
  clock: () => number = () => performance.now(),
): Attempts {
  const failures = createMemory<Failures>(leastFailures, day);
  const proofs = createMemory<true>(leastProofs, 7 * day);
  const wrongOfUsers = createMemory<number>(leastCounts, day);
  const wrongOfSites = createMemory<number>(leastCounts, day);
  const wrongOfUsersAtSites = createMemory<number>(leastCounts, day);

  /** Where many codes of the user were wrong at a site, those wait as one who were not right there before. */
  function waiterOf({ client, userAtSite }: Keys): string {
    const now = clock();
    const isGuessed = (wrongOfUsersAtSites.get(userAtSite, now) ?? 0) >= manyWrong;
    return isGuessed && proofs.get(client, now) !== true ? userAtSite : client;
  }

  function freeCodes({ client, user, site }: Keys, now: number): number {
    if (proofs.get(client, now) === true) return wrongWhereKnown;
    const wrong = Math.max(wrongOfUsers.get(user, now) ?? 0, wrongOfSites.get(site, now) ?? 0);
    return wrong < manyWrong ? wrongCodes : wrongWhileGuessed;
  }

  /** Counts a code as wrong before anybody knows, so that nobody gains by sending many at once. */
  function begin(attempt: Attempt, keys: Keys, waiter: string): Begun {
    const now = clock();
    const { count, waitUntil, guesses } = failures.get(waiter, now) ?? none;
    if (waitUntil > now) throw mustWait(waitUntil - now, attempt);
    if (guesses.includes(keys.guess)) return { isNew: false, wait: 0 };
    const wait = waitAfter(count + 1 - freeCodes(keys, now));
    const latest = [...guesses.slice(1 - mostGuesses), keys.guess];
    failures.set(waiter, { count: count + 1, waitUntil: now + wait, guesses: latest }, now);
    return { isNew: true, wait };
  }

  function waitAfter(paid: number): number {
    return paid <= 0 ? 0 : Math.min(wrongCodeWait, 2 ** (paid - 1)) * 1000;
  }

  function takeBack({ guess }: Keys, waiter: string): void {
    const now = clock();
    const { count, guesses } = failures.get(waiter, now) ?? none;
    const left = { count: count - 1, waitUntil: 0, guesses: guesses.filter((other) => other !== guess) };
    if (left.count > 0) failures.set(waiter, left, now);
    else failures.forget(waiter);
  }

  function oneMore(counts: Memory<number>, key: string): number {
    const now = clock();
    const count = (counts.get(key, now) ?? 0) + 1;
    counts.set(key, count, now);
    return count;
  }

  function noteWrong({ alias, address, name }: Attempt, keys: Keys, wait: number, isKnown: boolean): void {
    const ofUser = oneMore(wrongOfUsers, keys.user);
    const ofSite = oneMore(wrongOfSites, keys.site);
    oneMore(wrongOfUsersAtSites, keys.userAtSite);
    // A name that nobody knows may be a code in the wrong place.
    const fields = { alias, user: isKnown ? name : undefined, address };
    if (wait > 0)
      log.warn('Wrong enrolment codes: this user must wait at this address.', {
        ...fields,
        seconds: wait / 1000,
      });
    if (ofUser === manyWrong) log.warn('Somebody guesses the enrolment code of a user.', fields);
    if (ofSite === manyWrong) log.warn('Somebody guesses enrolment codes at an address.', { alias, address });
  }

  return {
    async run(attempt, check) {
      const keys = keysOf(attempt);
      const waiter = waiterOf(keys);
      const { isNew, wait } = begin(attempt, keys, waiter);
      let state = 'thrown';
      try {
        const verdict = await check();
        state = verdict.state;
        return verdict;
      } finally {
        const isWrong = state === 'wrong' || state === 'unknown';
        if (isNew && isWrong) noteWrong(attempt, keys, wait, state === 'wrong');
        if (isNew && !isWrong) takeBack(keys, waiter);
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

function mustWait(milliseconds: number, attempt: Attempt): EstError {
  return new EstError(
    'too_many_requests',
    'Too many wrong enrolment codes have been sent; wait, then send the right one.',
    { retryAfter: Math.ceil(milliseconds / 1000), refusedCredentials: triedUser(attempt) },
  );
}

interface Keys {
  /** The user at the address. */
  readonly client: string;
  readonly user: string;
  readonly site: string;
  readonly userAtSite: string;
  /** By which two equal codes are recognised; it helps nobody to find the code. */
  readonly guess: string;
}

const guessKey = randomBytes(32);

/** Short, and the same length whatever was sent. */
function shortHash(...parts: readonly string[]): string {
  return createHmac('sha256', guessKey).update(parts.join('\0')).digest('base64').slice(0, 20);
}

function keysOf({ alias, address, name, code }: Attempt): Keys {
  // Directories take names in any case and with any white space.
  const plainName = name.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
  const network = networksOf(address).at(-1) ?? 'nobody knows';
  const site = siteOf(address) ?? network;
  return {
    client: shortHash(alias, plainName, network),
    user: shortHash(alias, plainName),
    site,
    userAtSite: shortHash(alias, plainName, site),
    guess: code === undefined ? randomUUID() : shortHash(code),
  };
}
