import { createCache } from '../auth/revocation/cached.ts';
import { EstError } from '../errors.ts';
import { acceptedKeys, type PublicKey } from '../pkix/keys.ts';
import { hasPrimeModulus } from '../pkix/weak-keys.ts';

/** Who wants the seconds that a large prime costs spent once more must first find another one, which takes longer. */
const verdicts = createCache<Promise<boolean>>(1000);

/** Throws `bad_certification_request` for an RSA key whose modulus is a prime: its private key can be computed at once. */
export async function refusePrimeModulus({ type, sha256, key }: PublicKey): Promise<void> {
  if (type !== 'RSA' || !(await verdicts(sha256, async () => await hasPrimeModulus(key)))) return;
  throw new EstError(
    'bad_certification_request',
    `The RSA modulus is a prime, so it is no key. Accepted keys: ${acceptedKeys}.`,
    { cmcFailure: 'badAlg' },
  );
}
