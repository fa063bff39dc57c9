import type { UserIdentity } from '../identity.ts';
import type { Party } from '../ops/turns.ts';
import type { User, UserRegistry } from '../store/store.ts';
import { dummyHash, verifyCode } from './code.ts';
import type { CredentialVerdict, ShownCode } from './credentials/source.ts';

/** What the store knows of a user of an alias. An unknown user costs the same time as a known one. */
export async function proveUser(
  users: UserRegistry,
  alias: string,
  { name, code }: ShownCode,
  signal: AbortSignal,
  networks?: Party,
): Promise<CredentialVerdict> {
  const user = await users.find(alias, name);
  const proved = await verifyCode(code, user?.codeHash ?? dummyHash, signal, networks);
  if (user === undefined) return { state: 'unknown' };
  return proved ? { state: 'proved', user: userIdentity(user) } : { state: 'wrong' };
}

/** A user of the store that has proved its code. */
export function userIdentity({ name, remainingUses, expiresAt }: User): UserIdentity {
  return { name, isLimited: remainingUses !== undefined || expiresAt !== undefined };
}
