import { EstError, type RefusedCredentials } from '../errors.ts';
import type { UserRegistry } from '../store/store.ts';
import type { UserAuthenticator } from './auth.ts';
import type { Attempts } from './attempts/attempts.ts';
import { basicChallenge, readBasicCredentials } from './basic.ts';
import type { CodeCheck } from './credentials/check.ts';
import { createDigestAuthenticator } from './digest.ts';
import { createDigestNonces, type NonceUses } from './digest-nonce.ts';
import { realmOf } from './digest-secrets.ts';
import { digestAlgorithms, type HttpScheme } from './http-schemes.ts';
import { refusedUser } from './tried-user.ts';

/** How users prove at one alias that they know their codes. */
export interface UserAuthentication {
  readonly identify: UserAuthenticator;
  /** The header field of a 401 (RFC 9110, section 11.6.1), a line for each way in, the strongest first. */
  readonly challenge: (now: Date) => { readonly 'WWW-Authenticate': readonly string[] };
}

/** What decides about the users of one alias. */
export interface UserAuthenticationOptions {
  /** Its identifier in the store, and its name. */
  readonly alias: { readonly id: string; readonly name: string };
  readonly schemes: readonly HttpScheme[];
  /** For Basic. */
  readonly checkCode: CodeCheck;
  /** For Digest. */
  readonly users: UserRegistry;
  readonly attempts: Attempts;
  /** For nonces: 32 secret octets, the same wherever the same store is used. */
  readonly nonceKey: Buffer;
  readonly nonceUses: NonceUses;
}

/** HTTP authentication by the schemes that the alias offers; any other scheme is refused like a wrong code. */
export function createUserAuthentication({
  alias,
  schemes,
  checkCode,
  users,
  attempts,
  nonceKey,
  nonceUses,
}: UserAuthenticationOptions): UserAuthentication {
  const realm = realmOf(alias.name);
  const algorithms = digestAlgorithms(schemes);
  // Who offers MD5 alone has old clients; that of Bouncy Castle reads neither tokens nor charset. No algorithm means MD5.
  const isMd5Alone = algorithms.join() === 'MD5';
  const nonces = createDigestNonces(nonceKey, realm, nonceUses);
  const digest = createDigestAuthenticator({ alias, algorithms, users, nonces, attempts });

  function challenge(now: Date, stale = false) {
    const lines = algorithms.map((algorithm) =>
      [
        `Digest realm="${realm}"`,
        'qop="auth"',
        ...(isMd5Alone ? [] : [`algorithm=${algorithm}`]),
        `nonce="${nonces.create(now)}"`,
        ...(isMd5Alone ? [] : ['charset="UTF-8"']),
        ...(stale ? ['stale=true'] : []),
      ].join(', '),
    );
    const basicLines = schemes.includes('basic') ? [basicChallenge(alias.name)['WWW-Authenticate']] : [];
    return { 'WWW-Authenticate': [...lines, ...basicLines] };
  }

  return {
    challenge,
    async identify(credentials, now, signal) {
      const { authorization, address } = credentials;
      if (authorization === undefined) return undefined;
      const scheme = /^[^ ]*/.exec(authorization)?.[0].toLowerCase();
      if (scheme === 'digest' && algorithms.length > 0) {
        const verdict = await digest(credentials, now);
        switch (verdict.state) {
          case 'proved':
            return verdict.user;
          case 'stale':
            throw staleNonce(challenge(now, true));
          case 'malformed':
            throw wrongCredentials(challenge(now));
          case 'wrong':
          case 'unknown':
            throw wrongCredentials(challenge(now), refusedUser(verdict, verdict));
        }
      }
      const shown = schemes.includes('basic') ? readBasicCredentials(authorization) : undefined;
      if (shown === undefined) throw wrongCredentials(challenge(now));
      const verdict = await checkCode(shown, { address, signal });
      if (verdict.state === 'proved') return verdict.user;
      throw wrongCredentials(challenge(now), refusedUser(verdict, shown));
    },
  };
}

type Challenge = ReturnType<UserAuthentication['challenge']>;

const wrongSentence = 'The user name or the enrolment code is wrong.';

function wrongCredentials(headers: Challenge, refusedCredentials: RefusedCredentials = {}): EstError {
  return new EstError('wrong_credentials', wrongSentence, { headers, refusedCredentials });
}

/** The client computes its credentials anew, for the nonce of the challenge. */
function staleNonce(headers: Challenge): EstError {
  return new EstError('unauthenticated', wrongSentence, { headers });
}
