import { createHash } from 'node:crypto';
import { createCache } from '../auth/revocation/cached.ts';
import { EstError } from '../errors.ts';
import { createGate } from '../ops/gate.ts';
import { acceptedKeys, type PublicKey } from '../pkix/keys.ts';
import { isPrimeModulus, modulusOf } from '../pkix/weak-keys.ts';

/** By the modulus, since one prime makes a key with each of many exponents. */
const verdicts = createCache<Promise<boolean>>(1000);

/** Large primes take seconds; the other half of the threads is left to passwords, names and files. */
const gate = createGate({ concurrency: 2, queue: 1000 });

/**
 * Throws `bad_certification_request` for an RSA key whose modulus is a prime: its private key can be computed at once;
 * `overloaded` and `ca_timeout` as a gate does.
 */
export async function refusePrimeModulus({ type, key }: PublicKey, signal: AbortSignal): Promise<void> {
  const modulus = type === 'RSA' ? modulusOf(key) : undefined;
  if (modulus === undefined) return;
  const digest = createHash('sha256').update(modulus).digest('hex');
  const isPrime = await gate.run(
    signal,
    async () => await verdicts(digest, async () => await isPrimeModulus(modulus)),
  );
  if (!isPrime) return;
  throw new EstError(
    'bad_certification_request',
    `The RSA modulus is a prime, so it is no key. Accepted keys: ${acceptedKeys}.`,
    { cmcFailure: 'badAlg' },
  );
}
