import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashCode } from '../../src/auth/code.ts';
import type { CredentialVerdict, StoreUsers } from '../../src/auth/credentials/source.ts';
import { generateCode, isMadeCodeOf, madeCodeKey } from '../../src/auth/made-code.ts';
import { createStoreUsers, hashUserCode } from '../../src/auth/store-users.ts';
import { sqlite } from '../../src/store/sqlite.ts';
import type { StateStore, User, UserRegistry } from '../../src/store/store.ts';
import { recordLog } from '../support/log.ts';

const { signal } = new AbortController();
const chosen = 'chosen by somebody';

let directory: string;
let store: StateStore;
let key: Buffer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'est-gateway-'));
  store = await sqlite.open({ file: join(directory, 'state.sqlite') });
  key = await madeCodeKey(store);
});
afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true });
});

let alias: string;
let count = 0;
beforeEach(() => {
  count += 1;
  alias = `alias ${count}`;
});

async function add(name: string, codeHash: string): Promise<User> {
  const user = { alias, name, codeHash, remainingUses: 5, createdAt: new Date(0) };
  await store.users.add(user);
  const { id = '' } = (await store.users.find(alias, name)) ?? {};
  return { id, ...user };
}

function usersOf(users: UserRegistry = store.users): StoreUsers {
  return createStoreUsers({ alias, users, key, log: recordLog() });
}

async function stateOf(name: string, code: string, users = usersOf()): Promise<CredentialVerdict['state']> {
  return (await users.prove({ name, code }, signal)).state;
}

describe('hashUserCode()', () => {
  it('S-24 hashes made codes fast, and chosen ones slowly', async () => {
    expect(await hashUserCode(generateCode(), store)).toMatch(/^\$hmac-sha256\$/);
    expect(await hashUserCode(chosen, store)).toMatch(/^\$argon2id\$/);
    expect(await hashUserCode(generateCode().toLowerCase(), store)).toMatch(/^\$argon2id\$/);
  });
});

describe('createStoreUsers()', () => {
  it('proves users by their code alone, whichever hash it has', async () => {
    const made = generateCode();
    await add('made', await hashUserCode(made, store));
    await add('chosen', await hashUserCode(chosen, store));
    const codes = [made, chosen, generateCode(), '', 'another one'];
    const statesOf = async (name: string) => await Promise.all(codes.map((code) => stateOf(name, code)));
    expect(await statesOf('made')).toEqual(['proved', 'wrong', 'wrong', 'wrong', 'wrong']);
    expect(await statesOf('chosen')).toEqual(['wrong', 'proved', 'wrong', 'wrong', 'wrong']);
    expect(new Set(await statesOf('nobody'))).toEqual(new Set(['unknown']));
  });

  it('gives a made code that has a slow hash a fast one, once it is used', async () => {
    const made = generateCode();
    const before = await add('old', await hashCode(made));
    expect(await stateOf('old', generateCode())).toBe('wrong');
    expect(await store.users.find(alias, 'old')).toEqual(before);
    const both = await Promise.all([stateOf('old', made), stateOf('old', made)]);
    expect(both).toEqual(['proved', 'proved']);
    const after = await store.users.find(alias, 'old');
    expect(after).toEqual({ ...before, codeHash: expect.stringMatching(/^\$hmac-sha256\$/) });
    expect(isMadeCodeOf(made, key, after?.codeHash ?? '')).toBe(true);
    expect(await stateOf('old', made)).toBe('proved');
  });

  it('leaves the slow hash of a chosen code as it is', async () => {
    const before = await add('chosen', await hashCode(chosen));
    expect(await stateOf('chosen', chosen)).toBe('proved');
    expect(await store.users.find(alias, 'chosen')).toEqual(before);
  });

  it.each([
    ['removed', async () => await store.users.find(alias, 'old')],
    ['added anew with another code', async () => await add('old', await hashCode(chosen))],
  ])('brings back no user that was %s meanwhile', async (_what, then) => {
    const made = generateCode();
    await add('old', await hashCode(made));
    let expected: User | undefined;
    const meanwhile: UserRegistry = {
      ...store.users,
      async replaceCodeHash(...change) {
        await store.users.remove(alias, 'old');
        expected = await then();
        return await store.users.replaceCodeHash(...change);
      },
    };
    expect(await stateOf('old', made, usersOf(meanwhile))).toBe('proved');
    expect(await store.users.find(alias, 'old')).toEqual(expected);
  });

  it('lets a user in whose hash cannot be replaced', async () => {
    const made = generateCode();
    const before = await add('old', await hashCode(made));
    const full: UserRegistry = {
      ...store.users,
      replaceCodeHash: async () => await Promise.reject(new Error('disk full')),
    };
    expect(await stateOf('old', made, usersOf(full))).toBe('proved');
    expect(await store.users.find(alias, 'old')).toEqual(before);
  });

  /** The median of some refusals, in milliseconds. */
  async function refusalTime(name: string, code: () => string): Promise<number> {
    const times: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const began = performance.now();
      await stateOf(name, code());
      times.push(performance.now() - began);
    }
    return times.toSorted((one, other) => one - other)[4] ?? NaN;
  }

  const guesses = [generateCode, () => `guess ${Math.random()}`, () => ''];

  it('S-25 takes the same time for every wrong code, whoever has which hash or is not there at all', async () => {
    await add('made', await hashUserCode(generateCode(), store));
    await add('old', await hashCode(generateCode()));
    await add('chosen', await hashCode(chosen));
    const times: number[] = [];
    for (const name of ['made', 'old', 'chosen', 'nobody', ''])
      for (const guess of guesses) times.push(await refusalTime(name, guess));
    expect(Math.max(...times) / Math.min(...times)).toBeLessThan(4);
    // Far from what a fast hash takes.
    expect(Math.min(...times)).toBeGreaterThan(5);
  });

  it('S-24 refuses wrong codes without a slow hash where all users have made ones', async () => {
    await add('made', await hashUserCode(generateCode(), store));
    const fast = Math.max(
      await refusalTime('made', generateCode),
      await refusalTime('nobody', () => 'guess'),
    );
    await add('chosen', await hashCode(chosen));
    expect((await refusalTime('nobody', () => 'guess')) / fast).toBeGreaterThan(3);
  });
});
