import { createHash, hash } from 'node:crypto';
import type { CertificationAuthority } from '../ca/ca.ts';
import { EstError } from '../errors.ts';
import type { ClientIdentity } from '../identity.ts';
import type { RequestedCertificate } from '../pkix/key-generation-request.ts';
import { nameToString } from '../pkix/names.ts';
import type {
  EnrollmentJournal,
  MadeFor,
  NewEnrollment,
  PendingLimits,
  RepeatWindow,
  ShownCertificate,
} from '../store/store.ts';
import {
  isKeyShown,
  renewsOfOther,
  type ComparedEnrollment,
  type ProvedEnrollment,
} from './asked-enrollment.ts';
import type { Check } from './check.ts';
import { namesToCertify, type Policy } from './policy.ts';
import { clientOf, quotasOf } from './quota.ts';

/** When and where something is asked for, and how the journal looks back then. */
export interface AskedFor {
  /** Of the request. */
  readonly id: string;
  readonly receivedAt: Date;
  readonly alias: {
    /** By which the store knows what belongs to it. */
    readonly id: string;
    readonly name: string;
    readonly policy: Policy;
    /** What new records are made for. */
    readonly madeFor: MadeFor;
    /** Left out: what is asked of the CA ends with the request. */
    readonly ca?: Pick<CertificationAuthority, 'deadline'>;
  };
  /** How long, in seconds, a repeat of the same request gets the same certificate. */
  readonly repeatWindow: number;
  /** How long, in seconds, a request may take in all. */
  readonly deadline: number;
  /** How many requests may wait for the CA, and for how many seconds one that nobody asks for. */
  readonly pending: PendingLimits & { readonly expiry: number };
}

/** Where the journal is at hand. */
export interface JournalServices extends AskedFor {
  readonly journal: EnrollmentJournal;
}

/** Asks the journal whether this repeats an earlier request, where it would be spared something; `open` decides at last. */
export async function compare<Csr extends RequestedCertificate>(
  asked: JournalServices,
  proved: ProvedEnrollment<Csr>,
): Promise<ComparedEnrollment<Csr>> {
  const record = recordOf(asked, proved, await clientOf(asked, proved));
  const isSpared = record.countedUser !== undefined || record.quotas.length > 0 || renewsOfOther(proved);
  const isRepeat = isSpared && (await asked.journal.isRepeat(record.fingerprint, repeatWindowOf(asked)));
  return { ...proved, record, isRepeat };
}

function recordOf(asked: AskedFor, proved: ProvedEnrollment, client: string): NewEnrollment {
  const { id, alias } = asked;
  const { operation, identity, csr, names } = proved;
  const registrationAuthority = identity.registrationAuthority?.name;
  return {
    fingerprint: fingerprintOf(asked, proved),
    requestId: id,
    alias: alias.id,
    operation,
    identity: holderAt(alias, identity),
    subject: nameToString(names.subject),
    publicKey: keyHashOf(csr),
    isKeyShown: 'spki' in csr.publicKey && isKeyShown(proved, csr.publicKey),
    users: usersOf(proved),
    countedUser: countedUser(proved),
    certificates: certificatesOf(proved),
    madeFor: alias.madeFor,
    client,
    ...(registrationAuthority !== undefined && { registrationAuthority }),
    quotas: quotasOf(asked, identity, client),
  };
}

/**
 * What makes two requests the same, though signature, attributes or TLS session differ (RFC 7030, section 4.2.3). Each
 * request for a key that is yet to be made asks for another one, so no two of these are the same. A certificate that TLS has
 * shown is renewed once; one that was found for a registration authority is another one after the first answer. A user that was
 * removed and added anew is another one.
 */
function fingerprintOf({ id, alias }: AskedFor, proved: ProvedEnrollment): string {
  const { operation, identity, renewed, csr } = proved;
  const users = usersOf(proved);
  const names = namesToCertify(csr);
  const shown = identity.certificate?.certificate.sha256;
  const parts = [
    identity.key,
    alias.id,
    operation,
    keyHashOf(csr) ?? id,
    names.subject.der.toString('hex'),
    names.subjectAltName.map(({ der }) => der.toString('hex')).sort(),
    csr.extensions.map(({ oid, value }) => [oid, value.toString('hex')]).sort(),
    ...(shown !== undefined && renewed?.sha256 === shown ? [shown] : []),
    ...(users.length > 0 ? [users] : []),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** By whom a key is held: `ClientIdentity.key`, but each alias has users of its own. */
export function holderAt({ id }: { readonly id: string }, { key, user }: ClientIdentity): string {
  return user === undefined ? key : `${id}/${key}`;
}

function keyHashOf({ publicKey }: RequestedCertificate): string | undefined {
  return 'sha256' in publicKey ? publicKey.sha256 : undefined;
}

function countedUser({ otpUser, identity }: ProvedEnrollment): string | undefined {
  const user = otpUser ?? identity.user;
  return user?.isLimited === true ? user.id : undefined;
}

/** The ids of the users of the store that have shown their codes. */
function usersOf({ otpUser, identity }: ProvedEnrollment): readonly string[] {
  return [...new Set([identity.user?.id, otpUser?.id])].filter((id) => id !== undefined);
}

function certificatesOf({ identity, renewed, certificates }: ProvedEnrollment): readonly ShownCertificate[] {
  const shown = [identity.certificate?.certificate, renewed, ...certificates.map((one) => one.certificate)];
  return [...new Set(shown)]
    .filter((certificate) => certificate !== undefined)
    .map(({ serialNumber, der, spki }) => ({
      serialNumber,
      certificate: der,
      publicKey: hash('sha256', spki, 'hex'),
    }));
}

/** Is the code with which the client came good for one more certificate? A repeat needs none; `open` decides at last. */
export function examineCode(
  asked: JournalServices,
  { record: { countedUser: user }, isRepeat }: ComparedEnrollment,
): readonly Check[] {
  if (user === undefined) return [];
  const check = async (): Promise<void> => {
    const spent = isRepeat ? undefined : await asked.journal.spentCode(user, repeatWindowOf(asked));
    if (spent !== undefined) throw codeSpent(spent);
  };
  return [{ rule: codeRule, check }];
}

const codeRule = 'fixed: a code that is still good';

/** The refusal of a code that is good no more. */
export function codeSpent(why: 'exhausted' | 'expired' | 'code_removed'): EstError {
  const what = { exhausted: 'been used up', expired: 'expired', code_removed: 'been removed' }[why];
  return new EstError('forbidden', `This enrolment code has ${what}; ask for a new one.`, {
    refusedBy: { rule: codeRule },
  });
}

/**
 * Seconds by which a gateway may be late with what it does at a deadline, or its clock be behind that of another one with
 * which it shares the store.
 */
const allowanceForClocks = 2;

/** A record left open for longer than whoever opened it gives a request and the CA was abandoned by a crash. */
export function repeatWindowOf({
  alias,
  receivedAt,
  repeatWindow: seconds,
  deadline,
  pending,
}: AskedFor): RepeatWindow {
  const ago = (period: number): Date => new Date(receivedAt.getTime() - period * 1000);
  return {
    now: receivedAt,
    issuedSince: ago(seconds),
    underWayUntil: ago(-(deadline + (alias.ca?.deadline ?? 0) + allowanceForClocks)),
    pendingSince: ago(pending.expiry),
  };
}
