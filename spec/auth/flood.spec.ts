import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'bcryptjs';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateCode } from '../../src/auth/made-code.ts';
import { addUser } from '../../src/cli/user.ts';
import { start, type RunningCommand } from '../cli/command-line.ts';
import { sendToSocket, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { until } from '../support/upstream.ts';

const code = 'none but mine own';
const made = generateCode();

/** Of 10,200 addresses in 300 networks, half of them of one IPv6 site, the next one. */
function floodAddress(n: number): string {
  const network = Math.floor(n / 2) % 150;
  const host = Math.floor(n / 300) % 34;
  return n % 2 === 0
    ? `198.${18 + (network % 2)}.${network}.${host}`
    : `2001:db8:1:${256 + network}::${host}`;
}

/** More than may wait for a check at once. */
const connections = 100;

/** Milliseconds between an answer and the next request, so that there is more to do than checks and not only this. */
const pause = 50;

/** Checks of the flood that a user waits for at most: those that run, and some turns at each level. */
const mostTurns = 12;

describe('A flood of wrong codes from 10,000 addresses in 300 networks', () => {
  let gateway: TestGateway;
  let csr: Buffer;
  /** How often the flood got which status. */
  const statuses = new Map<number, number>();
  let ended: Promise<void>;
  let endServing: () => void;
  beforeAll(async () => {
    const names = ['elsewhere', 'neighbour', 'site'];
    const users = await Promise.all(names.map(async (name) => `${name}:${await hash(code, 4)}`));
    // Made-up names cost as much as the costliest user.
    const costly = `costly:${await hash(code, 8)}`;
    gateway = await startTestGateway({
      proxy: { socket: 'proxy.sock', clientCertificate: 'rfc9440' },
      aliases: {
        store: { authentication: 'basic' },
        made: { authentication: 'basic' },
        file: { authentication: 'basic', credentials: [{ driver: 'htpasswd', file: 'users.htpasswd' }] },
      },
      files: { 'users.htpasswd': [...users, costly].join('\n') },
    });
    for (const name of names)
      await addUser(gateway.store, { alias: 'store', name, code, remainingUses: undefined });
    for (const alias of ['store', 'made'])
      await addUser(gateway.store, { alias, name: 'made', code: made, remainingUses: undefined });
    await gateway.store.users.remove('made', 'device');
    csr = await plainCsr('device-of-flood', await generateKeyPair('P-256'));
    const isOver = Promise.withResolvers<undefined>();
    const isServing = Promise.withResolvers<RunningCommand>();
    ended = gateway.restart(async () => {
      const serving = start(['serve', '--config', gateway.configurationFile]);
      await serving.stdoutWith('EST is served');
      isServing.resolve(serving);
      await isOver.promise;
      serving.process.kill('SIGTERM');
      await serving.outcome;
    });
    endServing = () => {
      isOver.resolve(undefined);
    };
    await Promise.race([isServing.promise, ended]);
  });
  afterAll(async () => {
    endServing();
    await ended;
    await gateway.stop();
  });

  async function post(
    alias: string,
    address: string,
    login: string,
    body: Buffer,
    agent?: Agent,
  ): Promise<Answer> {
    const fields = {
      Authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      'X-Forwarded-For': address,
    };
    const request = enrolment(body, fields);
    return await sendToSocket(gateway.proxyPlace, `/.well-known/est/${alias}/simpleenroll`, {
      ...request,
      ...(agent && { agent }),
    });
  }

  /** Floods until it is ended. */
  async function startFlood(alias: string) {
    const agent = new Agent({ keepAlive: true, maxFreeSockets: connections });
    statuses.clear();
    let isOver = false;
    let count = 0;

    async function repeat(): Promise<void> {
      while (!isOver) {
        count += 1;
        const { status } = await post(
          alias,
          floodAddress(count),
          `made-up ${count}:guess`,
          Buffer.alloc(1),
          agent,
        );
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        await sleep(pause);
      }
    }

    const repeated = Array.from({ length: connections }, repeat);
    await until(() => count > 700, 'all networks have asked twice', 60);
    return async function end(): Promise<void> {
      isOver = true;
      await Promise.all(repeated);
      agent.destroy();
    };
  }

  async function enrol(alias: string, name: string, address: string, shown: string) {
    const before = statuses.get(401) ?? 0;
    const { status } = await post(alias, address, `${name}:${shown}`, csr);
    return { name, status, isSoon: (statuses.get(401) ?? 0) - before <= mostTurns };
  }

  it.each([
    ['store', 'argon2id'],
    ['file', 'bcrypt'],
  ])('S-24 keeps nobody else waiting for more than a few checks (%s, %s)', async (alias) => {
    const end = await startFlood(alias);
    const users = [
      await enrol(alias, 'elsewhere', '192.0.2.7', code),
      await enrol(alias, 'neighbour', '198.18.200.7', code),
      await enrol(alias, 'site', '2001:db8:2::7', code),
    ];
    await end();
    expect(users).toEqual(users.map(({ name }) => ({ name, status: 200, isSoon: true })));
    expect(statuses.get(429)).toBeGreaterThan(4 * (statuses.get(401) ?? 0));
  });

  it('S-24 keeps nobody with a made code waiting, not even at an address of the flood', async () => {
    const end = await startFlood('store');
    const user = await enrol('store', 'made', floodAddress(1), made);
    await end();
    expect(user).toEqual({ name: 'made', status: 200, isSoon: true });
  });

  it('S-24 is answered at once where all users have made codes', async () => {
    const end = await startFlood('made');
    const { status } = await enrol('made', 'made', floodAddress(1), made);
    await end();
    expect([status, [...statuses.keys()]]).toEqual([200, [401]]);
  });
});
