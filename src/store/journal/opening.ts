import type { Database, TransactionalDatabase } from '../database.ts';
import type {
  EnrollmentJournal,
  NewEnrollment,
  OpenedEnrollment,
  PendingLimits,
  RepeatWindow,
} from '../store.ts';
import { madeForOf, type LimitsRow, type Queries, type UnfinishedRow } from './queries.ts';
import { reachedQuota } from './quotas.ts';
import { newId, timeOfId } from './record-id.ts';
import { isPending } from './states.ts';
import { takeUse } from './uses.ts';

/**
 * Opens records. All that the store knows is decided in the one transaction that writes the record: nothing of it can change
 * between the decision and the record.
 */
export function createOpening(database: TransactionalDatabase, queries: Queries): EnrollmentJournal['open'] {
  async function openIn(
    transaction: Database,
    enrollment: NewEnrollment,
    window: RepeatWindow,
    limits: PendingLimits | undefined,
  ): Promise<OpenedEnrollment> {
    const users = await findUsers(transaction, queries, enrollment);
    if (users === undefined) return { state: 'code_removed' };
    const refusal = await objectionTo(transaction, queries, enrollment, window);
    if (refusal !== undefined) return refusal;
    const earlier = await findEarlier(transaction, queries, enrollment.fingerprint, window);
    if (earlier !== undefined && earlier.state !== 'abandoned') return earlier;
    const full = limits && (await reachedLimit(transaction, enrollment, window, limits));
    if (full !== undefined) return { state: 'too_many_pending', of: full };
    const spent = await spend(transaction, enrollment, users, window, earlier?.record);
    if (spent !== undefined) return spent;
    return earlier === undefined
      ? await openNew(transaction, queries, enrollment, window)
      : await openAgain(transaction, earlier.record, enrollment, window);
  }

  return async function open(enrollment, window, limits, until = 'durable') {
    return await database.transaction(
      async (transaction) => await openIn(transaction, enrollment, window, limits),
      ({ state }) => (state === 'opened' ? until : 'durable'),
    );
  };
}

/** The limits of all users whose codes were shown, by id; undefined: one was removed since. */
async function findUsers(
  transaction: Database,
  queries: Queries,
  { users }: NewEnrollment,
): Promise<ReadonlyMap<string, LimitsRow> | undefined> {
  const found = new Map<string, LimitsRow>();
  for (const id of users) {
    const [limits] = (await queries.user(transaction, { id })).rows;
    if (limits === undefined) return undefined;
    found.set(id, limits);
  }
  return found;
}

/** What speaks against the certificates that were shown, or against the key. */
async function objectionTo(
  transaction: Database,
  queries: Queries,
  { certificates, publicKey, isKeyShown, identity, subject }: NewEnrollment,
  { now, pendingSince }: RepeatWindow,
): Promise<Extract<OpenedEnrollment, { readonly state: 'certificate_revoked' | 'key_refused' }> | undefined> {
  for (const { serialNumber, certificate, publicKey: key } of certificates) {
    const shown = { serial_number: serialNumber, certificate, public_key: key };
    if ((await queries.shown(transaction, shown)).rows.length > 0) return { state: 'certificate_revoked' };
  }
  if (publicKey === undefined) return undefined;
  const wanted = {
    ...{ public_key: publicKey, identity, subject },
    ...{ now: now.getTime(), pending_since: pendingSince.getTime() },
  };
  const { rows } = await queries.key(transaction, wanted);
  const objections = rows.map(({ why }) => why);
  if (objections.includes('compromised')) return { state: 'key_refused', why: 'compromised' };
  if (isKeyShown) return undefined;
  if (objections.includes('operator')) return { state: 'key_refused', why: 'operator' };
  return objections.includes('other') ? { state: 'key_refused', why: 'other' } : undefined;
}

/** An unfinished record that nobody handles any more. */
interface AbandonedEnrollment {
  readonly state: 'abandoned';
  readonly record: UnfinishedRow;
}

