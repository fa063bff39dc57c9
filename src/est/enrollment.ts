import { isLinked } from '../auth/channel-binding.ts';
import type { EnrollmentRequest, EnrollmentResult } from '../ca/ca.ts';
import { forbiddenChanges, type NameChange } from '../pkix/name-changes.ts';
import { EstError, toEstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { giveWay } from '../ops/give-way.ts';
import { readCertificate } from '../pkix/certificate.ts';
import { certsOnly } from '../pkix/cms.ts';
import { identifierOfNames } from '../pkix/names-identifier.ts';
import type { CertificationRequest } from '../pkix/pkcs10.ts';
import { describeNames } from '../pkix/requested-names.ts';
import type { AskedEnrollment } from '../policy/asked-enrollment.ts';
import { codeSpent, repeatWindowOf } from '../policy/enrollment-record.ts';
import { examine, examineAsNew } from '../policy/examination.ts';
import { keyRefused } from '../policy/key-holder.ts';
import { quotaReached } from '../policy/quota.ts';
import type { NewEnrollment, OpenedEnrollment } from '../store/store.ts';
import { inTime, type EnrollmentOutcome } from './enrollment-jobs.ts';
import { checkFullPkiResponse, compareIssuedCertificate } from './issued-certificate.ts';
import type { Content, EstRequest, EstResponse } from './message.ts';
import { rejectedBefore, rejectIssued, withdrawSurplus } from './rejected-certificate.ts';

/** Seconds until asking again makes sense while the same request is being handled elsewhere. */
const retryWhileInProgress = 2;

/**
 * What the enrolling operations share: examine the request, look for an earlier one that was the same, record this one,
 * ask the CA, check its answer, record the outcome. So every certificate is known before the client gets it, and a
 * repeat after a lost reply gets the same one.
 */
export async function enroll(
  request: EstRequest,
  asked: AskedEnrollment<CertificationRequest>,
): Promise<EnrollmentOutcome> {
  return await guarded(request, asked.identity, async () => {
    for (;;) {
      const begun = await begin(request, asked);
      if (begun.status !== 'begun') return begun;
      const outcome = await askCa(begun.request, begun.record, asked);
      if (outcome.status === 'pending' || (await isGood(begun.request, begun.record, outcome.certificate)))
        return outcome;
    }
  });
}

/**
 * Whether what the CA has issued is an answer: what an earlier attempt has got, which was lost in a crash, may be revoked or
 * over by now. The journal has it then, so that the request begins anew as after any such answer.
 */
export async function isGood(
  { alias, receivedAt, signal }: EstRequest,
  record: UnfinishedEnrollment,
  certificate: Buffer,
): Promise<boolean> {
  if (!wasAttempted(record)) return true;
  return (await alias.standingOf(readCertificate(certificate), receivedAt, signal)) === 'good';
}

/** Whether the CA may have issued before. */
function wasAttempted(record: UnfinishedEnrollment): boolean {
  return record.state === 'pending' || record.attemptedSince !== undefined;
}

/** Where the CA checks the code of the client, who guesses is held off before anything is spent. */
export async function guarded<Outcome extends { readonly status: 'issued' | 'pending' }>(
  { alias, credentials }: EstRequest,
  { claim }: ClientIdentity,
  ask: () => Promise<Outcome>,
): Promise<Outcome> {
  return claim === undefined ? await ask() : await alias.guardClaim(claim, credentials.address, ask);
}

/** A record that waits for the CA's word. */
export type UnfinishedEnrollment = Extract<OpenedEnrollment, { readonly state: 'opened' | 'pending' }>;

/** A request of which the CA is to be asked. */
export interface BegunEnrollment {
  readonly status: 'begun';
  readonly record: UnfinishedEnrollment;
  /** At the CA and by the profile that the record was made for, which may be others than those of the alias by now. */
  readonly request: EstRequest;
}

/** Examines and records the request, unless an earlier one that was the same says what becomes of it. */
export async function begin(
  request: EstRequest,
  asked: AskedEnrollment,
): Promise<EnrollmentOutcome | BegunEnrollment> {
  request.annotate({
    ...describeNames(asked.names),
    registrationAuthority: asked.identity.registrationAuthority?.name,
  });
  const compared = await examine(request, asked);
  refuseIfOver(request);
  const opened = await openRecord(request, compared.record);
  if (opened.state === 'opened') {
    await beforeCa(request, opened, async () => {
      refuseIfOver(request);
      const isNew = opened.attemptedSince === undefined;
      if (compared.isRepeat && isNew) await examineAsNew(request, compared);
    });
  }
  switch (opened.state) {
    case 'issued':
      request.annotate({ repeated: true, serialNumber: readCertificate(opened.certificate).serialNumber });
      return { status: 'issued', certificate: opened.certificate };
    case 'rejected':
      throw rejectedBefore();
    case 'in_progress': {
      const job = request.jobs.find(opened.id);
      if (job === undefined) return { status: 'pending', retryAfter: retryWhileInProgress };
      request.annotate({ repeated: true });
      return await inTime(job, request.signal);
    }
    case 'certificate_revoked':
      throw revokedMeanwhile();
    case 'key_refused':
      throw keyRefused(opened.why);
    case 'code_removed':
    case 'exhausted':
    case 'expired':
      throw codeSpent(opened.state);
    case 'quota_reached':
      throw quotaReached(opened.quota, opened.oldest);
    case 'too_many_pending':
      throw tooManyPending(opened.of);
    case 'opened':
    case 'pending':
      return { status: 'begun', record: opened, request: await asMade(request, opened) };
  }
}

/** Throws `ca_unavailable` where the CA that has the record's request is not in the configuration any more. */
async function asMade(request: EstRequest, record: UnfinishedEnrollment): Promise<EstRequest> {
  const { alias, log, id } = request;
  const { madeFor } = record;
  if (madeFor === undefined || madeFor.terms === alias.madeFor.terms) return request;
  try {
    const issuer = await alias.issuerAsMade(madeFor.how);
    if (issuer !== undefined) return { ...request, alias: { ...alias, ...issuer } };
  } catch (thrown) {
    throw await recordFailure(request, record, thrown);
  }
  log.error(
    'A request waits at a CA, or may have been issued there, that the configuration does not have any more.',
    {
      requestId: id,
      alias: alias.name,
      record: record.id,
      madeFor: madeFor.how,
      advice:
        'Configure the backend and its profile again until the client has its answer, or run "est-gateway enrollments forget" with the record.',
    },
  );
  const gone = new EstError('ca_unavailable', 'The CA of an earlier request is not configured any more.', {
    retryAfter: retryWhileGone,
  });
  throw await recordFailure(request, record, gone);
}

/** Seconds until an operator may have looked. */
const retryWhileGone = 300;

/**
 * What the journal knows of the request, which it records if there is nothing. A certificate that is no longer good, or that
 * the alias would issue in another way now, is no answer: then the request is a new one, which costs a use of a code and quota.
 * Throws `rejected_by_ca` where its holder is not to have another one.
 */
async function openRecord(request: EstRequest, record: NewEnrollment): Promise<OpenedEnrollment> {
  const { alias, journal, receivedAt, signal } = request;
  let window = repeatWindowOf(request);
  for (;;) {
    const opened = await journal.open(
      record,
      window,
      // Only a CA that can be asked again lets requests wait.
      alias.ca.resume === undefined ? undefined : request.pending,
      alias.ca.issuesInStore === true ? 'written' : 'durable',
    );
    if (opened.state !== 'issued' && opened.state !== 'rejected') return opened;
    const { madeFor = alias.madeFor, answeredAt } = opened;
    const isAlike = madeFor.terms === alias.madeFor.terms;
    if (opened.state === 'issued') {
      const standing = await alias.standingOf(readCertificate(opened.certificate), receivedAt, signal);
      if (standing === 'withdrawn') throw withdrawn();
      if (standing === 'good' && isAlike) return opened;
    } else if (isAlike) return opened;
    window = { ...window, issuedSince: new Date(answeredAt.getTime() + 1) };
  }
}

/** What was asked of others before a request is recorded must not be older than a request may be. */
function refuseIfOver({ signal }: EstRequest): void {
  if (!signal.aborted) return;
  throw new EstError('ca_timeout', 'The examination took as long as the request may take in all.', {
    cause: signal.reason,
  });
}

function revokedMeanwhile(): EstError {
  return new EstError(
    'forbidden',
    'A certificate by which the request is made is not accepted: it is revoked, or its key has been compromised.',
  );
}

function withdrawn(): EstError {
  return new EstError(
    'rejected_by_ca',
    'The certificate of this request was revoked, and its holder may not have another one; ask the operator of the CA.',
  );
}

/** Makes what the CA is asked with. When that fails nothing was asked of it: the record is closed, and a use given back. */
export async function beforeCa<Made>(
  { journal }: EstRequest,
  record: UnfinishedEnrollment,
  make: () => Promise<Made>,
): Promise<Made> {
  try {
    return await make();
  } catch (thrown) {
    const error = toEstError(thrown);
    await (wasAttempted(record)
      ? journal.nothingIssued(record, error.code, new Date())
      : journal.refused(record, error.code, new Date()));
    throw error;
  }
}

/** Asks the CA, and records what it says; one that has a deadline of its own also when the request is over before. */
export async function askCa(
  request: EstRequest,
  opened: UnfinishedEnrollment,
  asked: AskedEnrollment<CertificationRequest>,
): Promise<EnrollmentOutcome> {
  const { deadline } = request.alias.ca;
  if (deadline === undefined) return await askAndRecord(request, opened, asked);
  const job = request.jobs.run(
    opened.id,
    deadline,
    async (signal) => await askAndRecord({ ...request, signal }, opened, asked),
  );
  return await inTime(job, request.signal);
}

async function askAndRecord(
  request: EstRequest,
  opened: UnfinishedEnrollment,
  asked: AskedEnrollment<CertificationRequest>,
): Promise<EnrollmentOutcome> {
  try {
    const result = await answerOfCa(request, opened, asked);
    if (result.status === 'pending') {
      if (asked.operation === 'serverkeygen') throw cannotWait();
      await request.journal.pending(opened, result.reference, new Date());
      return result;
    }
    const certificate = await recordIssued(request, opened, asked, result);
    const isAnswer = certificate.equals(result.certificate);
    return { status: 'issued', certificate, ...(isAnswer && { fullPkiResponse: result.fullPkiResponse }) };
  } catch (thrown) {
    throw await recordFailure(request, opened, thrown);
  }
}

/**
 * Believes what the CA says it has issued if it can be, records it, and gives it, DER; or the certificate that another attempt has
 * got for the same request before. Throws `ca_bad_answer`, and `ca_timeout` where it came too late.
 */
export async function recordIssued(
  request: EstRequest,
  opened: UnfinishedEnrollment,
  asked: AskedEnrollment<CertificationRequest>,
  answer: Omit<Extract<EnrollmentResult, { readonly status: 'issued' }>, 'status'>,
): Promise<Buffer> {
  const { certificates } = await request.alias.caCertificates.current(request.signal);
  const { csr, names } = asked;
  await giveWay(csr.der.length);
  const registeredChanges = forbiddenChanges(
    answer.registeredChanges ?? [],
    request.alias.issuedNames ?? ['reorderedSubject'],
  );
  const approved = { csr, names, allowedChanges: allowedChanges(request, asked), registeredChanges };
  const now = wasAttempted(opened) ? undefined : request.receivedAt;
  const compared = compareIssuedCertificate(answer.certificate, approved, certificates, now);
  if (compared.state === 'other') throw await rejectIssued(request, opened, asked, compared);
  const issued = compared.certificate;
  if (answer.fullPkiResponse !== undefined) checkFullPkiResponse(answer.fullPkiResponse, issued);
  const { der, serialNumber, notAfter } = issued;
  const { sha256: publicKey } = csr.publicKey;
  const outcome = await request.journal.issued(
    opened.id,
    { certificate: der, serialNumber, notAfter, publicKey, names: identifierOfNames(issued) },
    new Date(),
  );
  if (outcome.state === 'surplus') return await withdrawSurplus(request, asked, issued, outcome.recorded);
  request.annotate({ serialNumber });
  return der;
}

/** How the CA may change the names: as the alias says, else as is its nature. */
function allowedChanges(
  { alias }: EstRequest,
  { identity, renewed, names }: AskedEnrollment,
): readonly NameChange[] {
  return alias.issuedNames ?? alias.ca.nameChanges?.({ identity, renewed, ...names }) ?? [];
}

/** Records that nothing came of it, and gives what to throw. */
export async function recordFailure(
  { journal }: EstRequest,
  record: UnfinishedEnrollment,
  thrown: unknown,
): Promise<EstError> {
  const error = toEstError(thrown);
  const outcome = isFinal(error) ? 'refused' : error.nothingIssued ? 'nothingIssued' : 'failed';
  await journal[outcome](record, error.code, new Date());
  return error;
}

/** A CA that has lost `resume`, since it was configured anew, is asked as at first; the idempotency key is the same. */
async function answerOfCa(
  request: EstRequest,
  opened: UnfinishedEnrollment,
  asked: AskedEnrollment<CertificationRequest>,
): Promise<EnrollmentResult> {
  const { ca } = request.alias;
  const { fullPkiRequest } = asked;
  const caRequest = toCaRequest(request, asked, opened);
  if (opened.state === 'pending' && ca.resume !== undefined) {
    return await ca.resume(opened.reference, caRequest, request.signal);
  }
  if (fullPkiRequest !== undefined && ca.fullCmc !== undefined) {
    return await ca.fullCmc(caRequest, fullPkiRequest, request.signal);
  }
  return await ca.enroll(caRequest, request.signal);
}

/** Seconds until some requests that wait may have been decided. */
const retryWhileFull = 300;

/** The client's own fault, or nobody's. */
function tooManyPending(of: 'identity' | 'alias'): EstError {
  const options = { retryAfter: retryWhileFull };
  if (of === 'alias') return new EstError('overloaded', 'Too many requests wait for the CA.', options);
  return new EstError(
    'too_many_requests',
    'Too many requests of this client wait for the CA already; repeat those until they are decided.',
    options,
  );
}

/** A key that the gateway makes is stored nowhere, so that it would be lost with the answer 202. */
export function cannotWait(): EstError {
  return new EstError(
    'rejected_by_ca',
    'The CA decides on this request later, and a key that is made here cannot wait; use simpleenroll with a key of your own.',
  );
}

/** A refusal by the CA; after any other failure nobody knows whether the CA issued. */
function isFinal(error: EstError): boolean {
  return error.status < 500;
}

/** Only the issued certificate, not its chain (RFC 7030, section 4.2.3). */
export function certificateContent(certificate: Buffer): Content {
  return { mediaType: 'application/pkcs7-mime; smime-type=certs-only', body: certsOnly([certificate]) };
}

/** The answer to an enrolment. */
export function enrolled(outcome: EnrollmentOutcome): EstResponse {
  if (outcome.status === 'pending') return { status: 'accepted', retryAfter: outcome.retryAfter };
  return { status: 'ok', ...certificateContent(outcome.certificate) };
}

/** What the CA is asked. */
export function toCaRequest(
  request: EstRequest,
  asked: AskedEnrollment<CertificationRequest>,
  opened: UnfinishedEnrollment,
): EnrollmentRequest {
  const { operation, identity, renewed, csr, names } = asked;
  return {
    requestId: request.id,
    idempotencyKey: opened.id,
    alias: request.alias.name,
    operation,
    renewed,
    identity,
    csr,
    linked: isLinked(csr) && identity.registrationAuthority?.foreignLinking !== true,
    subject: names.subject,
    subjectAltName: names.subjectAltName,
    keyUsage: csr.keyUsage,
    extendedKeyUsage: csr.extendedKeyUsage,
    profile: request.alias.profile,
    attemptedSince: opened.state === 'opened' ? opened.attemptedSince : undefined,
    repeatsSince: repeatWindowOf(request).issuedSince,
    allowedChanges: allowedChanges(request, asked),
  };
}
