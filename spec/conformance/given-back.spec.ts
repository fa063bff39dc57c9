import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addUser } from '../../src/cli/user.ts';
import { startChain } from '../relay/chain.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

describe('a use of a code, and quota', () => {
  let gateway: TestGateway;
  let count = 0;
  beforeAll(async () => {
    const policy = { quota: { certificates: 3, period: 3600 } };
    gateway = await startTestGateway({
      aliases: {
        down: { backend: 'mock', profile: 'down', serverKeyGeneration: {}, policy },
        denied: { backend: 'mock', profile: 'denied', policy },
        garbage: { backend: 'mock', profile: 'garbage', policy },
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** A user that asks for a certificate of another key each time, unless it repeats. */
  async function newUser(alias: string, remainingUses?: number, at = gateway) {
    const name = `user-${(count += 1)}`;
    const code = `a long code of ${name}`;
    await addUser(at.store, { alias, name, code, remainingUses });
    const headers = { Authorization: `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}` };
    return {
      ask: async (operation = 'simpleenroll', key = generateKeyPair('P-256')): Promise<Answer> =>
        await send(`${at.url}/${alias}/${operation}`, {
          ca: at.trustAnchor,
          ...enrolment(await plainCsr(name, await key), headers),
        }),
      left: async () => (await at.store.users.find(alias, name))?.remainingUses,
    };
  }

  it.each(['simpleenroll', 'serverkeygen'])(
    'A-13 S-29 is given back when the CA is down (%s)',
    async (operation) => {
      const { ask, left } = await newUser('down', 1);
      for (let n = 0; n < 5; n += 1) {
        expect(await ask(operation)).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
        expect(await left()).toBe(1);
      }
    },
  );

  it('A-13 S-29 is given back when a request that waited is denied', async () => {
    const { ask, left } = await newUser('denied', 1);
    for (let n = 0; n < 5; n += 1) {
      const key = generateKeyPair('P-256');
      expect((await ask('simpleenroll', key)).status).toBe(202);
      expect(await left()).toBe(0);
      let answer = await ask('simpleenroll', key);
      while (answer.status === 202) answer = await ask('simpleenroll', key);
      expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('decided against')]);
      expect(await left()).toBe(1);
    }
  });

  it.each([[[]], [['simpleenroll']]])(
    'A-13 is given back when an EST server elsewhere cannot be reached (relayed: %j)',
    async (relay = []) => {
      const chain = await startChain({ backend: { relay, circuitBreaker: { failures: 2, pause: 60 } } });
      try {
        const { ask, left } = await newUser('est', 1, chain.relay);
        await chain.upstream.restart(async () => {
          // The third one is not even tried.
          for (let n = 0; n < 3; n += 1) {
            expect((await ask()).status).toBe(503);
            expect(await left()).toBe(1);
          }
        });
      } finally {
        await chain.stop();
      }
    },
  );

  it('A-13 S-29 stays spent while nobody knows what the CA has done', async () => {
    const { ask, left } = await newUser('garbage', 5);
    for (const status of [502, 502, 502, 429]) expect((await ask()).status).toBe(status);
    expect(await left()).toBe(2);
  });
});
