import { isAscii, isUtf8 } from 'node:buffer';
import { DerError, tags, type DerNode } from './der.ts';

/**
 * The text of an ASN.1 string of any type that RFC 5280 or RFC 2985 allow somewhere, or undefined when the value
 * is no string. TeletexString is read as ISO 8859-1, as everybody writes it. Throws DerError when the octets do
 * not fit the type.
 */
export function readText({ tag, content }: DerNode): string | undefined {
  switch (tag) {
    case tags.utf8String:
      return must(isUtf8(content), content.toString('utf8'));
    case tags.printableString:
    case tags.ia5String:
    case tags.visibleString:
    case tags.numericString:
      return must(isAscii(content), content.toString('latin1'));
    case tags.teletexString:
      return content.toString('latin1');
    case tags.bmpString:
      return readUcs2(content);
    case tags.universalString:
      return readUcs4(content);
    default:
      return undefined;
  }
}

/** Surrogates are no characters in UCS-2 and UCS-4. */
const surrogate = /[\ud800-\udfff]/;

/** UCS-2, big endian. */
function readUcs2(content: Buffer): string {
  must(content.length % 2 === 0, '');
  const text = Buffer.from(content).swap16().toString('utf16le');
  return must(!surrogate.test(text), text);
}

/** Of so many characters a string is made at once: they are arguments of one call. */
const charactersAtOnce = 4096;

/** UCS-4, big endian. */
function readUcs4(content: Buffer): string {
  must(content.length % 4 === 0, '');
  const parts: string[] = [];
  for (let start = 0; start < content.length; start += 4 * charactersAtOnce) {
    const points: number[] = [];
    const end = Math.min(start + 4 * charactersAtOnce, content.length);
    for (let at = start; at < end; at += 4) {
      const point = content.readUInt32BE(at);
      must(point <= 0x10ffff && (point < 0xd800 || point > 0xdfff), '');
      points.push(point);
    }
    parts.push(String.fromCodePoint(...points));
  }
  return parts.join('');
}

function must(fits: boolean, text: string): string {
  if (!fits) throw new DerError('A string holds octets that do not fit its type.');
  return text;
}
