import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hashCode } from '../../src/auth/code.ts';
import { send, type Answer } from '../support/client.ts';
import { certificationRequest } from '../support/csr.ts';
import { enrolment } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { countThreads } from '../support/key-generation.ts';
import { until } from '../support/upstream.ts';

const code = 'correct-horse-battery';

describe('serverkeygen with RSA keys', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const serverKeyGeneration = { keys: ['RSA-4096'] };
    gateway = await startTestGateway({
      aliases: { long: { serverKeyGeneration }, short: { serverKeyGeneration: { keys: ['RSA-2048'] } } },
      limits: { requestTimeout: 60 },
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  async function addUser(alias: string, name: string, remainingUses?: number): Promise<void> {
    const createdAt = new Date();
    await gateway.store.users.add({ alias, name, codeHash: await hashCode(code), remainingUses, createdAt });
  }

  async function ask(alias: string, user: string, signal?: AbortSignal): Promise<Answer> {
    const Authorization = `Basic ${Buffer.from(`${user}:${code}`).toString('base64')}`;
    return await send(`${gateway.url}/${alias}/serverkeygen`, {
      ca: gateway.trustAnchor,
      ...enrolment(await certificationRequest(), { Authorization }),
      ...(signal && { signal }),
    });
  }

  it('makes no key for a code that is used up, and serves others meanwhile', async () => {
    await addUser('long', 'used-up', 0);
    const before = await gateway.store.enrollments.list(1);
    const threads = await countThreads(async () => {
      const asked = Promise.all(Array.from({ length: 40 }, async () => await ask('long', 'used-up')));
      const { status } = await send(`${gateway.url}/cacerts`, { ca: gateway.trustAnchor });
      expect(status).toBe(200);
      const answers = await asked;
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]));
      expect(answers[0]?.body).toContain('This enrolment code has been used up; ask for a new one.');
    });
    expect(threads).toBe(0);
    expect(await gateway.store.enrollments.list(1)).toEqual(before);
  });

  it('lets another client have its turn among the keys of one that floods it', async () => {
    await addUser('short', 'floods');
    await addUser('short', 'another');
    const answered: string[] = [];
    const asked = async (user: string): Promise<void> => {
      expect((await ask('short', user)).status).toBe(200);
      answered.push(user);
    };
    const flood = Promise.all(
      Array.from({ length: 12 }, async () => {
        await asked('floods');
      }),
    );
    await until(() => answered.length > 0, 'a first answer');
    await asked('another');
    const ahead = answered.indexOf('another');
    await flood;
    expect(ahead).toBeLessThan(9);
  });

  it('makes no key for a client that has gone, and gives the use of its code back', async () => {
    await addUser('short', 'gone', 1);
    const flood = Promise.all(Array.from({ length: 6 }, async () => await ask('short', 'floods')));
    const client = new AbortController();
    const gone = ask('short', 'gone', client.signal).catch(() => undefined);
    const remaining = async (): Promise<number | undefined> =>
      (await gateway.store.users.find('short', 'gone'))?.remainingUses;
    await until(async () => (await remaining()) === 0, 'the record of the request');
    client.abort();
    await gone;
    await until(async () => (await remaining()) === 1, 'the return of the use');
    await flood;
    const records = await gateway.store.enrollments.list(20);
    expect(records.find(({ identity }) => identity.endsWith('/user:gone'))).toMatchObject({
      state: 'refused',
    });
  });
});
