/** What a request must be answered with, by what the model knows and nothing else. */
import { earliestRenewal, graceOfLine, limits, mostSkew } from './site.ts';
import {
  identityOf,
  isCompromised,
  isInForce,
  isOfCompromise,
  type Issued,
  type ModelRequest,
  type UserRow,
  type World,
} from './world.ts';

export type Outcome = 'certificate' | 'later' | 'refusal';

/** Which answers are right, and why. */
export interface Expectation {
  readonly outcomes: readonly Outcome[];
  readonly why: string;
  /** The certificate that it must be, if it is one. */
  readonly again?: Issued;
}

/** Milliseconds that two clocks may differ in what they say. */
const fuzz = 2 * mostSkew * 1000;

/** Milliseconds. */
const day = 86_400_000;

/** Milliseconds after the death of a gateway in which others take it for slow: the time of a request, and an allowance. */
const inProgress = 120_000;

/** What the request must be answered with if it is asked for now, alone, by whatever clock of a gateway. */
export function expectationOf(world: World, request: ModelRequest): Expectation {
  const now = world.now();
  const expectations = [now - fuzz, now, now + fuzz].map((time) => expectationAt(world, request, time));
  const outcomes = [...new Set(expectations.flatMap((expectation) => expectation.outcomes))];
  const [one, ...others] = [...new Set(expectations.map(({ again }) => again))];
  const why = [...new Set(expectations.map((expectation) => expectation.why))].join(', or ');
  return { outcomes, why, ...(one !== undefined && others.length === 0 && { again: one }) };
}

function expectationAt(world: World, request: ModelRequest, now: number): Expectation {
  const objection =
    objectionToActor(world, request, now) ??
    (isCompromised(world, request.key) ? 'its key was compromised' : undefined);
  if (objection !== undefined) return { outcomes: ['refusal'], why: objection };
  const expected = afterProof(world, request, now);
  const mayBeUnderWay = request.diedAt !== undefined && now - request.diedAt <= inProgress;
  if (!mayBeUnderWay || expected.outcomes.includes('later')) return expected;
  return { ...expected, outcomes: [...expected.outcomes, 'later'] };
}

/** Why its client is not who it says it is, or may not ask any more; undefined: it is, and may. */
function objectionToActor(world: World, request: ModelRequest, now: number): string | undefined {
  const { actor, alias } = request;
  switch (actor.kind) {
    case 'user':
      return alias.users.get(actor.row.name) === actor.row ? undefined : 'its user is gone';
    case 'holder':
      return objectionTo(world, actor.certificate, now, alias.kind === 'line' ? graceOfLine * day : 0);
    case 'registrationAuthority':
      return objectionTo(world, actor.certificate, now, 0);
  }
}

function objectionTo(world: World, shown: Issued, now: number, grace: number): string | undefined {
  if (shown.revocation !== undefined) return 'the certificate that it shows is revoked';
  if (shown.certificate.notAfter.getTime() + grace < now) return 'the certificate that it shows has expired';
  return isCompromised(world, shown.key) ? 'the key that it shows was compromised' : undefined;
}

function afterProof(world: World, request: ModelRequest, now: number): Expectation {
  const expected = byRecord(world, request, now);
  const latest = request.certificates.at(-1);
  const mayBeOpen = latest !== undefined && latest !== request.closed && request.diedAt !== undefined;
  if (!mayBeOpen || isRepeat(request, latest, now)) return expected;
  const isWithdrawn = latest.revocation?.reason === 'privilegeWithdrawn';
  const outcome = isWithdrawn ? 'refusal' : 'certificate';
  return isWithdrawn || isInForce(latest, now)
    ? { ...expected, outcomes: [...expected.outcomes, outcome] }
    : expected;
}

function byRecord(world: World, request: ModelRequest, now: number): Expectation {
  const latest = request.certificates.at(-1);
  if (latest !== undefined && isRepeat(request, latest, now)) {
    if (isInForce(latest, now)) return { outcomes: ['certificate'], why: 'it is a repeat', again: latest };
    if (latest.revocation?.reason === 'privilegeWithdrawn') {
      return { outcomes: ['refusal'], why: 'its privilege was withdrawn' };
    }
  }
  const others = otherHolders(world, request, now);
  if (others === 'in force') return { outcomes: ['refusal'], why: 'its key is of another' };
  const limit = request.actor.kind === 'user' ? limitOf(world, request, request.actor.row, now) : 'free';
  if (limit === 'over') return { outcomes: ['refusal'], why: 'its code is used up or has expired' };
  const renewal = request.operation === 'simplereenroll' ? renewalOf(world, request, now) : 'free';
  if (renewal === 'over') return { outcomes: ['refusal'], why: 'there is nothing that it may renew now' };
  const granted = grantedOutcome(request, now);
  const isDoubtful = [others, limit, renewal].includes('doubtful');
  return isDoubtful
    ? { outcomes: [granted, 'refusal'], why: 'it is granted, or not' }
    : { outcomes: [granted], why: granted === 'refusal' ? 'it was denied' : 'it is granted' };
}

