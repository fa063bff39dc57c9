import type { RefusedCredentials } from '../errors.ts';

/** What a client showed: its code is undefined where it sends a proof of it alone (Digest). */
interface Shown {
  readonly name: string;
  readonly code?: string;
}

/** How the log names a user that is refused. */
export function refusedUser(
  { state }: { readonly state: 'wrong' | 'unknown' },
  shown: Shown,
): RefusedCredentials {
  // Some directories do not tell an unknown name from a wrong code.
  return state === 'wrong' && !madeCode.test(shown.name) ? { user: shown.name } : triedUser(shown);
}

/**
 * How the log names a user that no source knows, or about which none was asked. The name may be a code in the wrong place,
 * as with a device that sends its code alone; one that looks so is not shown.
 */
export function triedUser(shown: Shown): RefusedCredentials {
  const { length } = shown.name;
  return { triedUser: mayBeCode(shown) ? `not shown, it may be a code: ${length} characters` : shown.name };
}

/** Characters of the longest name that is shown, and of the longest part of one without a separator. */
const longest = { name: 32, part: 16 } as const;

/** What `generateCode` makes, or half of it, however it is written. */
const madeCode = /^[0-9A-HJKMNP-TV-Z]{5}(-?[0-9A-HJKMNP-TV-Z]{5}){2,}$/i;

/** People choose codes with all of these; names seldom have them in one part. */
const kindsOfCharacters = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u];

function mayBeCode({ name, code }: Shown): boolean {
  return (
    code === '' ||
    name.length > longest.name ||
    !/^[\p{L}\p{M}\p{Nd}._@-]*$/u.test(name) ||
    madeCode.test(name) ||
    name
      .split(/[._@-]/)
      .some((part) => part.length > longest.part || kindsOfCharacters.every((kind) => kind.test(part)))
  );
}
