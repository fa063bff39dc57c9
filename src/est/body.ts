import { EstError } from '../errors.ts';
import { decodeBase64 } from '../http/base64.ts';

/** Explanatory text may stand before and after the block (RFC 7468, section 2). */
const block =
  /^[ \t]*-----BEGIN ((?:NEW )?CERTIFICATE REQUEST|CMS|PKCS7)-----([^-]*)-----END \1-----[ \t]*$/m;

/**
 * The DER octets of an enrolment request's body. Always accepted: base64 of DER, whatever
 * Content-Transfer-Encoding says (RFC 8951, section 3). Unless `strict`, also what curl recipes and older
 * devices send: raw DER, and one PEM block of a certificate request or a CMS message, with text around it and a byte order mark
 * before; base64 and PEM may end in the NUL of a string of C. Throws `malformed_request`.
 */
export function decodeBody(body: Buffer, strict: boolean): Buffer {
  if (!strict && isRawDer(body)) return body;
  const text = body.toString('latin1');
  const base64 = strict ? text : withoutArmour(text.replace(/\0$/, ''));
  const der = decodeBase64(base64);
  if (der.length === 0) {
    throw new EstError('malformed_request', 'The request body is empty; expected a request in base64.');
  }
  return der;
}

/** A DER SEQUENCE of 128 octets or more begins 30 8x, and no octet of base64 text is above 7f. */
function isRawDer(body: Buffer): boolean {
  return body[0] === 0x30 && (body[1] ?? 0) >= 0x80;
}

function withoutArmour(text: string): string {
  if (!text.includes('-----BEGIN ')) return text;
  const blocks = text.split('-----BEGIN ').length - 1;
  const base64 = block.exec(text.replace(byteOrderMark, ''))?.[2];
  if (blocks !== 1 || base64 === undefined) {
    throw new EstError(
      'malformed_request',
      'The request body is PEM, but not exactly one CERTIFICATE REQUEST or CMS block.',
    );
  }
  return base64;
}

/** Of UTF-8, read as Latin-1. */
const byteOrderMark = /^\xef\xbb\xbf/;
