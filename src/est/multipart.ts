import { encodeSecretBase64, type LineWrap } from '../http/base64.ts';
import type { Content } from './message.ts';

/** No line of base64 and no header field below begins with a hyphen, so that it is never found inside a part. */
const boundary = 'est-server-key-generation';

/** Of the message that `encodeMultipart` makes. */
export const multipartMediaType = `multipart/mixed; boundary=${boundary}`;

/** The parts in base64 as one multipart/mixed message (RFC 2046, section 5.1), without preamble and epilogue. */
export function encodeMultipart(parts: readonly Content[], wrap: LineWrap): Buffer {
  const pieces = parts.flatMap(({ mediaType, body }) => [
    Buffer.from(`--${boundary}\r\nContent-Type: ${mediaType}\r\nContent-Transfer-Encoding: base64\r\n\r\n`),
    encodeSecretBase64(body, wrap),
    Buffer.from('\r\n'),
  ]);
  const message = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
  for (const piece of pieces) piece.fill(0);
  return message;
}
