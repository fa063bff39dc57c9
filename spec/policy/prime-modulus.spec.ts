import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHook } from 'node:async_hooks';
import { generatePrimeSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { examineModulus, type Asker } from '../../src/policy/prime-modulus.ts';
import { readDer } from '../../src/pkix/der.ts';
import { readPublicKey } from '../../src/pkix/keys.ts';
import { pass } from '../../src/policy/check.ts';
import { rsaSpki } from '../support/csr.ts';

const newPrime = (): bigint => generatePrimeSync(2048, { bigint: true });
const refused = { code: 'bad_certification_request' };

const someone: Asker = { address: '192.0.2.1', identity: 'someone' };

async function refuse(
  modulus: bigint,
  { exponent = 65537n, signal = new AbortController().signal, asker = someone } = {},
) {
  await pass(await examineModulus(readPublicKey(readDer(rsaSpki(modulus, exponent))), asker, signal));
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
      await expect(refuse(prime, { exponent })).rejects.toMatchObject(refused);
    expect(searches).toBe(1);
  });

  it('S-13 leaves threads of the pool to others, and forgets keys whose requests are over', async () => {
    const [first, second, third, late] = [newPrime(), newPrime(), newPrime(), newPrime()];
    const over = new AbortController();
    const refusals = [first, second, third].map(async (prime) => {
      await expect(refuse(prime)).rejects.toMatchObject(refused);
    });
    const gaveUp = refuse(late, { signal: over.signal });
    await setImmediate();
    expect(searches).toBe(2);
    over.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: 'ca_timeout' });
    await Promise.all(refusals);
    expect(searches).toBe(3);
  });

  it('S-13 lets those who ask take turns by network and identity', async () => {
    const order: string[] = [];
    const ask = async (who: string, asker: Asker): Promise<void> => {
      await expect(refuse(newPrime(), { asker })).rejects.toMatchObject(refused);
      order.push(who);
    };
    const flood: Asker = { address: '198.51.100.1', identity: 'flood' };
    const asked = [
      ...Array.from({ length: 8 }, async () => {
        await ask('flood', flood);
      }),
      ask('other network', { address: '203.0.113.1', identity: 'other' }),
      ask('other identity', { ...flood, identity: 'other' }),
    ];
    await Promise.all(asked);
    expect(order.indexOf('other network')).toBeLessThan(6);
    expect(order.indexOf('other identity')).toBeLessThan(8);
  });

  it('S-13 answers at once about a key that is known, whoever keeps the gate busy', async () => {
    const known = newPrime();
    await expect(refuse(known)).rejects.toMatchObject(refused);
    const others = Array.from({ length: 4 }, async () => {
      await expect(refuse(newPrime())).rejects.toMatchObject(refused);
    });
    searches = 0;
    await expect(refuse(known)).rejects.toMatchObject(refused);
    expect(searches).toBeLessThan(others.length);
    await Promise.all(others);
  });

  it('S-13 gives up a request whose time is over while its key is being searched', async () => {
    const over = new AbortController();
    const gaveUp = refuse(newPrime(), { signal: over.signal });
    await setImmediate();
    expect(searches).toBe(1);
    over.abort();
    await expect(gaveUp).rejects.toMatchObject({ code: 'ca_timeout' });
  });
});
