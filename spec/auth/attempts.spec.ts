import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { createAttempts } from '../../src/auth/attempts/attempts.ts';
import { addUser } from '../../src/cli/user.ts';
import { EstError } from '../../src/errors.ts';
import { createFleet, modes, type Fleet } from '../conformance/ejbca-fleet.ts';
import { digest } from '../conformance/bypass-matrix/site.ts';
import { startEjbcaGateway, type EjbcaGateway } from '../ejbca/setup.ts';
import { send } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { recordLog } from '../support/log.ts';
import { enrolAs } from '../support/login.ts';

const code = 'the right code of all';

describe('Guessing of enrolment codes', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway({
      aliases: {
        basic: { authentication: 'basic' },
        digest: { authentication: 'basic', httpAuthentication: ['digest-SHA-256'] },
      },
    });
    const names = ['guessed', 'neighbour', 'known', 'burst', 'stubborn'];
    for (const name of names) {
      await addUser(gateway.store, { alias: 'basic', name, code, remainingUses: undefined });
    }
    await addUser(gateway.store, { alias: 'digest', name: 'guessed', code, remainingUses: undefined }, [
      'SHA-256',
    ]);
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** Statuses of so many different wrong codes, one after the other. */
  async function guess(name: string, times: number, address = '127.0.0.1'): Promise<readonly number[]> {
    const statuses: number[] = [];
    for (let n = 0; n < times; n += 1) {
      const login = { alias: 'basic', name, code: `guess ${n}`, address };
      statuses.push((await enrolAs(gateway, login)).status);
    }
    return statuses;
  }

  const right = async (name: string, address = '127.0.0.1') =>
    await enrolAs(gateway, { alias: 'basic', name, code, address });

  it('S-24 makes who guesses wait, and nobody else: neither others at the address, nor the user elsewhere', async () => {
    expect(await guess('guessed', 8)).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    const held = await right('guessed');
    expect([held.status, held.headers['retry-after']]).toEqual([429, '1']);
    expect(held.body).toMatch(
      /^Too many wrong enrolment codes have been sent; wait, then send the right one\./,
    );
    expect((await right('neighbour')).status).toBe(200);
    expect((await right('guessed', '127.0.0.2')).status).toBe(200);
  });

  it('S-24 treats names that nobody has as those of users', async () => {
    expect(await guess('nobody at all', 8)).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
  });

  it('S-24 lets a device through that was right there before, whoever else guesses at its address', async () => {
    expect((await right('known')).status).toBe(200);
    expect(new Set(await guess('known', 20))).toEqual(new Set([401]));
    expect((await right('known')).status).toBe(200);
  });

  it('S-24 lets nobody gain by sending many at once', async () => {
    const startedAt = performance.now();
    const statuses = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        const login = { alias: 'basic', name: 'burst', code: `burst ${n}` };
        return (await enrolAs(gateway, login)).status;
      }),
    );
    // Each wait is twice the one before, and a slow machine may take as long for the rest.
    const waits = Math.floor(Math.log2(1 + (performance.now() - startedAt) / 1000));
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(6 + waits);
    expect(statuses.every((status) => status === 401 || status === 429)).toBe(true);
  });

  it('S-24 counts a device that repeats the same wrong code only once', async () => {
    const login = { alias: 'basic', name: 'stubborn', code: 'an old code' };
    for (let n = 0; n < 12; n += 1) expect((await enrolAs(gateway, login)).status).toBe(401);
    expect((await right('stubborn')).status).toBe(200);
  });

  it('S-24 holds off who guesses by Digest', async () => {
    const attempt = async (tried: string): Promise<number> => {
      const url = `${gateway.url}/digest/simpleenroll`;
      const csr = await plainCsr('guessed', await generateKeyPair('P-256'));
      const asked = await send(url, { ca: gateway.trustAnchor, ...enrolment(csr) });
      const nonce = /nonce="([^"]+)"/.exec(asked.headers['www-authenticate'] ?? '')?.[1] ?? '';
      const Authorization = digest(
        { name: 'guessed', code: tried },
        'EST digest',
        new URL(url).pathname,
        nonce,
      );
      return (await send(url, { ca: gateway.trustAnchor, ...enrolment(csr, { Authorization }) })).status;
    };
    const statuses: number[] = [];
    for (let n = 0; n < 7; n += 1) statuses.push(await attempt(`guess ${n}`));
    expect([...statuses, await attempt(code)]).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
  });
});

