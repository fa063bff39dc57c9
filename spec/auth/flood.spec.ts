import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'bcryptjs';
import { Agent } from 'node:https';
import { addUser } from '../../src/cli/user.ts';
import { send } from '../support/client.ts';
import { enrolment } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';

const code = 'the right code of all';
const newcomers = Array.from({ length: 12 }, (_, n) => `newcomer ${n}`);

/** More than may wait for a check at once. */
const connections = 100;

describe('A flood of wrong codes for made-up names from one address', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const users = await Promise.all(newcomers.map(async (name) => `${name}:${await hash(code, 4)}`));
    // Made-up names cost as much as the costliest user.
    const costly = `costly:${await hash(code, 8)}`;
    gateway = await startTestGateway({
      aliases: {
        store: { authentication: 'basic' },
        file: { authentication: 'basic', credentials: [{ driver: 'htpasswd', file: 'users.htpasswd' }] },
      },
      files: { 'users.htpasswd': [...users, costly].join('\n') },
    });
    for (const name of newcomers) {
      await addUser(gateway.store, { alias: 'store', name, code, remainingUses: undefined });
    }
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** Floods until it is ended; begins with as many connections as it has, so that what arrives first is no race. */
  async function startFlood(alias: string, localAddress: string) {
    const agent = new Agent({ keepAlive: true, maxFreeSockets: connections });
    const post = { ca: gateway.trustAnchor, localAddress, agent };
    const isFull = Promise.withResolvers<undefined>();
    let isOver = false;
    let count = 0;

    async function repeat(): Promise<void> {
      while (!isOver) {
        count += 1;
        const Authorization = `Basic ${Buffer.from(`made-up ${count}:guess`).toString('base64')}`;
        const url = `${gateway.url}/${alias}/simpleenroll`;
        const { status } = await send(url, { ...post, ...enrolment(Buffer.alloc(1), { Authorization }) });
        if (status === 429) isFull.resolve(undefined);
      }
    }

    const opened = Array.from(
      { length: connections },
      async () => await send(`${gateway.url}/${alias}/cacerts`, post),
    );
    await Promise.all(opened);
    const repeated = Array.from({ length: connections }, repeat);
    await isFull.promise;
    return async function end(): Promise<void> {
      isOver = true;
      await Promise.all(repeated);
      agent.destroy();
    };
  }

  it.each([
    ['store', 'argon2id'],
    ['file', 'bcrypt'],
  ])('S-24 keeps no user at another address out (%s, %s)', async (alias) => {
    const end = await startFlood(alias, '127.0.0.1');
    const statuses = await Promise.all(
      newcomers.map(
        async (name) => (await enrolAs(gateway, { alias, name, code, address: '127.0.0.2' })).status,
      ),
    );
    await end();
    expect(statuses).toEqual(newcomers.map(() => 200));
  });
});
