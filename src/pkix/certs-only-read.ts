import { DerError, tags } from './der.ts';
import { oids } from './oids.ts';
import { objectIdentifier, toDer } from './der-write.ts';

/** One value of BER: where it begins and where the next one does. */
interface Span {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  /** Before the two octets that end an indefinite length, if it has one. */
  readonly contentEnd: number;
  readonly end: number;
}

/** Deeper than any certs-only message is. */
const maximalDepth = 16;

const signedData = toDer(objectIdentifier(oids.signedData));
const contentTag = 0xa0;

/**
 * The certificates of a certs-only message (RFC 5272, section 4.1), each as it was sent; their order means nothing. CAs
 * that use Bouncy Castle send BER of indefinite length around certificates in DER, which is why `readDer` is not enough.
 * Throws DerError.
 */
export function readCertsOnly(message: Buffer): readonly Buffer[] {
  const contentInfo = spanAt(message, 0, message.length, 0);
  if (contentInfo.end !== message.length) throw new DerError('Octets follow after the message.');
  const [type, content] = childrenOf(message, expect(contentInfo, tags.sequence));
  if (type === undefined || !message.subarray(type.start, type.end).equals(signedData)) {
    throw new DerError('The message is not a SignedData.');
  }
  const [inner] = childrenOf(message, expect(content, contentTag));
  const [, , , ...optional] = childrenOf(message, expect(inner, tags.sequence));
  const certificates = expect(optional[0], contentTag);
  return childrenOf(message, certificates).map((span) => {
    const { start, end } = expect(span, tags.sequence);
    return message.subarray(start, end);
  });
}

function expect(span: Span | undefined, tag: number): Span {
  if (span?.tag !== tag) throw new DerError('The message is no list of certificates.');
  return span;
}

function childrenOf(octets: Buffer, { contentStart, contentEnd }: Span): readonly Span[] {
  const children: Span[] = [];
  for (let at = contentStart; at < contentEnd;) {
    const child = spanAt(octets, at, contentEnd, 0);
    children.push(child);
    at = child.end;
  }
  return children;
}

function spanAt(octets: Buffer, start: number, limit: number, depth: number): Span {
  if (start + 2 > limit || depth > maximalDepth) throw new DerError('The message is cut off.');
  const tag = octets.readUInt8(start);
  const first = octets.readUInt8(start + 1);
  if (first === 0x80) return indefiniteSpanAt(octets, start, limit, depth);
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  const contentStart = start + 2 + lengthOctets;
  if (lengthOctets > 4 || contentStart > limit) throw new DerError('The message is cut off.');
  const length = lengthOctets === 0 ? first : octets.readUIntBE(start + 2, lengthOctets);
  const end = contentStart + length;
  if (end > limit) throw new DerError('The message is cut off.');
  return { tag, start, contentStart, contentEnd: end, end };
}

/** Its values follow until two octets of zero (X.690, section 8.1.3.6). */
function indefiniteSpanAt(octets: Buffer, start: number, limit: number, depth: number): Span {
  const contentStart = start + 2;
  let at = contentStart;
  while (at + 2 <= limit && octets.readUInt16BE(at) !== 0) at = spanAt(octets, at, limit, depth + 1).end;
  if (at + 2 > limit) throw new DerError('The message is cut off.');
  return { tag: octets.readUInt8(start), start, contentStart, contentEnd: at, end: at + 2 };
}
