import type { UserIdentity } from '../identity.ts';
import type { UserRegistry } from '../store/store.ts';
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
  return user !== undefined && proved ? { name: user.name, remainingUses: user.remainingUses } : undefined;
}