describe('Guessing of enrolment codes that EJBCA checks', () => {
  let running: EjbcaGateway;
  let fleet: Fleet;
  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: { 'challenge-rfc': { ...modes['challenge'], alias: { compatibility: 'rfc' } } },
    });
    fleet = createFleet(running);
  });
  afterAll(async () => {
    await running.stop();
  });

  it('S-24 is held off before EJBCA is asked', async () => {
    const name = fleet.registered();
    const statuses: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      const { status } = await fleet.post('challenge-rfc', await fleet.challengeCsr(name, `guess ${n}`));
      statuses.push(status);
    }
    expect(statuses.slice(6)).toEqual([429, 429]);
    expect(statuses.slice(0, 6)).not.toContain(429);
    expect(statuses).not.toContain(200);
    const other = await fleet.post(
      'challenge-rfc',
      await fleet.challengeCsr(fleet.registered(), 'open-sesame-17'),
    );
    expect(other.status).toBe(200);
  });
});

describe('createAttempts()', () => {
  it('S-24 doubles the wait up to the longest one, and forgets after a day', async () => {
    let now = 0;
    const attempts = createAttempts({ wrongCodes: 2, wrongCodeWait: 10 }, recordLog(), () => now);
    const attempt = async (tried: string): Promise<number> =>
      await attempts
        .run({ alias: 'est', address: '192.0.2.1', name: 'a', code: tried }, () =>
          Promise.resolve({ state: 'wrong' }),
        )
        .then(
          () => 0,
          (error: unknown) => (error instanceof EstError ? (error.retryAfter ?? -1) : -1),
        );
    const waits: number[] = [];
    for (let n = 0; n < 8; n += 1) {
      await attempt(`guess ${n}`);
      const wait = await attempt('while it waits');
      if (wait === 0) continue;
      waits.push(wait);
      now += wait * 1000;
    }
    expect(waits).toEqual([1, 2, 4, 8, 10, 10, 10]);
    now += 86_400_000;
    expect([await attempt('a'), await attempt('b'), await attempt('c')]).toEqual([0, 0, 0]);
  });

  const owner = { alias: 'est', name: 'victim', address: '192.0.2.1' };

  /** A site without a gateway, in time that passes as it is told. */
  function site() {
    let now = 0;
    const attempts = createAttempts({ wrongCodes: 5, wrongCodeWait: 900 }, recordLog(), () => now);
    let checked = 0;
    return {
      /** How many wrong codes for the victim were looked at. */
      checked: () => checked,
      later: (seconds: number) => void (now += seconds * 1000),
      guess: async (address: string, name = owner.name): Promise<void> => {
        const attempt = { alias: 'est', name, address, code: randomUUID() };
        const check = async () => {
          if (name === owner.name) checked += 1;
          return await Promise.resolve({ state: 'wrong' });
        };
        await attempts.run(attempt, check).catch(() => undefined);
      },
      /** Whether the user is let in with the right code. */
      isLetIn: async (): Promise<boolean> => {
        const check = async () => await Promise.resolve({ state: 'proved' });
        return await attempts.run({ ...owner, code: 'right' }, check).then(
          () => true,
          () => false,
        );
      },
    };
  }

  const ipv4 = (n: number): string => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

  it('S-24 forgets none of 10,000 addresses that guess, however many names they make up meanwhile', async () => {
    const { guess, checked, later, isLetIn } = site();
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 10_000; n += 1) {
        await guess(ipv4(n));
        await guess(ipv4(n), `made-up ${round} ${n}`);
      }
      expect(await isLetIn()).toBe(true);
    }
    // One that costs nothing, and one with a second to wait; before it was clear that somebody guesses, a few more.
    expect(checked()).toBeLessThan(20_000 + 500);
    later(1000);
    const before = checked();
    for (let n = 0; n < 10_000; n += 1) await guess(ipv4(n));
    expect(checked() - before).toBe(10_000);
  });

  it('S-24 takes the networks of an IPv6 site for one, once they guess', async () => {
    const { guess, checked, isLetIn } = site();
    for (let n = 0; n < 65_536; n += 8) await guess(`2001:db8:1:${n.toString(16)}::1`);
    expect(checked()).toBeLessThan(60);
    await guess('2001:db8:2::1');
    expect(checked()).toBeLessThan(61);
    expect(await isLetIn()).toBe(true);
  });

  it('S-24 never holds off a user by what others try elsewhere, whatever it is and whenever', async () => {
    const address = fc.oneof(
      fc.nat(300).map(ipv4),
      fc.nat(300).map((n) => `192.0.2.${2 + (n % 250)}`),
      fc.nat(300).map((n) => `2001:db8::${n.toString(16)}:0:0:0:1`),
    );
    const step = fc.record({
      address,
      name: fc.constantFrom('victim', 'other', 'VICTIM '),
      seconds: fc.constantFrom(0, 0, 1, 60),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300 }), fc.boolean(), async (steps, isUsed) => {
        const { guess, later, isLetIn } = site();
        const before = isUsed ? await isLetIn() : true;
        for (const { address: from, name, seconds } of steps) {
          await guess(from, name);
          later(seconds);
        }
        expect([before, await isLetIn()]).toEqual([true, true]);
      }),
    );
  });
});
