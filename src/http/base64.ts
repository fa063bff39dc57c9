import { EstError } from '../errors.ts';

/** How base64 is broken into lines: `64` columns with a final line break, or `none`. */
export type LineWrap = '64' | 'none';

const canonical = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Decodes base64 as RFC 8951, section 3.1 allows it: white space anywhere, nothing else outside the alphabet,
 * padding required and canonical. `Buffer.from(text, 'base64')` alone skips junk and takes the URL alphabet, so
 * that two hops could read different bytes. Throws `malformed_request`.
 */
export function decodeBase64(text: string): Buffer {
  const compact = text.replace(/[ \t\r\n]+/g, '');
  if (!canonical.test(compact)) {
    throw new EstError(
      'malformed_request',
      'The request body is not base64: it holds a character outside the alphabet.',
    );
  }
  const bytes = Buffer.from(compact, 'base64');
  if (bytes.toString('base64') !== compact) {
    throw new EstError(
      'malformed_request',
      'The request body is not complete base64: its padding or its length is wrong.',
    );
  }
  return bytes;
}

/** Encodes as base64 in the given line form (RFC 8951, section 3.1 leaves line breaks to the sender). */
export function encodeBase64(bytes: Buffer, wrap: LineWrap): string {
  const text = bytes.toString('base64');
  return wrap === 'none' ? text : text.replace(/.{1,64}/g, '$&\n');
}

/**
 * Encodes what is secret, without a string on the way: strings cannot be wiped. Between lines stands CRLF, as in MIME
 * (RFC 2045, section 6.8).
 */
export function encodeSecretBase64(bytes: Buffer, wrap: LineWrap): Buffer {
  const groups = Math.ceil(bytes.length / 3);
  const groupsOfLine = wrap === '64' ? 16 : Infinity;
  const text = Buffer.alloc(4 * groups + 2 * Math.floor(Math.max(groups - 1, 0) / groupsOfLine));
  let length = 0;
  for (let group = 0; group < groups; group++) {
    if (group > 0 && group % groupsOfLine === 0) length += text.write('\r\n', length);
    const [first = 0, second, third] = bytes.subarray(group * 3, group * 3 + 3);
    text[length++] = characterOf(first >> 2);
    text[length++] = characterOf(((first & 0x03) << 4) | ((second ?? 0) >> 4));
    text[length++] =
      second === undefined ? padding : characterOf(((second & 0x0f) << 2) | ((third ?? 0) >> 6));
    text[length++] = third === undefined ? padding : characterOf(third & 0x3f);
  }
  return text;
}

const alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const padding = 0x3d;

function characterOf(sixBits: number): number {
  return alphabet.readUInt8(sixBits);
}