/** Whether an earlier answer counts. What was issued when a gateway died may have been closed then, or is still open. */
function isRepeat({ closed, closedAt, diedAt }: ModelRequest, latest: Issued, now: number): boolean {
  const since = latest === closed ? closedAt : (diedAt ?? latest.issuedAt);
  return since !== undefined && now - since <= limits.repeatWindow * 1000;
}

/** What a granted request gets: at `line` a person is asked about first certificates. */
function grantedOutcome({ alias, operation, held }: ModelRequest, now: number): Outcome {
  if (alias.kind === 'est' || operation === 'simplereenroll') return 'certificate';
  if (held === undefined || isLapsed(held.askedAt, now)) return 'later';
  switch (held.decision) {
    case 'approved':
      return 'certificate';
    case 'denied':
      return 'refusal';
    case undefined:
      return 'later';
  }
}

export function isLapsed(askedAt: number, now: number): boolean {
  return now - askedAt > limits.pendingExpiry * 1000;
}

/** Whether others hold the key under another name. Who shows it in a certificate need not ask. */
function otherHolders(world: World, request: ModelRequest, now: number): 'free' | 'doubtful' | 'in force' {
  const { actor, key, commonName } = request;
  const others = world.issued.filter(
    (one) =>
      one.key === key &&
      one.commonName !== commonName &&
      one.certificate.notAfter.getTime() >= now &&
      (one.request === undefined || identityOf(one.request) !== identityOf(request)),
  );
  if (actor.kind === 'holder' && actor.certificate.key === key) return 'free';
  if (others.some((one) => isInForce(one, now))) return 'in force';
  const isAskedFor = world.requests.some(
    (one) => one.key === key && one.commonName !== commonName && (one.diedAt ?? one.held) !== undefined,
  );
  return others.length > 0 || isAskedFor ? 'doubtful' : 'free';
}

/** Whether the code is good for one more certificate. What nobody knows the outcome of may have taken a use. */
function limitOf(
  { requests }: World,
  request: ModelRequest,
  row: UserRow,
  now: number,
): 'free' | 'doubtful' | 'over' {
  const isUnfinished = request.diedAt !== undefined || request.held !== undefined;
  if (row.expiresAt !== undefined && row.expiresAt <= now) return isUnfinished ? 'doubtful' : 'over';
  if (row.uses === undefined) return 'free';
  const ofRow = requests.filter(({ actor }) => actor.kind === 'user' && actor.row === row);
  const left = row.uses - ofRow.flatMap(({ certificates }) => certificates).length;
  if (left <= 0) return 'over';
  const unfinished = ofRow.filter((one) => one !== request && (one.diedAt ?? one.held) !== undefined);
  return left - unfinished.length <= 0 ? 'doubtful' : 'free';
}

/** Whether there is something to renew, old enough and with another key where the alias wants that. */
function renewalOf(world: World, request: ModelRequest, now: number): 'free' | 'doubtful' | 'over' {
  const { actor, alias, commonName } = request;
  if (actor.kind === 'holder') {
    const { certificate } = actor;
    if (certificate.request?.alias !== alias) return 'over';
    return isRenewable(request, certificate, now) ? 'free' : 'over';
  }
  const candidates = world.issued.filter(
    (one) =>
      one.commonName === commonName &&
      one.request?.alias === alias &&
      isInForce(one, now) &&
      !isCompromised(world, one.key),
  );
  const renewable = candidates.filter((one) => isRenewable(request, one, now));
  if (renewable.length === 0) return 'over';
  return renewable.length === candidates.length ? 'free' : 'doubtful';
}

function isRenewable({ alias, key }: ModelRequest, { certificate, key: own }: Issued, now: number): boolean {
  if (alias.kind === 'line') return true;
  const [begin, end] = [certificate.notBefore.getTime(), certificate.notAfter.getTime()];
  return key !== own && now >= begin + ((end - begin) * earliestRenewal) / 100;
}

/** What is wrong with a certificate that was given. */
export function objectionToGiven(world: World, request: ModelRequest, given: Issued): string | undefined {
  const now = world.now() - fuzz;
  if (given.revocation !== undefined) return `it is revoked (${given.revocation.reason})`;
  if (!isInForce(given, now)) return 'it has expired';
  if (given.key !== request.key) return 'it is for another key';
  if (given.commonName !== request.commonName) return 'it has another name';
  return isCompromised(world, given.key) ? 'its key was compromised' : undefined;
}

/** What is wrong with a certificate that the CA has just recorded in a request. */
export function objectionToIssued(world: World, request: ModelRequest, issued: Issued): string | undefined {
  const now = world.now() + fuzz;
  const before = request.certificates.at(-2);
  if (before !== undefined && isInForce(before, now) && isRepeat(request, before, now)) {
    return 'the request has one in force already';
  }
  if (issued.key !== request.key) return 'it is for another key than was asked for';
  if (world.issued.some((one) => one.key === issued.key && isOfCompromise(one.revocation?.reason))) {
    return 'its key was compromised';
  }
  const { actor } = request;
  if (actor.kind === 'user' && actor.row.uses !== undefined) {
    const ofRow = world.issued.filter(
      ({ request: one }) => one?.actor.kind === 'user' && one.actor.row === actor.row,
    );
    if (ofRow.length > actor.row.uses) return 'the code has no use left for it';
  }
  return otherHolders(world, request, now) === 'in force' ? 'its key is of another' : undefined;
}
