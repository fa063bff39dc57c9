import { describe, expect, it } from '@jest/globals';
import { dummyHash, hashCode, mostAtOnce, verifyCode } from '../../src/auth/code.ts';

const { signal } = new AbortController();

describe('enrolment codes that somebody chose', () => {
  it('S-24 are stored as argon2id with a salt of their own', async () => {
    const [first, second] = await Promise.all([hashCode('secret'), hashCode('secret')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(second).not.toBe(first);
    expect(first).not.toContain('secret');
  });

  it('are proved by the same code alone, the first time and later', async () => {
    const hash = await hashCode('pa:ss wörd');
    expect(await verifyCode('pa:ss wörd', hash, signal)).toBe(true);
    expect(await verifyCode('pa:ss wörd', hash, signal)).toBe(true);
    expect(await verifyCode('pa:ss word', hash, signal)).toBe(false);
    expect(await verifyCode('', hash, signal)).toBe(false);
    expect(await verifyCode('pa:ss wörd', await hashCode('another'), signal)).toBe(false);
  });

  it.each([
    '',
    'secret',
    '$2y$05$abcdefghijklmnopqrstuv',
    '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$',
  ])('are never checked against a hash of another form: %j', async (hash) => {
    await expect(verifyCode('secret', hash, signal)).rejects.toThrow('unknown form');
  });

  it('S-24 check a user who does not exist against a hash of the same cost', async () => {
    const lengths = (hash: string) => hash.split('$').map(({ length }) => length);
    const hash = await hashCode('x');
    expect(dummyHash.split('$').slice(0, 4)).toEqual(hash.split('$').slice(0, 4));
    expect(lengths(dummyHash)).toEqual(lengths(hash));
    expect(await verifyCode('x', dummyHash, signal)).toBe(false);
  });

  it('refuse a flood instead of computing all at once', async () => {
    const hash = await hashCode('right');
    const answers = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) => verifyCode(`wrong ${n}`, hash, signal)),
    );
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBe(100 - 64 - mostAtOnce);
    expect(refused[0]).toMatchObject({ reason: { code: 'too_many_requests', status: 429, retryAfter: 1 } });
  });
});
