import { EstError, toEstError } from '../../../errors.ts';
import type { Attempt } from '../../../store/store.ts';
import type { EnrollmentRequest } from '../../ca.ts';
import type { EnrollmentAnswer } from '../calls.ts';
import { approvalIn, outcomeOf } from '../refusal.ts';
import {
  generatedEndEntity,
  newEndEntity,
  revokedEndEntity,
  type RegisteredEndEntity,
} from '../web-service.ts';
import {
  beforeOf,
  findEndEntity,
  findSurely,
  inDoubt,
  mayBeUnderWay,
  newPassword,
  searchForRequest,
  type Before,
  type EnrollmentParts,
} from './enrollment-parts.ts';
import {
  endEntityRevoked,
  issueOnce,
  searchFailed,
  type EndEntitySteps,
  type SearchOutcome,
} from './exactly-once.ts';
import { issuedForLostRecord } from './lost-record.ts';
import { requestCertificate } from './request-outcome.ts';

/** The end entity that a request is for. */
export interface Target {
  readonly username: string;
  /** Whether the certificate has the names of the request, not those of an earlier registration. */
  readonly withNames: boolean;
  /** Whether it must be NEW, since somebody has registered it for one certificate. */
  readonly onlyWhenNew: boolean;
  /** What it shall be like, by what there was before. Throws `EstError` where it must stay as it is. */
  readonly toRegister: (existing: RegisteredEndEntity | undefined) => Omit<RegisteredEndEntity, 'status'>;
}

/** Registers the end entity for this request alone, and gives its one certificate. */
export async function enrollRegistered(
  parts: EnrollmentParts,
  request: EnrollmentRequest,
  target: Target,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { attempts } = parts;
  const { idempotencyKey: record, requestId, attemptedSince } = request;
  const latest = await attempts.latest(record);
  const wait = latest === undefined ? 0 : mayBeUnderWay(parts, latest);
  if (latest?.password === '' && wait > 0) throw inDoubt(wait);
  const { endEntity, earlier } = await askingForNothing(async () => {
    const found = await findEndEntity(parts, target.username, requestId, signal);
    return {
      endEntity: found,
      earlier:
        latest === undefined
          ? await lookBefore(parts, request, target, found, signal)
          : { before: beforeOf<RegisteredEndEntity>(latest), lost: undefined },
    };
  });
  if (earlier.lost !== undefined) return { status: 'issued', certificate: earlier.lost };
  const since = attemptedSince ?? new Date();
  const task = { request, target, before: earlier.before, since, latest, isEarlierUnderWay: wait > 0 };
  return await endingAttempts(parts, record, issue(parts, task, endEntity, signal));
}

/** What fails while nothing is asked for issues nothing. */
async function askingForNothing<Found>(look: () => Promise<Found>): Promise<Found> {
  try {
    return await look();
  } catch (error) {
    throw toEstError(error).with({ nothingIssued: true });
  }
}

async function issue(
  parts: EnrollmentParts,
  task: Task,
  endEntity: RegisteredEndEntity | undefined,
  signal: AbortSignal,
): Promise<EnrollmentAnswer> {
  const { target, before } = task;
  const isRepeat = task.request.attemptedSince !== undefined;
  if (isRepeat && target.onlyWhenNew && endEntity !== undefined && endEntity.status !== newEndEntity) {
    // Nothing is issued to it any more, unless an earlier attempt has got it.
    const result = await search(parts, task, signal);
    if (result.state === 'found') return { status: 'issued', certificate: result.certificate };
    if (result.state === 'unknown') throw searchFailed();
    target.toRegister(endEntity);
  }
  const fields = target.toRegister(before.endEntity);
  if (endEntity?.status === revokedEndEntity) throw endEntityRevoked();
  return await issueOnce(stepsFor(parts, task, fields, signal), isRepeat);
}

/** Once the outcome is known, the passwords are of no more use. */
export async function endingAttempts(
  { attempts }: Pick<EnrollmentParts, 'attempts'>,
  record: string,
  outcome: Promise<EnrollmentAnswer>,
): Promise<EnrollmentAnswer> {
  try {
    const answer = await outcome;
    if (answer.status === 'issued') await attempts.end(record);
    return answer;
  } catch (error) {
    if (error instanceof EstError && error.status < 500) await attempts.end(record);
    throw error;
  }
}

