import type { ShownCode } from './credentials/source.ts';
import { realmOf } from './digest-secrets.ts';

/** The header field of a 401 (RFC 7617, sections 2 and 2.1; RFC 9110, section 15.5.2). */
export function basicChallenge(alias: string): { readonly 'WWW-Authenticate': string } {
  return { 'WWW-Authenticate': `Basic realm="${realmOf(alias)}", charset="UTF-8"` };
}

const basicScheme = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i;
const controlCharacters = /\p{Cc}/u;

/** RFC 7617, section 2: the name ends at the first colon; the code may hold more of them. Undefined for what is not Basic. */
export function readBasicCredentials(authorization: string): ShownCode | undefined {
  const token = basicScheme.exec(authorization)?.[1];
  const text = token === undefined ? undefined : decodeUtf8(token);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0 || controlCharacters.test(text)) return undefined;
  return { name: text.slice(0, colon), code: text.slice(colon + 1) };
}

/** Undefined for base64 that no encoder writes, and for octets that are not UTF-8, which the challenge announces. */
function decodeUtf8(base64: string): string | undefined {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).normalize('NFC');
  } catch {
    return undefined;
  }
}
