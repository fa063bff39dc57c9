import { pipeline, Transform } from 'node:stream';
import type { RelayedEnrollment } from '../ca/ca.ts';
import { EstError } from '../errors.ts';
import {
  begin,
  enroll,
  enrolled,
  recordFailure,
  recordIssued,
  toCaRequest,
  type UnfinishedEnrollment,
} from './enrollment.ts';
import type { EstRequest, EstResponse } from './message.ts';
import type { PermittedEnrollment } from './permitted-enrollment.ts';

/** Octets of a relayed answer: a certificate with its chain is far smaller. */
const longestAnswer = 1_048_576;

/**
 * The answer to an enrolment: the certificate, as `enroll` gives it, or where the CA's answers are relayed its own octets.
 * Then their end is held back until the certificate in them is checked and recorded, so that it is known before the
 * client has it here too.
 */
export async function enrollAndAnswer(
  request: EstRequest,
  permitted: PermittedEnrollment,
): Promise<EstResponse> {
  const { relay } = request.alias.ca;
  if (relay?.operations.has(permitted.operation) !== true) return enrolled(await enroll(request, permitted));
  const begun = await begin(request, permitted);
  if (begun.status !== 'begun') return enrolled(begun);
  const { record } = begun;
  try {
    const reference = record.state === 'pending' ? record.reference : undefined;
    const signal = AbortSignal.any([request.signal, request.clientGone()]);
    const result = await relay.enroll(toCaRequest(request, permitted, record), reference, signal);
    if (result.status === 'pending') {
      await request.journal.pending(record.id, result.reference, new Date());
      return enrolled(result);
    }
    const { headers } = result.answer;
    return { status: 'relayed', answer: { headers, body: recorded(request, record, permitted, result) } };
  } catch (thrown) {
    throw await recordFailure(request, record, thrown);
  }
}

/** The body, whose end comes when the journal is complete; it fails when the certificate cannot be believed. */
function recorded(
  request: EstRequest,
  record: UnfinishedEnrollment,
  permitted: PermittedEnrollment,
  { answer, certificateIn }: Extract<RelayedEnrollment, { readonly status: 'relayed' }>,
): Transform {
  const chunks: Buffer[] = [];
  let length = 0;
  let isRecorded = false;

  async function complete(): Promise<void> {
    await recordIssued(request, record, permitted, { certificate: certificateIn(Buffer.concat(chunks)) });
    isRecorded = true;
  }

  const held = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const earlier = chunks.at(-1);
      chunks.push(chunk);
      length += chunk.length;
      if (length > longestAnswer) done(new EstError('ca_bad_answer', 'The answer of the CA is too large.'));
      else done(null, earlier);
    },
    flush(done) {
      complete().then(() => {
        done(null, chunks.at(-1));
      }, done);
    },
    destroy(error, done) {
      if (error === null || isRecorded) done(error);
      else recordFailure(request, record, error).then(done, done);
    },
  });
  return pipeline(answer.body, held, () => undefined);
}
