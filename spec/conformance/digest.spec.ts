import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHash, randomBytes } from 'node:crypto';
import { generateCode } from '../../src/auth/made-code.ts';
import { createDigestNonces, createNonceUses } from '../../src/auth/digest-nonce.ts';
import { readDigestCredentials } from '../../src/auth/digest-credentials.ts';
import { addUser } from '../../src/cli/user.ts';
import type { DigestAlgorithm } from '../../src/store/store.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const name = 'sénsor "7"';
const code = generateCode();
const realm = (alias: string): string => `EST ${alias}`;
const md5: DigestAlgorithm = 'MD5';
const sha256: DigestAlgorithm = 'SHA-256';

let gateway: TestGateway;
beforeAll(async () => {
  const aliases = {
    digest: { httpAuthentication: ['digest-SHA-256', 'basic'], authentication: 'basic' },
    other: { httpAuthentication: ['digest-SHA-256'], authentication: 'basic' },
    old: { httpAuthentication: ['digest-MD5', 'digest-SHA-256'], authentication: 'basic' },
    oldest: { httpAuthentication: ['digest-MD5'], authentication: 'basic' },
  };
  gateway = await startTestGateway({ aliases });
  for (const alias of Object.keys(aliases)) {
    await addUser(gateway.store, { alias, name, code, remainingUses: undefined }, [sha256, md5]);
  }
});
afterAll(async () => {
  await gateway.stop();
});

const path = (alias: string, operation = 'simpleenroll'): string => `/.well-known/est/${alias}/${operation}`;

async function post(alias: string, authorization?: string): Promise<Answer> {
  const csr = await plainCsr('device-1', await generateKeyPair('P-256'));
  return await send(`${gateway.url}/${alias}/simpleenroll`, {
    ca: gateway.trustAnchor,
    ...enrolment(csr, authorization === undefined ? {} : { Authorization: authorization }),
    // With a text Node sends the header as UTF-8, in which it is one already.
    body: Buffer.from(csr.toString('base64')),
  });
}

/** The lines of WWW-Authenticate, in their order. */
const challenges = ({ rawHeaders }: Answer): readonly string[] =>
  rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'www-authenticate',
  );

async function freshNonce(alias: string, algorithm: DigestAlgorithm = sha256): Promise<string> {
  const line = challenges(await post(alias)).find(
    (challenge) => challenge.includes(`algorithm=${algorithm}`) || !challenge.includes('algorithm='),
  );
  return /nonce="([^"]+)"/.exec(line ?? '')?.[1] ?? '';
}

