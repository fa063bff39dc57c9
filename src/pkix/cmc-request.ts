import { EstError } from '../errors.ts';
import {
  contextTag,
  DerError,
  expectTag,
  readDer,
  readInteger,
  readObjectIdentifier,
  readOctetString,
  tags,
  type DerNode,
} from './der.ts';
import { nameOfOid, oids } from './oids.ts';
import { readSignedData, type SignedData } from './signed-data-read.ts';

/** A Full PKI Request (RFC 5272, section 3.2), taken apart; its signature was not verified. */
export interface FullPkiRequest {
  readonly signedData: SignedData;
  readonly pkiData: PkiData;
}

/** The signed content (RFC 5272, section 3.2.1). */
export interface PkiData {
  /** What the answer repeats (RFC 5272, section 6.6). */
  readonly conversation: Conversation;
  readonly controls: readonly Control[];
  readonly requests: readonly TaggedRequest[];
  readonly messages: readonly TaggedMessage[];
  readonly hasOtherMessages: boolean;
}

/** By which a client knows to what an answer belongs. */
export interface Conversation {
  /** An INTEGER, DER. */
  readonly transactionId: Buffer | undefined;
  readonly senderNonce: Buffer | undefined;
}

interface Control {
  /** A dotted object identifier. */
  readonly type: string;
  readonly values: readonly DerNode[];
}

interface TaggedRequest {
  readonly bodyPartId: number;
  /** DER; undefined for the kinds of requests that are no PKCS#10. */
  readonly certificationRequest: Buffer | undefined;
}

interface TaggedMessage {
  readonly bodyPartId: number;
  /** A ContentInfo, DER. */
  readonly contentInfo: Buffer;
}

/** What a request that can be handled asks: one PKCS#10 (DER), or one request of somebody else (DER) inside. */
export type BodyPart =
  | { readonly kind: 'request'; readonly bodyPartId: number; readonly certificationRequest: Buffer }
  | { readonly kind: 'nested'; readonly bodyPartId: number; readonly contentInfo: Buffer };

/**
 * Decodes a Full PKI Request, strictly in DER. Throws `malformed_request` for what is none, and
 * `bad_certification_request` for AuthenticatedData.
 */
export function readFullPkiRequest(der: Buffer): FullPkiRequest {
  try {
    const signedData = readSignedData(der);
    if (signedData.contentType !== oids.pkiData) throw new DerError('What is signed is not a PKIData.');
    return { signedData, pkiData: readPkiData(readDer(signedData.content)) };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new EstError(
      'malformed_request',
      `This is not a valid Full PKI Request (CMC, RFC 5272) in DER: ${error.message}`,
      { cause: error },
    );
  }
}

const supportedControls: ReadonlySet<string> = new Set([oids.transactionId, oids.senderNonce]);

/**
 * What the request asks, when it can be handled here: one PKCS#10 or one nested request, and no control but
 * transactionId and senderNonce; nothing is ignored in silence. Throws `bad_certification_request`.
 */
export function onlyBodyPart({ controls, requests, messages, hasOtherMessages }: PkiData): BodyPart {
  const unsupported = controls.find(({ type }) => !supportedControls.has(type));
  if (unsupported !== undefined) {
    throw noSupport(`The control ${nameOfOid(unsupported.type)}`, 'only transactionId and senderNonce are');
  }
  if (hasOtherMessages) throw noSupport('Another kind of message', 'only requests are');
  const [request] = requests;
  const [message] = messages;
  if (requests.length + messages.length !== 1) {
    throw new EstError(
      'bad_certification_request',
      'A Full PKI Request must ask for exactly one certificate here, by one PKCS#10 or one nested request.',
      { cmcFailure: 'badRequest' },
    );
  }
  if (message !== undefined) return { kind: 'nested', ...message };
  if (request?.certificationRequest === undefined) throw noSupport('CRMF', 'only PKCS#10 is');
  const { bodyPartId, certificationRequest } = request;
  return { kind: 'request', bodyPartId, certificationRequest };
}

