import { randomBytes, timingSafeEqual } from 'node:crypto';
import { EstError } from '../errors.ts';
import type { UserIdentity } from '../identity.ts';
import type { DigestAlgorithm, User, UserRegistry } from '../store/store.ts';
import type { Attempts } from './attempts/attempts.ts';
import type { Credentials } from './auth.ts';
import { readDigestCredentials, type DigestCredentials } from './digest-credentials.ts';
import type { DigestNonces } from './digest-nonce.ts';
import { digest, realmOf } from './digest-secrets.ts';
import { userIdentity } from './store-users.ts';

/** What a Digest authenticator of one alias works with. */
export interface DigestOptions {
  /** Its identifier in the store, and its name. */
  readonly alias: { readonly id: string; readonly name: string };
  /** What is offered. */
  readonly algorithms: readonly DigestAlgorithm[];
  readonly users: UserRegistry;
  readonly nonces: DigestNonces;
  readonly attempts: Attempts;
}

/** `stale`: name and code were right, and only the nonce was too old or used before. */
export type DigestVerdict =
  | { readonly state: 'proved'; readonly user: UserIdentity }
  | { readonly state: 'wrong' | 'unknown'; readonly name: string }
  | { readonly state: 'stale' | 'malformed' };

/**
 * HTTP Digest (RFC 7616) with qop=auth against the users of one alias. An unknown user, and one that has no Digest secret,
 * costs the same time as any other and gets the same answer. Throws `malformed_request` when the credentials are for
 * another resource than the one that is asked for, and `too_many_requests` after too many wrong ones.
 */
export function createDigestAuthenticator({ alias, algorithms, users, nonces, attempts }: DigestOptions) {
  return async function authenticate(
    { authorization = '', address, method, target }: Credentials,
    now: Date,
  ): Promise<DigestVerdict> {
    const received = readDigestCredentials(authorization);
    const algorithm = algorithms.find((offered) => offered === received?.algorithm);
    if (received === undefined || algorithm === undefined || received.realm !== realmOf(alias.name))
      return { state: 'malformed' };
    if (!isForTarget(algorithm, received, target)) {
      throw new EstError(
        'malformed_request',
        'The uri of the Digest credentials is not the path of the request; compute them for this path.',
      );
    }
    return await attempts.run({ alias: alias.name, address, name: received.username }, async () => {
      const name = received.username;
      const user = await users.find(alias.id, name);
      const isRight = isProved(algorithm, received, method, user);
      if (user === undefined) return { state: 'unknown', name };
      if (!isRight) return { state: 'wrong', name };
      const isUsable =
        nonces.isFresh(received.nonce, now) && nonces.use(received.nonce, parseInt(received.nc, 16), now);
      return isUsable ? { state: 'proved', user: userIdentity(user) } : { state: 'stale' };
    });
  };
}

/**
 * RFC 7616, section 3.4.6; a client may give the absolute form. libest, which knows MD5 alone, leaves the alias out; the
 * credentials are for this one all the same, by realm and nonce.
 */
function isForTarget(algorithm: DigestAlgorithm, { uri }: DigestCredentials, target: string): boolean {
  const path = /^https?:\/\/[^/]+(\/.*)$/i.exec(uri)?.[1] ?? uri;
  return path === target || (algorithm === 'MD5' && path === withoutAlias(target));
}

function withoutAlias(target: string): string {
  return target.replace(/^(\/\.well-known\/est)\/[^/]+(\/[^/]+)$/, '$1$2');
}

/** RFC 7616, section 3.4.1. */
function isProved(
  algorithm: DigestAlgorithm,
  { nonce, nc, cnonce, qop, uri, response }: DigestCredentials,
  method: string,
  user: User | undefined,
): boolean {
  const secret = user?.digestSecrets?.[algorithm] ?? unknowable;
  const a2 = digest(algorithm, `${method}:${uri}`);
  const expected = digest(algorithm, `${secret}:${nonce}:${nc}:${cnonce}:${qop}:${a2}`);
  const shown = Buffer.from(response.toLowerCase());
  return shown.length === expected.length && timingSafeEqual(shown, Buffer.from(expected));
}

/** In place of the secret of a user that has none. */
const unknowable = randomBytes(32).toString('hex');
