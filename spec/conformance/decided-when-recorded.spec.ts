import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { addUser } from '../../src/cli/user.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair, type KeyPair } from '../support/csr.ts';
import { enrolDevice, enrolment, plainCsr, renew } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { sayJson, startWebhook, type TestWebhook } from '../support/webhook.ts';

describe('what is decided about a request is true when it is recorded', () => {
  let service: TestWebhook;
  let gateway: TestGateway;
  let count = 0;

  beforeAll(async () => {
    service = await startWebhook();
    const policy = { names: 'any', webhook: { url: service.url, trustAnchor: 'service.pem' } };
    gateway = await startTestGateway({
      aliases: { asking: { policy }, waiting: { backend: 'mock', profile: 'pending' } },
      files: { 'service.pem': service.trustAnchor },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await service.stop();
  });

  /** Holds every request at the webhook until so many are there and something has happened. */
  async function whileAsked<Value>(
    requests: number,
    ask: () => Promise<Value>,
    happens?: () => Promise<unknown>,
  ): Promise<Value> {
    const arrived = Promise.withResolvers<undefined>();
    const permitted = Promise.withResolvers<undefined>();
    let left = requests;
    service.answer((question, response) => {
      void permitted.promise.then(() => {
        sayJson({ decision: 'permit' })(question, response);
      });
      left -= 1;
      if (left === 0) arrived.resolve(undefined);
    });
    const asking = ask();
    await arrived.promise;
    await happens?.();
    permitted.resolve(undefined);
    return await asking;
  }

  interface NamedUser {
    readonly name: string;
    readonly authorization: string;
  }

  async function newUser(
    alias: string,
    remainingUses?: number,
    name = `user-${(count += 1)}`,
  ): Promise<NamedUser> {
    const code = `a long code ${(count += 1)} of ${name}`;
    await addUser(gateway.store, { alias, name, code, remainingUses });
    return { name, authorization: `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}` };
  }

  async function enrol(alias: string, { name, authorization }: NamedUser, key: KeyPair): Promise<Answer> {
    return await send(`${gateway.url}/${alias}/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(await plainCsr(name, key), { Authorization: authorization }),
    });
  }

  it('S-28 certifies a key to one of two users that ask for it at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const key = await generateKeyPair('P-256');
      const users = [await newUser('asking'), await newUser('asking')];
      const answers = await whileAsked(
        2,
        async () => await Promise.all(users.map(async (user) => await enrol('asking', user, key))),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
      expect(answers.find(({ status }) => status === 403)?.body).toContain('belongs to somebody else');
    }
  });

  it.each([undefined, 2])(
    'S-28 refuses a user who is removed while a webhook is asked (uses: %s)',
    async (uses) => {
      const user = await newUser('asking', uses);
      const key = await generateKeyPair('P-256');
      const answer = await whileAsked(
        1,
        async () => await enrol('asking', user, key),
        async () => {
          await gateway.store.users.remove('asking', user.name);
          await newUser('asking', uses, user.name);
        },
      );
      expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('has been removed')]);
    },
  );

  it.each(['superseded', 'keyCompromise'] as const)(
    'S-28 refuses a certificate that is revoked while a webhook is asked (%s)',
    async (reason) => {
      const device = await whileAsked(
        1,
        async () => await enrolDevice(gateway, `device-${(count += 1)}`, 'asking'),
      );
      const csr = await plainCsr(device.commonName, await generateKeyPair('P-256'));
      const serialNumber = new X509Certificate(device.cert).serialNumber.toLowerCase();
      const [recorded] = await gateway.store.enrollments.list(1);
      expect(recorded?.serialNumber).toBe(serialNumber);
      const answer = await whileAsked(
        1,
        async () => await renew(gateway, device, csr, 'asking'),
        async () => await gateway.store.certificates.revoke(gateway.ca, serialNumber, reason, new Date()),
      );
      expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('it is revoked')]);
      expect((await gateway.store.enrollments.list(1))[0]?.serialNumber).toBe(serialNumber);
    },
  );

  it('A-13 takes a code that was replaced while its request waited for another code, and the request for another', async () => {
    const key = await generateKeyPair('P-256');
    const first = await newUser('waiting', 1);
    expect((await enrol('waiting', first, key)).status).toBe(202);
    await gateway.store.users.remove('waiting', first.name);
    const second = await newUser('waiting', 1, first.name);
    expect((await enrol('waiting', first, key)).status).toBe(401);
    expect((await enrol('waiting', second, key)).status).toBe(202);
    const [latest, before] = await gateway.store.enrollments.list(2);
    expect([latest?.state, before?.state, latest?.subject]).toEqual(['pending', 'pending', before?.subject]);
    expect(await gateway.store.users.find('waiting', first.name)).toMatchObject({ remainingUses: 0 });
    let answer = await enrol('waiting', second, key);
    while (answer.status === 202) answer = await enrol('waiting', second, key);
    expect(answer.status).toBe(200);
    const other = await enrol('waiting', second, await generateKeyPair('P-256'));
    expect([other.status, other.body]).toEqual([403, expect.stringContaining('used up')]);
  });
});