interface Changes {
  readonly algorithm?: DigestAlgorithm;
  readonly username?: string;
  readonly password?: string;
  readonly nc?: string;
  readonly uri?: string;
  readonly realm?: string;
  /** Added to the fields, or in place of those of the same name; undefined: left out. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
}

/** Written after RFC 7616, section 3.4, with none of the gateway's code. */
function credentials(alias: string, nonce: string, changes: Changes = {}): string {
  const { algorithm = sha256, username = name, password = code, nc = '00000001' } = changes;
  const { uri = path(alias), realm: inRealm = realm(alias) } = changes;
  const cnonce = randomBytes(8).toString('hex');
  const hash = (text: string): string =>
    createHash(algorithm === md5 ? 'md5' : 'sha256')
      .update(text, 'utf8')
      .digest('hex');
  const secret = hash(`${username}:${inRealm}:${password}`);
  const response = hash(`${secret}:${nonce}:${nc}:${cnonce}:auth:${hash(`POST:${uri}`)}`);
  const escaped = Buffer.from(username, 'utf8').toString('latin1').replace(/"/g, '\\"');
  const fields: Record<string, string | undefined> = {
    username: `"${escaped}"`,
    realm: `"${inRealm}"`,
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    qop: 'auth',
    nc,
    cnonce: `"${cnonce}"`,
    response: `"${response}"`,
    algorithm,
    ...changes.fields,
  };
  const written = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `Digest ${written.map(([key, value]) => `${key}=${value}`).join(', ')}`;
}

describe('HTTP Digest (RFC 7616)', () => {
  it('A-08 A-09 A-12 offers the strongest first, quoted as the RFC has it, without userhash', async () => {
    const answer = await post('old');
    expect(answer.status).toBe(401);
    const line = (algorithm: string): RegExp =>
      new RegExp(
        `^Digest realm="EST old", qop="auth", algorithm=${algorithm}, nonce="[\\w-]{43}", charset="UTF-8"$`,
      );
    expect(challenges(answer)).toEqual([
      expect.stringMatching(line(sha256)),
      expect.stringMatching(line(md5)),
    ]);
    expect(challenges(await post('oldest'))).toEqual([
      expect.stringMatching(/^Digest realm="EST oldest", qop="auth", nonce="[\w-]{43}"$/),
    ]);
    expect(challenges(await post('digest'))).toEqual([
      expect.stringMatching(/^Digest .*algorithm=SHA-256/),
      'Basic realm="EST digest", charset="UTF-8"',
    ]);
  });

  it.each<[DigestAlgorithm, string]>([
    [sha256, 'digest'],
    [sha256, 'old'],
    [md5, 'old'],
    [md5, 'oldest'],
  ])('A-08 lets a user with %s in at the alias %s that offers it', async (algorithm, alias) => {
    const nonce = await freshNonce(alias, algorithm);
    expect((await post(alias, credentials(alias, nonce, { algorithm }))).status).toBe(200);
  });

  it('A-08 takes Basic where it is offered beside Digest, and refuses it where it is not', async () => {
    const right = `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}`;
    expect((await post('digest', right)).status).toBe(200);
    const answer = await post('other', right);
    expect([answer.status, challenges(answer).length]).toEqual([401, 1]);
  });

  it('A-08 refuses Digest where only Basic is offered', async () => {
    const nonce = await freshNonce('other');
    const answer = await post('est', credentials('est', nonce));
    expect([answer.status, challenges(answer)]).toEqual([401, ['Basic realm="EST est", charset="UTF-8"']]);
  });

  it.each<[string, Changes]>([
    ['a wrong password', { password: 'wrong' }],
    ['an unknown user', { username: 'nobody' }],
    [
      'the secret of a user that was added for Basic alone',
      { username: 'device', password: 'correct-horse-battery' },
    ],
    ['MD5 where it is off', { algorithm: md5 }],
    ['no algorithm, which means MD5', { algorithm: md5, fields: { algorithm: undefined } }],
    ['another realm', { realm: realm('other') }],
    ['no qop', { fields: { qop: undefined } }],
    ['qop=auth-int', { fields: { qop: 'auth-int' } }],
    ['userhash', { fields: { userhash: 'true' } }],
    ['a nonce count that is no eight hex digits', { nc: '1' }],
    ['a field twice', { fields: { QOP: 'auth' } }],
    ['no response', { fields: { response: undefined } }],
    ['a response of the wrong length', { fields: { response: '"00"' } }],
  ])('A-09 A-11 A-12 V-57 answers 401 without stale to %s', async (_what, changes) => {
    const nonce = await freshNonce('digest');
    const answer = await post('digest', credentials('digest', nonce, changes));
    expect(answer.status).toBe(401);
    expect(challenges(answer)).toHaveLength(2);
    expect(challenges(answer).join()).not.toContain('stale');
  });

  it.each([
    ['another operation', path('digest', 'simplereenroll')],
    ['another alias', path('other')],
    ['the same path and a query', `${path('digest')}?a=b`],
    ['another spelling', path('digest').replace('digest', '%64igest')],
  ])('A-10 V-57 answers 400 to credentials for %s', async (_what, uri) => {
    const answer = await post('digest', credentials('digest', await freshNonce('digest'), { uri }));
    expect([answer.status, answer.body]).toEqual([
      400,
      expect.stringContaining('compute them for this path'),
    ]);
  });

  it('A-10 takes the absolute form of the same path', async () => {
    const uri = `https://localhost:${gateway.port}${path('digest')}`;
    expect((await post('digest', credentials('digest', await freshNonce('digest'), { uri }))).status).toBe(
      200,
    );
  });

  it.each([
    ['the same operation', md5, '/.well-known/est/simpleenroll', 200],
    ['another operation', md5, '/.well-known/est/simplereenroll', 400],
    [
      'the same operation, with an algorithm that libest does not know',
      sha256,
      '/.well-known/est/simpleenroll',
      400,
    ],
  ] as const)(
    "A-10 libest's credentials, without the alias, for %s",
    async (_what, algorithm, uri, status) => {
      const fields = { algorithm: algorithm === md5 ? undefined : algorithm, qop: '"auth"' };
      const nonce = await freshNonce('old', algorithm);
      expect((await post('old', credentials('old', nonce, { algorithm, uri, fields }))).status).toBe(status);
      // What was made for another alias names that in its realm.
      const foreign = credentials('digest', nonce, { algorithm, uri, fields });
      expect((await post('old', foreign)).status).toBe(401);
    },
  );

  it('A-11 V-57 takes each count of a nonce once, upwards, and says stale=true of what is used', async () => {
    const nonce = await freshNonce('digest');
    const first = credentials('digest', nonce, { nc: '00000001' });
    expect((await post('digest', first)).status).toBe(200);
    expect((await post('digest', credentials('digest', nonce, { nc: '0000000a' }))).status).toBe(200);
    for (const used of [first, credentials('digest', nonce, { nc: '00000002' })]) {
      const answer = await post('digest', used);
      expect([answer.status, challenges(answer)[0]]).toEqual([401, expect.stringMatching(/, stale=true$/)]);
    }
  });

  it('A-11 says stale=true to right credentials over a nonce that is not ours, and not to wrong ones', async () => {
    const foreign = await freshNonce('other');
    const right = await post('digest', credentials('digest', foreign));
    const wrong = await post('digest', credentials('digest', foreign, { password: 'wrong' }));
    expect([right.status, challenges(right)[0]]).toEqual([401, expect.stringMatching(/, stale=true$/)]);
    expect([wrong.status, challenges(wrong).join()]).toEqual([401, expect.not.stringContaining('stale')]);
  });

  it('A-11 takes a nonce that was made before a restart', async () => {
    const nonce = await freshNonce('digest');
    await gateway.restart();
    expect((await post('digest', credentials('digest', nonce))).status).toBe(200);
  });

  it('A-09 takes a name in percent-encoding (RFC 8187)', async () => {
    const nonce = await freshNonce('digest');
    const fields = { username: undefined, 'username*': `UTF-8''${encodeURIComponent(name)}` };
    expect((await post('digest', credentials('digest', nonce, { fields }))).status).toBe(200);
  });

  it('counts the certificates of a user as with Basic', async () => {
    const once = { alias: 'digest', name: 'once', code, remainingUses: 1 };
    await addUser(gateway.store, once, [sha256]);
    const enrol = async (): Promise<number> =>
      (await post('digest', credentials('digest', await freshNonce('digest'), { username: 'once' }))).status;
    expect([await enrol(), await enrol()]).toEqual([200, 403]);
  });

  it('keeps neither code nor credentials in the log', async () => {
    const nonce = await freshNonce('digest');
    await post('digest', credentials('digest', nonce));
    const log = gateway.log.lines().join('\n');
    expect(log).toContain('request');
    for (const secret of [code, nonce, 'cnonce', 'response=']) expect(log).not.toContain(secret);
  });
});

describe('createDigestNonces', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const later = (milliseconds: number): Date => new Date(now.getTime() + milliseconds);
  const key = randomBytes(32);

  it('A-11 takes its own nonces for five minutes', () => {
    const nonces = createDigestNonces(key, 'r', createNonceUses());
    const nonce = nonces.create(now);
    expect(nonces.isFresh(nonce, later(299_999))).toBe(true);
    expect(nonces.isFresh(nonce, later(300_000))).toBe(false);
  });

  it("A-11 takes nobody else's: of another key, another realm, changed, or spelled differently", () => {
    const nonces = createDigestNonces(key, 'r', createNonceUses());
    const nonce = nonces.create(now);
    const changed = `${nonce.startsWith('A') ? 'B' : 'A'}${nonce.slice(1)}`;
    expect(createDigestNonces(randomBytes(32), 'r', createNonceUses()).isFresh(nonce, now)).toBe(false);
    expect(createDigestNonces(key, 'other', createNonceUses()).isFresh(nonce, now)).toBe(false);
    for (const other of [changed, `${nonce}=`, '', 'AAAA']) expect(nonces.isFresh(other, now)).toBe(false);
  });

  it('A-11 forgets no use of a nonce that is still fresh, however many are used', () => {
    const nonces = createDigestNonces(key, 'r', createNonceUses());
    const first = nonces.create(now);
    expect(nonces.use(first, 1, now)).toBe(true);
    for (let count = 0; count < 10_000; count += 1) nonces.use(nonces.create(later(1)), 1, later(1));
    expect(nonces.isFresh(first, later(1)) && nonces.use(first, 1, later(1))).toBe(false);
    expect(nonces.isFresh(nonces.create(later(2)), later(2))).toBe(true);
  });
});

describe('readDigestCredentials', () => {
  const good =
    'Digest username="u", realm="r", nonce="n", uri="/", response="x", qop=auth, nc=00000001, cnonce="c"';

  it('A-09 reads fields with and without quotes, in any case and spacing', () => {
    const expected = { username: 'u', realm: 'r', algorithm: 'MD5', qop: 'auth', nc: '00000001' };
    expect(readDigestCredentials(good)).toMatchObject(expected);
    expect(readDigestCredentials(good.replace('Digest username=', 'dIGEST   USERNAME = '))).toMatchObject(
      expected,
    );
    expect(readDigestCredentials(`${good}, algorithm="sha-256"`)).toMatchObject({ algorithm: sha256 });
    expect(readDigestCredentials(`${good}, unknown="a, b=c"`)).toMatchObject(expected);
  });

  it.each([
    'Digest',
    'Digest ',
    'Basic dTpw',
    `${good}, `.replace('username="u"', 'username="u'),
    good.replace('username="u"', 'username="u\u0001"'),
    good.replace('username="u"', 'username="\u00e9"'),
    good.replace('username="u"', "username*=UTF-8''%E9"),
    `${good}, username*=UTF-8''u`,
    good.replace(', uri="/"', ''),
    good.replace('nc=00000001', 'nc=0000000g'),
  ])('A-09 refuses %j', (authorization) => {
    expect(readDigestCredentials(authorization)).toBeUndefined();
  });

  it('A-09 reads any name that is quoted as RFC 9110 has it, in NFC', () => {
    const names = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(names, (username) => {
        const octets = Buffer.from(username, 'utf8').toString('latin1');
        const quoted = `"${octets.replace(/["\\]/g, '\\$&')}"`;
        const read = readDigestCredentials(good.replace('"u"', () => quoted));
        expect(read?.username).toBe(username.normalize('NFC'));
      }),
    );
  });

  it('S-10 is never surprised, and quick, whatever comes', () => {
    const pieces = fc.constantFrom('"', '\\', ',', '=', ' ', 'a', 'nc', 'username', '\t', '\u00ff', ';');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 2000 }), (parts) => {
        expect(readDigestCredentials(`Digest ${parts.join('')}`)).toBeUndefined();
      }),
    );
    const long = ['"', '\\', ' ', 'a', 'a=a,', 'a="', ' a', '\\"'].map((text) =>
      text.repeat(16_384 / text.length),
    );
    const startedAt = performance.now();
    for (const text of long)
      for (const prefix of ['', 'a="', 'a = ']) readDigestCredentials(`Digest ${prefix}${text}!`);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
