import { DerError, readDer, readSpan, readTime, tags, type DerSpan } from './der.ts';

/** No name of a CA is so long that more of a CRL is needed to find its dates. */
export const crlHeadOctets = 8192;

/**
 * When the next CRL comes out at the latest, from the first octets of a CRL of any size, complete or delta; undefined:
 * it does not say (RFC 5280, section 5.1.2.5). Throws DerError for what does not begin as a CRL does.
 */
export function readNextUpdate(head: Buffer): Date | undefined {
  const tbsCertList = enter(head, enter(head, 0));
  const version = spanAt(head, tbsCertList);
  const signature = version.tag === tags.integer ? version.end : tbsCertList;
  const issuer = skip(head, signature, tags.sequence);
  const thisUpdate = skip(head, issuer, tags.sequence);
  const nextUpdate = timeAt(head, thisUpdate)?.end;
  if (nextUpdate === undefined) throw new DerError('The CRL has no thisUpdate.');
  return timeAt(head, nextUpdate)?.date;
}

/** Where a value lies, whose end may not be there yet. */
function spanAt(octets: Buffer, at: number): DerSpan {
  try {
    return readSpan(octets, at, Infinity);
  } catch (error) {
    if (error instanceof RangeError) throw cutOff();
    throw error;
  }
}

function cutOff(): DerError {
  return new DerError('The CRL ends before its dates.');
}

/** Where the first value inside a SEQUENCE begins. */
function enter(octets: Buffer, at: number): number {
  const { tag, contentStart } = spanAt(octets, at);
  if (tag !== tags.sequence) throw new DerError('This is no CRL.');
  return contentStart;
}

/** Where the value after this one begins. */
function skip(octets: Buffer, at: number, expected: number): number {
  const { tag, end } = spanAt(octets, at);
  if (tag !== expected) throw new DerError('This is no CRL.');
  return end;
}

function timeAt(octets: Buffer, at: number): { readonly date: Date; readonly end: number } | undefined {
  const { tag, end } = spanAt(octets, at);
  if (tag !== tags.utcTime && tag !== tags.generalizedTime) return undefined;
  if (end > octets.length) throw cutOff();
  return { date: readTime(readDer(octets.subarray(at, end))), end };
}
