import { Readable } from 'node:stream';
import { EstError } from '../errors.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import type { AskedEnrollment } from '../policy/asked-enrollment.ts';
import {
  askCa,
  begin,
  type BegunEnrollment,
  enroll,
  enrolled,
  isGood,
  recordFailure,
  recordIssued,
  toCaRequest,
} from './enrollment.ts';
import type { EstRequest, EstResponse } from './message.ts';

/** Octets of a relayed answer: a certificate with its chain is far smaller. */
const longestAnswer = 1_048_576;

/**
 * The answer to an enrolment: the certificate, as `enroll` gives it, or where the CA's answers are relayed its own octets.
 * Then all of them are held back until the certificate in them is checked and recorded, so that it is known before the
 * client has it here too, whose first octets may hold all that matters of it.
 */
export async function enrollAndAnswer(
  request: EstRequest,
  asked: AskedEnrollment<CertificationRequest>,
): Promise<EstResponse> {
  const { relay } = request.alias.ca;
  if (relay?.operations.has(asked.operation) !== true) return enrolled(await enroll(request, asked));
  const begun = await begin(request, asked);
  if (begun.status !== 'begun') return enrolled(begun);
  return await relayAndAnswer(begun, asked, async () => await enrollAndAnswer(request, asked));
}

/** `again` is called where what an earlier attempt has got is no answer. */
async function relayAndAnswer(
  { request, record }: BegunEnrollment,
  asked: AskedEnrollment<CertificationRequest>,
  again: () => Promise<EstResponse>,
): Promise<EstResponse> {
  const { relay } = request.alias.ca;
  if (relay?.operations.has(asked.operation) !== true) {
    const outcome = await askCa(request, record, asked);
    const isAnswer = outcome.status === 'pending' || (await isGood(request, record, outcome.certificate));
    return isAnswer ? enrolled(outcome) : await again();
  }
  try {
    const reference = record.state === 'pending' ? record.reference : undefined;
    const signal = AbortSignal.any([request.signal, request.clientGone()]);
    const result = await relay.enroll(toCaRequest(request, asked, record), reference, signal);
    if (result.status === 'pending') {
      await request.journal.pending(record, result.reference, new Date());
      return enrolled(result);
    }
    const { headers, body } = result.answer;
    const octets = await whole(body);
    const certificate = result.certificateIn(octets);
    const recorded = await recordIssued(request, record, asked, { certificate });
    if (await isGood(request, record, recorded)) {
      return recorded.equals(certificate)
        ? { status: 'relayed', answer: { headers, body: Readable.from([octets]) } }
        : enrolled({ status: 'issued', certificate: recorded });
    }
  } catch (thrown) {
    throw await recordFailure(request, record, thrown);
  }
  return await again();
}

/** The whole body. Throws `ca_bad_answer` when it is too large. */
async function whole(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > longestAnswer) throw new EstError('ca_bad_answer', 'The answer of the CA is too large.');
  }
  return Buffer.concat(chunks);
}
