import type { CmcFailure, EstError, EstErrorCode } from '../errors.ts';
import type { Conversation } from '../pkix/cmc-request.ts';
import { pkiResponse, type CmcOutcome } from '../pkix/cmc-response.ts';
import { namesEqual } from '../pkix/names.ts';
import { oids } from '../pkix/oids.ts';
import type { FullCmc } from './alias.ts';
import type { EnrollmentOutcome } from './enrollment-jobs.ts';
import type { Content, EstRequest, EstResponse } from './message.ts';

/** To what an answer belongs, as far as it could be read. */
export interface AnswerTo {
  readonly conversation?: Conversation;
  /** The part of the request that asks. */
  readonly bodyPartId?: number;
}

const mediaType = 'application/pkcs7-mime; smime-type=CMC-response';

/** The answer to a request that the CA took: the certificate with its chain, or 202 with a pending status. */
export async function answered(
  request: EstRequest,
  fullCmc: FullCmc,
  answerTo: AnswerTo,
  outcome: EnrollmentOutcome,
): Promise<EstResponse> {
  if (outcome.status === 'pending') {
    const content = await signed(fullCmc, answerTo, pending(request, outcome.retryAfter), []);
    return { status: 'accepted', retryAfter: outcome.retryAfter, content };
  }
  if (outcome.fullPkiResponse !== undefined) {
    return { status: 'ok', mediaType, body: outcome.fullPkiResponse };
  }
  const { certificates } = await request.alias.caCertificates.current(request.signal);
  // With what leads to a trust anchor, but not the anchor itself (RFC 5272, section 4.1).
  const intermediates = certificates.filter(({ issuer, subject }) => !namesEqual(issuer, subject));
  const all = [outcome.certificate, ...intermediates.map(({ der }) => der)];
  const content = await signed(fullCmc, answerTo, { status: 'success' }, all);
  return { status: 'ok', ...content };
}

/** The answer to a request that was refused, or that failed at the CA. */
export async function refused(
  request: EstRequest,
  fullCmc: FullCmc,
  answerTo: AnswerTo,
  error: EstError,
): Promise<EstResponse> {
  const statusString = `${error.sentence} (request ${request.id})`;
  const outcome: CmcOutcome = { status: 'failed', statusString, failure: failureOf(error) };
  return { status: 'refused', error, content: await signed(fullCmc, answerTo, outcome, []) };
}

/** RFC 5272, section 6.13 has a query for it; here the client repeats its request, as with simpleenroll. */
function pending({ id, receivedAt }: EstRequest, retryAfter: number): CmcOutcome {
  return {
    status: 'pending',
    statusString: `The request waits for the CA; send it again after pendTime. (request ${id})`,
    pendToken: Buffer.from(id),
    pendTime: new Date(receivedAt.getTime() + retryAfter * 1000),
  };
}

const failures: Partial<Record<EstErrorCode, CmcFailure>> = {
  channel_binding_mismatch: 'popFailed',
  too_many_requests: 'tryLater',
  ca_unavailable: 'tryLater',
  ca_timeout: 'tryLater',
  policy_unavailable: 'tryLater',
  ca_bad_answer: 'internalCAError',
  internal: 'internalCAError',
};

function failureOf({ cmcFailure, code }: EstError): CmcFailure {
  return cmcFailure ?? failures[code] ?? 'badRequest';
}

async function signed(
  { signer }: FullCmc,
  { bodyPartId, conversation }: AnswerTo,
  outcome: CmcOutcome,
  certificates: readonly Buffer[],
): Promise<Content> {
  const content = pkiResponse(outcome, bodyPartId, conversation);
  return { mediaType, body: await signer.sign(oids.pkiResponse, content, certificates) };
}