function noSupport(what: string, supported: string): EstError {
  return new EstError('bad_certification_request', `${what} is not supported here; ${supported}.`, {
    cmcFailure: 'noSupport',
  });
}

function readPkiData(root: DerNode): PkiData {
  const { children: parts } = expectTag(root, tags.sequence, 'The PKIData');
  const [controls, requests, messages, otherMessages] = parts.map(
    (part) => expectTag(part, tags.sequence, 'A part of the PKIData').children,
  );
  if (otherMessages === undefined || parts.length > 4) {
    throw new DerError('The PKIData does not have its four parts.');
  }
  const all = [...(controls ?? []), ...(messages ?? []), ...otherMessages];
  refuseSharedIds([...all.map(readBodyPartId), ...(requests ?? []).map(readRequestId)]);
  const readControls = (controls ?? []).map(readControl);
  return {
    conversation: readConversation(readControls),
    controls: readControls,
    requests: (requests ?? []).map(readRequest),
    messages: (messages ?? []).map(readMessage),
    hasOtherMessages: otherMessages.length > 0,
  };
}

const highestBodyPartId = 4_294_967_295n;

/** The first field of each body part; 0 stands for the PKIData itself (RFC 5272, section 3.2.2). */
function readBodyPartId({ children: [id] }: DerNode): number {
  const value = readInteger(expectTag(id, tags.integer, 'A bodyPartID'));
  if (value < 1n || value > highestBodyPartId) throw new DerError('A bodyPartID is out of range.');
  return Number(value);
}

function refuseSharedIds(ids: readonly number[]): void {
  if (new Set(ids).size !== ids.length) throw new DerError('Two body parts have the same bodyPartID.');
}

function readControl(node: DerNode): Control {
  const [, type, values, ...rest] = expectTag(node, tags.sequence, 'A control').children;
  if (rest.length > 0) throw new DerError('A control has more than three parts.');
  return {
    type: readObjectIdentifier(expectTag(type, tags.objectIdentifier, 'The type of a control')),
    values: expectTag(values, tags.set, 'The values of a control').children,
  };
}

function readConversation(controls: readonly Control[]): Conversation {
  const transactionId = singleValue(controls, oids.transactionId);
  const senderNonce = singleValue(controls, oids.senderNonce);
  // Read only to refuse what is no INTEGER.
  if (transactionId !== undefined) readInteger(transactionId);
  return {
    transactionId: transactionId?.bytes,
    senderNonce: senderNonce === undefined ? undefined : readOctetString(senderNonce),
  };
}

function singleValue(controls: readonly Control[], oid: string): DerNode | undefined {
  const values = controls.filter(({ type }) => type === oid).map((control) => control.values);
  const [value, ...more] = values.flat();
  if (more.length > 0 || values.length !== (value === undefined ? 0 : 1)) {
    throw new DerError(`The control ${nameOfOid(oid)} does not have exactly one value.`);
  }
  return value;
}

/** A TaggedRequest is a choice of three; its tag is that of what it holds, except for CRMF. */
function readRequest(node: DerNode): TaggedRequest {
  const [, certificationRequest, ...rest] = node.children;
  const bodyPartId = readRequestId(node);
  if (node.tag !== contextTag(0, 'constructed')) return { bodyPartId, certificationRequest: undefined };
  if (rest.length > 0) throw new DerError('A certification request has more than two parts.');
  return {
    bodyPartId,
    certificationRequest: expectTag(certificationRequest, tags.sequence, 'The certification request').bytes,
  };
}

/** CRMF has its identifier one level further down (RFC 4211, section 5). */
function readRequestId(node: DerNode): number {
  const [first] = node.children;
  return readBodyPartId(
    node.tag === contextTag(1, 'constructed') && first?.tag === tags.sequence ? first : node,
  );
}

function readMessage(node: DerNode): TaggedMessage {
  const [, contentInfo, ...rest] = expectTag(node, tags.sequence, 'A nested message').children;
  if (rest.length > 0) throw new DerError('A nested message has more than two parts.');
  return {
    bodyPartId: readBodyPartId(node),
    contentInfo: expectTag(contentInfo, tags.sequence, 'A nested message').bytes,
  };
}
