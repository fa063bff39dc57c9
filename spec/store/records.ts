import type { NewEnrollment, RecordAttempt, RepeatWindow, StateStore, User } from '../../src/store/store.ts';

export const start = new Date('2026-05-01T12:00:00.000Z');
export const later = (seconds: number): Date => new Date(start.getTime() + seconds * 1000);

/** A repeat within 600 seconds gets the same answer; a record is abandoned after 30, and lapses after 1000. */
export const at = (seconds: number): RepeatWindow => ({
  now: later(seconds),
  issuedSince: later(seconds - 600),
  underWayUntil: later(seconds + 30),
  pendingSince: later(seconds - 1000),
});

export const enrollment = (changes: Partial<NewEnrollment> = {}): NewEnrollment => ({
  fingerprint: 'f1',
  requestId: 'r1',
  alias: 'est',
  operation: 'simpleenroll',
  identity: 'user:device',
  subject: 'CN=device-1',
  publicKey: 'k1',
  isKeyShown: false,
  users: [],
  countedUser: undefined,
  certificates: [],
  madeFor: { terms: 't1', how: '{}' },
  client: 'user:device',
  quotas: [],
  ...changes,
});

type NewUser = Omit<User, 'id'>;

export const user = (changes: Partial<NewUser> = {}): NewUser => ({
  alias: 'est',
  name: 'once',
  codeHash: 'hash',
  remainingUses: 1,
  createdAt: start,
  ...changes,
});

/** Adds a user, and gives what an enrolment by its code has. */
export async function addUser(
  { users }: StateStore,
  changes: Partial<NewUser> = {},
): Promise<{ readonly users: readonly string[]; readonly countedUser: string }> {
  const added = user(changes);
  await users.add(added);
  const { id = '' } = (await users.find(added.alias, added.name)) ?? {};
  return { users: [id], countedUser: id };
}

export const certificate = {
  certificate: Buffer.from([0x30, 0x03, 0x02, 0x01, 0x05]),
  serialNumber: '0a1b',
  notAfter: later(86_400),
  publicKey: 'k1',
  names: 'n1',
};

export const registered = {
  ca: 'local',
  serialNumber: '0a1b',
  idempotencyKey: 'i1',
  subject: 'CN=device-1',
  publicKey: 'k1',
  notBefore: start,
  notAfter: later(86_400),
  certificate: certificate.certificate,
};

/** The first time that the CA is asked for a record. */
export const first = (id: string): RecordAttempt => ({ id, attempt: 1 });

/** Opens one record and gives its id. */
export async function openOne(
  store: StateStore,
  changes: Partial<NewEnrollment> = {},
  seconds = 0,
): Promise<string> {
  const opened = await store.enrollments.open(enrollment(changes), at(seconds));
  if (opened.state !== 'opened') throw new Error(`expected opened, found ${opened.state}`);
  return opened.id;
}