/** What an earlier enrolment with the same fingerprint means for this one; undefined: there is none that counts. */
export async function findEarlier(
  transaction: Database,
  queries: Queries,
  fingerprint: string,
  window: RepeatWindow,
): Promise<OpenedEnrollment | AbandonedEnrollment | undefined> {
  const [unfinished] = (await queries.unfinished(transaction, { fingerprint })).rows;
  if (unfinished === undefined) {
    const since = window.issuedSince.getTime();
    const [answered] = (await queries.answered(transaction, { fingerprint, since })).rows;
    if (answered === undefined) return undefined;
    const { certificate, code, closed_at: closedAt } = answered;
    const known = { answeredAt: new Date(closedAt ?? 0), ...madeForOf(answered) };
    return certificate === null
      ? { state: 'rejected', code: code ?? 'ca_bad_answer', ...known }
      : { state: 'issued', certificate: Buffer.from(certificate), ...known };
  }
  const made = madeForOf(unfinished);
  const { id, attempt, state, reference, under_way_until: until, closed_at: askedAt } = unfinished;
  if (state === 'pending' && reference !== null && (askedAt ?? 0) >= window.pendingSince.getTime()) {
    return { state, id, attempt, reference, ...made };
  }
  if (state === 'open' && (until ?? 0) >= window.now.getTime()) return { state: 'in_progress', id };
  return { state: 'abandoned', record: unfinished };
}

type SpentState = 'quota_reached' | 'exhausted' | 'expired';

/** Takes quota and a use, or what of it an earlier attempt has given back; gives the refusal when there is none. */
async function spend(
  transaction: Database,
  { alias, quotas, countedUser }: NewEnrollment,
  users: ReadonlyMap<string, LimitsRow>,
  window: RepeatWindow,
  earlier: UnfinishedRow | undefined,
): Promise<Extract<OpenedEnrollment, { readonly state: SpentState }> | undefined> {
  const hasQuota = earlier?.spends === 1 && earlier.state !== 'pending';
  for (const quota of hasQuota ? [] : quotas) {
    const oldest = await reachedQuota(transaction, alias, quota);
    if (oldest !== undefined) return { state: 'quota_reached', quota, oldest };
  }
  const hasUse = earlier !== undefined && earlier.counted_user !== null;
  if (hasUse || countedUser === undefined) return undefined;
  const state = await takeUse(transaction, countedUser, users.get(countedUser), window);
  return state && { state };
}

async function openAgain(
  transaction: Database,
  { id, attempt: last, state, counted_user: user, ...earlier }: UnfinishedRow,
  { requestId, countedUser }: NewEnrollment,
  { now, underWayUntil }: RepeatWindow,
): Promise<OpenedEnrollment> {
  const attempt = last + 1;
  await transaction.kysely
    .updateTable('enrollments')
    .set({
      ...{ state: 'open', request_id: requestId, opened_at: now.getTime() },
      ...{ attempt, under_way_until: underWayUntil.getTime() },
      ...{ spends: 1, counted_user: user ?? countedUser ?? null },
      // Nobody knows what became of it.
      ...(state === 'open' && { in_doubt: 1 }),
    })
    .where('id', '=', id)
    .execute();
  return { state: 'opened', id, attempt, attemptedSince: timeOfId(id), ...madeForOf(earlier) };
}

/** Whose limit of pending requests is reached; undefined: one more may wait. */
async function reachedLimit(
  transaction: Database,
  { alias, identity }: NewEnrollment,
  { pendingSince }: RepeatWindow,
  { perIdentity, perAlias }: PendingLimits,
): Promise<'identity' | 'alias' | undefined> {
  const pending = await transaction.kysely
    .selectFrom('enrollments')
    .select(({ fn }) => [
      fn.countAll().as('all'),
      fn.countAll().filterWhere('identity', '=', identity).as('own'),
    ])
    .where('alias', '=', alias)
    .where('closed_at', '>=', pendingSince.getTime())
    .where(isPending)
    .executeTakeFirstOrThrow();
  if (Number(pending.own) >= perIdentity) return 'identity';
  return Number(pending.all) >= perAlias ? 'alias' : undefined;
}

async function openNew(
  transaction: Database,
  queries: Queries,
  enrollment: NewEnrollment,
  { now, underWayUntil }: RepeatWindow,
): Promise<OpenedEnrollment> {
  const id = newId(now);
  await queries.insert(transaction, {
    id,
    fingerprint: enrollment.fingerprint,
    request_id: enrollment.requestId,
    alias: enrollment.alias,
    operation: enrollment.operation,
    identity: enrollment.identity,
    subject: enrollment.subject,
    // No key has an empty hash.
    public_key: enrollment.publicKey ?? '',
    counted_user: enrollment.countedUser ?? null,
    quota_key: enrollment.client,
    registration_authority: enrollment.registrationAuthority ?? null,
    terms: enrollment.madeFor.terms,
    made_how: enrollment.madeFor.how,
    opened_at: now.getTime(),
    attempt: 1,
    under_way_until: underWayUntil.getTime(),
  });
  return { state: 'opened', id, attempt: 1 };
}
