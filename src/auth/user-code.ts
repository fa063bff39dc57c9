import type { UserIdentity } from '../identity.ts';
import type { User, UserRegistry } from '../store/store.ts';
import { dummyHash, verifyCode } from './code.ts';

/**
 * The user of an alias whose enrolment code this is; undefined when it is not. An unknown user costs the same time as a
 * known one.
 */
export async function proveUser(
  users: UserRegistry,
  alias: string,
  name: string,
  code: string,
): Promise<UserIdentity | undefined> {
  const user = await users.find(alias, name);
  const proved = await verifyCode(code, user?.codeHash ?? (await dummyHash()));
  return user !== undefined && proved ? userIdentity(user) : undefined;
}

/** A user of the store that has proved its code. */
export function userIdentity({ name, remainingUses, expiresAt }: User): UserIdentity {
  return { name, isLimited: remainingUses !== undefined || expiresAt !== undefined };
}
