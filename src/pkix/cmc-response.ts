import { randomBytes } from 'node:crypto';
import type { CmcFailure } from '../errors.ts';
import type { Conversation } from './cmc-request.ts';
import {
  embed,
  integer,
  objectIdentifier,
  octetString,
  primitive,
  sequence,
  set,
  toDer,
  utf8String,
  type Asn1,
} from './der-write.ts';
import { tags } from './der.ts';
import { oids } from './oids.ts';

/** What has become of a request. */
export type CmcOutcome =
  | { readonly status: 'success' }
  | {
      readonly status: 'pending';
      readonly statusString: string;
      readonly pendToken: Buffer;
      /** When asking again makes sense. */
      readonly pendTime: Date;
    }
  | { readonly status: 'failed'; readonly statusString: string; readonly failure: CmcFailure };

/** CMCStatus (RFC 5272, section 6.1.3). */
const statuses = { success: 0, failed: 2, pending: 3, noSupport: 4 } as const;

/** CMCFailInfo (RFC 5272, section 6.1.4); beside the status noSupport stands badRequest. */
const failInfos: Readonly<Record<CmcFailure, number>> = {
  noSupport: 2,
  badAlg: 0,
  badMessageCheck: 1,
  badRequest: 2,
  unsupportedExt: 5,
  badIdentity: 7,
  popFailed: 9,
  internalCAError: 11,
  tryLater: 12,
};

/** Stands for the whole request where no part of it can be named (RFC 5272, section 3.2.2). */
const wholeRequest = 0;

/**
 * The DER of a PKIResponse (RFC 5272, section 4.2) with one Extended CMC Status Info. The client's transactionId and
 * nonce come back, the nonce beside a new one of ours (RFC 5272, section 6.6).
 */
export function pkiResponse(
  outcome: CmcOutcome,
  bodyPartId: number | undefined,
  conversation: Conversation | undefined,
): Buffer {
  const { transactionId, senderNonce } = conversation ?? {};
  const controls: readonly (readonly [oid: string, value: Asn1])[] = [
    [oids.statusInfoV2, statusInfo(outcome, bodyPartId ?? wholeRequest)],
    ...(transactionId === undefined ? [] : [[oids.transactionId, embed(transactionId)] as const]),
    ...(senderNonce === undefined
      ? []
      : [
          [oids.recipientNonce, octetString(senderNonce)] as const,
          [oids.senderNonce, octetString(randomBytes(16))] as const,
        ]),
  ];
  const controlSequence = sequence(
    ...controls.map(([oid, value], index) => sequence(integer(index + 1), objectIdentifier(oid), set(value))),
  );
  const cmsSequence = sequence();
  const otherMsgSequence = sequence();
  return toDer(sequence(controlSequence, cmsSequence, otherMsgSequence));
}

/** CMCStatusInfoV2 (RFC 5272, section 6.1.1). */
function statusInfo(outcome: CmcOutcome, bodyPartId: number): Asn1 {
  const bodyList = sequence(integer(bodyPartId));
  switch (outcome.status) {
    case 'success':
      return sequence(integer(statuses.success), bodyList);
    case 'pending': {
      const pendInfo = sequence(octetString(outcome.pendToken), generalizedTime(outcome.pendTime));
      return sequence(integer(statuses.pending), bodyList, utf8String(outcome.statusString), pendInfo);
    }
    case 'failed': {
      const status = outcome.failure === 'noSupport' ? statuses.noSupport : statuses.failed;
      const failInfo = integer(failInfos[outcome.failure]);
      return sequence(integer(status), bodyList, utf8String(outcome.statusString), failInfo);
    }
  }
}

/** Always of this type, in whole seconds. */
function generalizedTime(date: Date): Asn1 {
  const digits = date.toISOString().slice(0, 19).replaceAll(/\D/g, '');
  return primitive(tags.generalizedTime, Buffer.from(`${digits}Z`));
}
