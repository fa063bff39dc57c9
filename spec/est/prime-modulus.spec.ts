import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import { generatePrimeSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { examineModulus } from '../../src/est/prime-modulus.ts';
import { readDer } from '../../src/pkix/der.ts';
import { readPublicKey } from '../../src/pkix/keys.ts';
import { pass } from '../../src/policy/check.ts';
import { rsaSpki } from '../support/csr.ts';

const newPrime = (): bigint => generatePrimeSync(2048, { bigint: true });
const refused = { code: 'bad_certification_request' };

async function refuse(modulus: bigint, exponent = 65537n, signal = new AbortController().signal) {
  pass(await examineModulus(readPublicKey(readDer(rsaSpki(modulus, exponent))), signal));
}

describe('the search for prime moduli', () => {
  let searches = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === 'CHECKPRIMEREQUEST') searches += 1;
    },
  });
  beforeAll(() => {
    hook.enable();
  });
  beforeEach(() => {
    searches = 0;
  });
  afterAll(() => {
    hook.disable();
  });

  it('S-13 searches a prime once, however many exponents make a key of it', async () => {
    const prime = newPrime();
    for (const exponent of [65537n, 65539n, 2n ** 63n + 1n])
      await expect(refuse(prime, exponent)).rejects.toMatchObject(refused);
    expect(searches).toBe(1);
  });

  it('S-13 leaves threads of the pool to others, and forgets keys whose requests are over', async () => {
    const [first, second, third, late] = [newPrime(), newPrime(), newPrime(), newPrime()];
    const over = new AbortController();
    const refusals = [first, second, third].map(async (prime) => {
      await expect(refuse(prime)).rejects.toMatchObject(refused);
    });
    const gaveUp = refuse(late, 65537n, over.signal);
    await setImmediate();
    expect(searches).toBe(2);
    over.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: 'ca_timeout' });
    await Promise.all(refusals);
    expect(searches).toBe(3);
  });
});
