import type { UserIdentity } from '../identity.ts';
import type { Log } from '../ops/log.ts';
import type { StateStore, User, UserRegistry } from '../store/store.ts';
import { dummyHash, hashCode, verifyCode } from './code.ts';
import type { StoreUsers } from './credentials/source.ts';
import { hashMadeCode, isMadeCode, isMadeCodeOf, madeCodeKey, madeCodePrefix } from './made-code.ts';

/** What the store keeps of a code: `hashMadeCode` of those in the form of made ones, `hashCode` of all others. */
export async function hashUserCode(code: string, store: StateStore): Promise<string> {
  return isMadeCode(code) ? hashMadeCode(code, await madeCodeKey(store)) : await hashCode(code);
}

/** What the users of a store at one alias are looked up with. */
export interface StoreUsersOptions {
  /** Its identifier in the store. */
  readonly alias: string;
  readonly users: UserRegistry;
  /** `madeCodeKey` of the store. */
  readonly key: Buffer;
  readonly log: Log;
}

/**
 * The users of the store at an alias. A right code in the form of made ones is known at once. Any wrong code costs the
 * same, whatever its form, for every name and none: a slow hash if any user of the alias has one, else none. So the time
 * of an answer tells neither which names there are nor how their codes are hashed.
 *
 * A code in the form of made ones that has a slow hash still gets a fast one when it is right.
 */
export function createStoreUsers({ alias, users, key, log }: StoreUsersOptions): StoreUsers {
  async function renewHash({ name, codeHash }: User, code: string): Promise<void> {
    await users.replaceCodeHash(alias, name, codeHash, hashMadeCode(code, key)).catch((error: unknown) => {
      log.warn('The hash of a code could not be replaced by a fast one.', { alias, user: name, error });
    });
  }

  return {
    async prove({ name, code }, signal, networks) {
      const user = await users.find(alias, name);
      if (isMadeCodeOf(code, key, user?.codeHash ?? '') && user !== undefined) return proved(user);
      const isSlowSomewhere = await users.hasOtherCodeHash(alias, madeCodePrefix);
      const isSlow = user !== undefined && !user.codeHash.startsWith(madeCodePrefix);
      const isRight =
        (isSlow || isSlowSomewhere) &&
        (await verifyCode(code, isSlow ? user.codeHash : dummyHash, signal, networks));
      if (user === undefined) return { state: 'unknown' };
      if (!isRight) return { state: 'wrong' };
      if (isMadeCode(code)) await renewHash(user, code);
      return proved(user);
    },
  };
}

function proved(user: User): { readonly state: 'proved'; readonly user: UserIdentity } {
  return { state: 'proved', user: userIdentity(user) };
}

/** A user of the store that has proved its code. */
export function userIdentity({ id, name, remainingUses, expiresAt }: User): UserIdentity {
  return { name, id, isLimited: remainingUses !== undefined || expiresAt !== undefined };
}
