import { createHash } from 'node:crypto';
import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import { nameToString } from '../pkix/names.ts';
import type { Check } from '../policy/check.ts';
import type { NewEnrollment, Quota, RepeatWindow } from '../store/store.ts';
import type { Alias } from './alias.ts';
import type { EstRequest } from './message.ts';
import type { PermittedEnrollment } from './permitted-enrollment.ts';

/** When and where something is asked for, and how the journal looks back then. */
export interface AskedFor extends Pick<
  EstRequest,
  'id' | 'receivedAt' | 'repeatWindow' | 'deadline' | 'pending'
> {
  readonly alias: Pick<Alias, 'name' | 'policy'>;
}

/** What the journal gets to know of a request. */
export function recordOf(asked: AskedFor, permitted: PermittedEnrollment): NewEnrollment {
  const { id, alias } = asked;
  const { operation, identity, csr, names } = permitted;
  const subject = nameToString(names.subject);
  return {
    fingerprint: fingerprintOf(alias.name, permitted),
    requestId: id,
    alias: alias.name,
    operation,
    identity: identity.key,
    subject,
    publicKey: csr.publicKey.sha256,
    countedUser: countedUser(permitted),
    ...quotaOf(asked, permitted, subject),
  };
}

/** What makes two requests the same, though signature, attributes or TLS session differ (RFC 7030, section 4.2.3). */
function fingerprintOf(alias: string, { operation, identity, csr, names }: PermittedEnrollment): string {
  const parts = [
    identity.key,
    alias,
    operation,
    csr.publicKey.sha256,
    names.subject.der.toString('hex'),
    names.subjectAltName.map(({ der }) => der.toString('hex')).sort(),
    csr.extensions.map(({ oid, value }) => [oid, value.toString('hex')]).sort(),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function countedUser({ otpUser, identity }: PermittedEnrollment): string | undefined {
  const user = otpUser ?? identity.user;
  return user?.isLimited === true ? user.name : undefined;
}

/**
 * A certificate is another one after each renewal, so who shows nothing else is known by the subject; a registration
 * authority asks for many, each of which has a quota of its own. Where the CA checks codes, so has each user with its code.
 */
function quotaOf(
  { alias, receivedAt }: AskedFor,
  { identity }: PermittedEnrollment,
  subject: string,
): { readonly quota?: Quota } {
  const { quota } = alias.policy;
  if (quota === undefined) return {};
  const since = new Date(receivedAt.getTime() - quota.period * 1000);
  return { quota: { key: quotaKey(identity, subject), most: quota.certificates, since } };
}

function quotaKey({ key, claim, user }: ClientIdentity, subject: string): string {
  // Whoever knows no code must not use up the quota of the subject or of the user while the CA cannot say so.
  if (claim !== undefined) return key;
  return user === undefined ? `subject:${subject}` : `user:${user.name}`;
}

const quotaRule = 'policy.quota';

/** May this client have one more now? For who wants to know without asking for it; `open` decides for who does. */
export async function examineQuota(
  asked: AskedFor & Pick<EstRequest, 'journal'>,
  permitted: PermittedEnrollment,
): Promise<readonly Check[]> {
  if (asked.alias.policy.quota === undefined) return [];
  const oldest = await asked.journal.reachedQuota(recordOf(asked, permitted), repeatWindowOf(asked));
  const check = (): void => {
    if (oldest !== undefined) throw quotaReached(asked, oldest);
  };
  return [{ rule: quotaRule, check }];
}

/** The refusal of a client whose oldest record that counts is of this time. */
export function quotaReached({ alias, receivedAt }: AskedFor, oldest: Date): EstError {
  const over = oldest.getTime() + (alias.policy.quota?.period ?? 0) * 1000;
  return new EstError(
    'too_many_requests',
    'This client has had as many certificates as it may have for now.',
    {
      retryAfter: Math.max(1, Math.ceil((over - receivedAt.getTime()) / 1000)),
      refusedBy: { rule: quotaRule },
    },
  );
}

/** A record left open for longer than a request may take was abandoned by a crash. */
export function repeatWindowOf({
  receivedAt,
  repeatWindow: seconds,
  deadline,
  pending,
}: AskedFor): RepeatWindow {
  const ago = (period: number): Date => new Date(receivedAt.getTime() - period * 1000);
  return {
    now: receivedAt,
    issuedSince: ago(seconds),
    openedSince: ago(deadline),
    pendingSince: ago(pending.expiry),
  };
}
