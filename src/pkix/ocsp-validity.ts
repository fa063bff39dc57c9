import {
  contextTag,
  DerError,
  expectTag,
  readDer,
  readObjectIdentifier,
  readOctetString,
  readTime,
  tags,
  type DerNode,
} from './der.ts';
import { oids } from './oids.ts';

/** What decides whether somebody else may get the same answer. */
export interface OcspQuestion {
  /** The answer will repeat a value that the client made for this request (RFC 9654). */
  readonly hasNonce: boolean;
}

/** Takes an OCSPRequest apart as far as its form goes (RFC 6960, section 4.1.1). Throws DerError. */
export function readOcspQuestion(der: Buffer): OcspQuestion {
  const [tbsRequest] = expectTag(readDer(der), tags.sequence, 'The OCSPRequest').children;
  const fields = expectTag(tbsRequest, tags.sequence, 'The TBSRequest').children;
  const requestList = fields.find(({ tag }) => tag === tags.sequence);
  if (requestList === undefined || requestList.children.length === 0) {
    throw new DerError('The OCSPRequest asks for no certificate.');
  }
  const extensions = fields.find(({ tag }) => tag === contextTag(2, 'constructed'))?.children[0]?.children;
  return { hasNonce: (extensions ?? []).some(isNonce) };
}

function isNonce({ children: [oid] }: DerNode): boolean {
  return oid !== undefined && readObjectIdentifier(oid) === oids.ocspNonce;
}

/** How long an answer may be given again. */
export interface OcspValidity {
  /** False for errors such as tryLater, which are for one client at one moment. */
  readonly isSuccessful: boolean;
  /** When newer information is there at the latest; undefined: at any time (RFC 6960, section 4.2.2.1). */
  readonly nextUpdate: Date | undefined;
}

/** The earliest nextUpdate of an OCSPResponse (RFC 6960, section 4.2.1). Signatures are not verified. Throws DerError. */
export function readOcspValidity(der: Buffer): OcspValidity {
  const [status, responseBytes] = expectTag(readDer(der), tags.sequence, 'The OCSPResponse').children;
  const isSuccessful = expectTag(status, tags.enumerated, 'The status').content.equals(Buffer.of(0));
  if (!isSuccessful) return { isSuccessful, nextUpdate: undefined };
  const [bytes] = expectTag(responseBytes, contextTag(0, 'constructed'), 'The response').children;
  const [, basic] = expectTag(bytes, tags.sequence, 'The response').children;
  if (basic === undefined) throw new DerError('The OCSPResponse is empty.');
  const [responseData] = expectTag(
    readDer(readOctetString(basic)),
    tags.sequence,
    'The BasicOCSPResponse',
  ).children;
  const fields = expectTag(responseData, tags.sequence, 'The ResponseData').children;
  const responses = expectTag(
    fields.find(({ tag }) => tag === tags.sequence),
    tags.sequence,
    'The list of responses',
  );
  return { isSuccessful, nextUpdate: earliest(responses.children.map(nextUpdateOf)) };
}

function nextUpdateOf({ children: [, , , ...optional] }: DerNode): Date | undefined {
  const [time] = optional.find(({ tag }) => tag === contextTag(0, 'constructed'))?.children ?? [];
  return time === undefined ? undefined : readTime(time);
}

/** One response without a date makes the whole answer one without. */
function earliest(dates: readonly (Date | undefined)[]): Date | undefined {
  const known = dates.filter((date) => date !== undefined);
  if (known.length < dates.length || known.length === 0) return undefined;
  return new Date(Math.min(...known.map((date) => date.getTime())));
}
