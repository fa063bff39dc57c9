import { createHash } from 'node:crypto';
import { createCache } from '../auth/revocation/cached.ts';
import { EstError } from '../errors.ts';
import { createGate } from '../ops/gate.ts';
import { acceptedKeys, type PublicKey } from '../pkix/keys.ts';
import { isPrimeModulus } from '../pkix/weak-keys.ts';
import type { Check } from '../policy/check.ts';

/** By the modulus, since one prime makes a key with each of many exponents. */
const verdicts = createCache<Promise<boolean>>(1000);

/** Large primes take seconds; the other half of the threads is left to passwords, names and files. */
const gate = createGate({ concurrency: 2, queue: 1000 });

/**
 * Is the modulus of an RSA key a prime, so that its private key can be computed at once? Then the check refuses
 * (`bad_certification_request`); other keys are not asked about. Throws `overloaded` and `ca_timeout` as a gate does.
 */
export async function examineModulus({ modulus }: PublicKey, signal: AbortSignal): Promise<readonly Check[]> {
  if (modulus === undefined) return [];
  const digest = createHash('sha256').update(modulus).digest('hex');
  const isPrime = await gate.run(
    signal,
    async () => await verdicts(digest, async () => await isPrimeModulus(modulus)),
  );
  const check = (): void => {
    if (isPrime) throw primeModulus();
  };
  return [{ rule: 'fixed: no prime as RSA modulus', check }];
}

function primeModulus(): EstError {
  return new EstError(
    'bad_certification_request',
    `The RSA modulus is a prime, so it is no key. Accepted keys: ${acceptedKeys}.`,
    { cmcFailure: 'badAlg' },
  );
}
