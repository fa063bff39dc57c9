import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { StateStore } from '../store/store.ts';

/** Crockford's base32: no letter that people confuse, nothing that a shell would interpret. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A new enrolment code of 150 random bits, in groups that people can read aloud. */
export function generateCode(): string {
  const letters = [...randomBytes(30)].map((octet) => alphabet[octet % alphabet.length]).join('');
  return letters.replace(/.{5}(?=.)/g, '$&-');
}

const form = /^(?:[0-9A-HJKMNP-TV-Z]{5}-){5}[0-9A-HJKMNP-TV-Z]{5}$/;

/** Of 30 random letters fewer are different in one code out of a thousand million. */
const fewestLetters = 10;

/** Whether a code has the form of those that `generateCode` makes, and is no word of a few letters in that form. */
export function isMadeCode(code: string): boolean {
  return form.test(code) && new Set(code.replaceAll('-', '')).size >= fewestLetters;
}

/** The key of the hashes, which is the store's. */
export async function madeCodeKey(store: StateStore): Promise<Buffer> {
  return await store.secret('made-code');
}

/** With what the hashes of `hashMadeCode` begin. */
export const madeCodePrefix = '$hmac-sha256';

/**
 * What the store keeps of a code that has the form of a made one: `$hmac-sha256$SALT$TAG`, in base64 without padding. 150
 * random bits are out of reach of guessing whatever a guess costs, so that a slow hash would protect nothing.
 */
export function hashMadeCode(code: string, key: Buffer): string {
  const salt = randomBytes(16);
  return `${madeCodePrefix}$${unpadded(salt)}$${unpadded(tagOf(code, key, salt))}`;
}

/** Whether this is the code of the hash; false for a hash of another kind, at the same cost. */
export function isMadeCodeOf(code: string, key: Buffer, hash: string): boolean {
  const [, salt = '', tag] = phcString.exec(hash) ?? [];
  const expected = tag === undefined ? randomBytes(32) : Buffer.from(tag, 'base64');
  return timingSafeEqual(tagOf(code, key, Buffer.from(salt, 'base64')), expected);
}

const phcString = /^\$hmac-sha256\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

function tagOf(code: string, key: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', key).update(salt).update(code).digest();
}

function unpadded(octets: Buffer): string {
  return octets.toString('base64').replace(/=+$/, '');
}
