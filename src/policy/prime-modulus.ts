import { hash } from 'node:crypto';
import { createCache } from '../auth/revocation/cached.ts';
import { EstError } from '../errors.ts';
import { createGate } from '../ops/gate.ts';
import { networksOf } from '../ops/networks.ts';
import { acceptedKeys, type PublicKey } from '../pkix/keys.ts';
import { isPrimeModulus } from '../pkix/weak-keys.ts';
import type { Check } from './check.ts';

/** What is known of a modulus; undefined: nobody's turn to search it has come. */
interface Search {
  verdict: Promise<boolean> | undefined;
}

/** By the modulus, since one prime makes a key with each of many exponents. */
const searches = createCache<Search>(1000);

/** Large primes take seconds; the other half of the threads is left to passwords, names and files. */
const gate = createGate({ concurrency: 2, queue: 200 });

/** Who asks: parties take turns, so that who sends prime after prime keeps nobody else waiting for more than a few. */
export interface Asker {
  /** Of the client; undefined where nobody knows. */
  readonly address: string | undefined;
  /** Of the authenticated client. */
  readonly identity: string;
}

/**
 * Is the modulus of an RSA key a prime, so that its private key can be computed at once? Then the check refuses
 * (`bad_certification_request`); other keys are not asked about. Throws `overloaded` and `ca_timeout` as a gate does, the
 * latter also when the signal aborts while the search is under way.
 */
export async function examineModulus(
  { modulus }: PublicKey,
  { address, identity }: Asker,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  if (modulus === undefined) return [];
  const digest = hash('sha256', modulus, 'hex');
  const search = searches(digest, () => ({ verdict: undefined }));
  const begin = async (): Promise<boolean> => await (search.verdict ??= isPrimeModulus(modulus));
  const verdict = search.verdict ?? gate.run(signal, begin, [...networksOf(address), identity]);
  const isPrime = await within(signal, verdict);
  const check = (): void => {
    if (isPrime) throw primeModulus();
  };
  return [{ rule: 'fixed: no prime as RSA modulus', check }];
}

/** The work, unless the signal aborts first; then it goes on, and keeps its place at the gate. */
async function within<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const over = Promise.withResolvers<never>();
  const giveUp = (): void => {
    over.reject(new EstError('ca_timeout', 'The time for the request was over before its key was examined.'));
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function primeModulus(): EstError {
  return new EstError(
    'bad_certification_request',
    `The RSA modulus is a prime, so it is no key. Accepted keys: ${acceptedKeys}.`,
    { cmcFailure: 'badAlg' },
  );
}