/** What there is before the first attempt of a record. `lost`: the certificate of a record that the journal has lost. */
async function lookBefore(
  parts: EnrollmentParts,
  request: EnrollmentRequest,
  { withNames }: Target,
  endEntity: RegisteredEndEntity | undefined,
  signal: AbortSignal,
): Promise<{ readonly before: Before<RegisteredEndEntity>; readonly lost: Buffer | undefined }> {
  const { csr, attemptedSince } = request;
  if (endEntity === undefined) return { before: { serialNumbers: [] }, lost: undefined };
  // What is there now may be what an earlier attempt has got.
  if (attemptedSince !== undefined) return { before: { endEntity, serialNumbers: [] }, lost: undefined };
  const found = await findSurely(
    parts,
    async () => await parts.calls.findCertificates(endEntity.username, undefined, signal),
    ({ length }) => length === 0,
    signal,
  );
  const ofKey = found.filter(({ certificate }) => certificate.spki.equals(csr.publicKey.spki));
  const serialNumbers = ofKey.map(({ certificate }) => certificate.serialNumber);
  const lost = await issuedForLostRecord(parts, { request, withNames }, ofKey);
  return { before: { endEntity, serialNumbers }, lost };
}

interface Task {
  readonly request: EnrollmentRequest;
  readonly target: Target;
  readonly before: Before<RegisteredEndEntity>;
  /** When the first attempt began. */
  readonly since: Date;
  readonly latest: Attempt | undefined;
  readonly isEarlierUnderWay: boolean;
}

async function search(
  parts: EnrollmentParts,
  { request, target: { username, withNames }, before: { serialNumbers }, since }: Task,
  signal: AbortSignal,
): Promise<SearchOutcome<Buffer>> {
  return await searchForRequest(parts, { username, withNames, request, since, serialNumbers }, signal);
}

const rulesToDelete = ['/ra_functionality/revoke_end_entity/', '/ra_functionality/delete_end_entity/'];

function stepsFor(
  parts: EnrollmentParts,
  task: Task,
  fields: Omit<RegisteredEndEntity, 'status'>,
  signal: AbortSignal,
): EndEntitySteps<Buffer> {
  const { webService, attempts, log, backend } = parts;
  const { request, before, isEarlierUnderWay } = task;
  const { requestId, idempotencyKey: record } = request;
  const { username } = task.target;

  async function edit(
    endEntity: Omit<RegisteredEndEntity, 'status'>,
    status: number,
    password: string,
  ): Promise<void> {
    await webService.editEndEntity({ ...endEntity, status, password }, requestId, signal);
  }

  /** The certificate, or the refusal, is there in any case. */
  async function tidy(endEntity: Omit<RegisteredEndEntity, 'status'>, status: number): Promise<void> {
    await edit(endEntity, status, newPassword()).catch((error: unknown) => {
      log.warn('An end entity stays registered in EJBCA, with a password that nobody knows.', {
        backend,
        requestId,
        username,
        error,
      });
    });
  }

  /** One that was registered for this request alone is closed where the gateway may not delete it. */
  async function isDeleted(): Promise<boolean> {
    try {
      if ((await webService.missingRules(rulesToDelete, signal)).length > 0) return false;
      await webService.deleteEndEntity({ ...fields, status: generatedEndEntity }, requestId, signal);
      return true;
    } catch (error) {
      if (!(error instanceof EstError)) throw error;
      return false;
    }
  }

  return {
    async begin() {
      const attempt = { username, password: newPassword(), before: JSON.stringify(before) };
      return await attempts.begin(record, attempt, new Date());
    },
    isEarlierUnderWay,
    async isLatest({ number }) {
      return (await attempts.latest(record))?.number === number;
    },
    async register(password) {
      try {
        await edit(fields, newEndEntity, password);
        return { state: 'registered' };
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === 'waitsForApproval') return { state: 'waiting', requestId: approvalIn(error) };
        if (outcome !== 'approvalExists') throw error;
        if (task.latest === undefined) throw waitsForOther();
        // The one that waits has the password of the attempt before.
        await attempts.begin(record, task.latest, new Date());
        return { state: 'waiting', requestId: undefined };
      }
    },
    search: async () => await search(parts, task, signal),
    async request(password) {
      return await requestCertificate(parts, request, { username, code: password }, signal);
    },
    async finish() {
      await tidy(fields, generatedEndEntity);
    },
    async undo() {
      const { endEntity } = before;
      if (endEntity === undefined && (await isDeleted())) return;
      await tidy(endEntity ?? fields, endEntity?.status ?? generatedEndEntity);
    },
  };
}

/** Seconds after which a person may have decided. */
const retryWhileUndecided = 300;

/** EJBCA takes no second registration while one waits. */
function waitsForOther(): EstError {
  return new EstError('ca_unavailable', 'Another registration of the end entity waits for approval.', {
    retryAfter: retryWhileUndecided,
  });
}
