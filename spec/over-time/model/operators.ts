/** Operators: users, approvals, revocations, renaming and restarts. */
import { generateCode } from '../../../src/auth/made-code.ts';
import { addUser } from '../../../src/cli/user.ts';
import { readCertificationRequest } from '../../../src/pkix/pkcs10.ts';
import type { RevocationReason } from '../../../src/store/store.ts';
import { generateKeyPairSync } from 'node:crypto';
import { userNames } from './clients.ts';
import { notYet } from './not-yet.ts';
import { isLapsed } from './expectation.ts';
import type { Running } from './running.ts';
import { csrFor, limits, registrationAuthorityName } from './site.ts';
import type { Step } from './steps.ts';
import {
  aliasOfKind,
  isOfCompromise,
  nameOfAlias,
  noteIssued,
  type Held,
  type Issued,
  type ModelAlias,
  type World,
} from './world.ts';

/** Revokes, or raises the reason. */
export async function revoke(
  { world, gateways, names }: Running,
  issued: Issued | undefined,
  reason: RevocationReason,
): Promise<void> {
  if (issued === undefined) return;
  if (issued.revocation !== undefined && notYet.has('raise')) return;
  const now = world.now();
  const [gateway] = gateways;
  const backend = gateway?.backend(
    issued.number % 2 === 0 || notYet.has('two backends of one CA') ? names.first : names.second,
  );
  await backend?.revoke?.(issued.certificate, reason, AbortSignal.timeout(10_000));
  issued.revocation = { reason, at: issued.revocation?.at ?? now };
}

/** One of those that a choice of them leaves. */
export function chosen<Item>(items: readonly Item[], number: number): Item | undefined {
  return items[number % items.length];
}

export function revocable({ issued }: World): readonly Issued[] {
  return issued.filter(({ revocation }) => revocation === undefined);
}

export function raisable({ issued }: World): readonly Issued[] {
  return issued.filter(({ revocation }) => revocation !== undefined && !isOfCompromise(revocation.reason));
}

/** What waits for a person, the first that was asked for first. */
export function undecided({ requests, now }: World): readonly Held[] {
  return requests.flatMap(({ held }) =>
    held !== undefined && held.decision === undefined && !isLapsed(held.askedAt, now()) ? [held] : [],
  );
}

/** Approves or denies. */
export async function decide(
  { store, world }: Running,
  held: Held | undefined,
  approve: boolean,
): Promise<void> {
  if (held === undefined) return;
  const now = world.now();
  const decision = approve ? ({ state: 'approved' } as const) : ({ state: 'denied', reason: 'No.' } as const);
  const askedSince = new Date(now - limits.pendingExpiry * 1000);
  const outcome = await store.heldRequests.decide(held.ca, held.reference, decision, askedSince);
  if (outcome !== 'decided') throw new Error(`The request is not decided: ${outcome}.`);
  held.decision = decision.state;
}

/** Where there is none of this name. */
export async function add(
  { store, world }: Running,
  { user, uses, seconds }: Extract<Step, { readonly step: 'add user' }>,
): Promise<void> {
  const { alias, name } = place(world, user);
  if (alias.users.has(name)) return;
  const row = {
    ...{ number: world.rows.length, alias, name, code: generateCode(), uses },
    expiresAt: seconds === undefined ? undefined : world.now() + seconds * 1000,
  };
  await addUser(store, {
    ...{ alias: nameOfAlias(world, alias), name, code: row.code, remainingUses: uses },
    ...(row.expiresAt !== undefined && { expiresAt: new Date(row.expiresAt) }),
  });
  world.rows.push(row);
  alias.users.set(name, row);
}

export async function remove({ store, world }: Running, user: number): Promise<void> {
  const { alias, name } = place(world, user);
  if (alias.users.delete(name)) await store.users.remove(nameOfAlias(world, alias), name);
}

function place(world: World, user: number): { readonly alias: ModelAlias; readonly name: string } {
  const alias = aliasOfKind(world, user % 2 === 0 ? 'est' : 'line');
  return { alias, name: userNames[(user >> 1) % userNames.length] ?? '' };
}

/** A new certificate and key for it, by the operator. */
export async function replaceAuthority({ world, gateways, names }: Running): Promise<void> {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const csr = readCertificationRequest(csrFor(registrationAuthorityName, key));
  const request = { csr, role: 'registration-authority', validityDays: 30 } as const;
  const der = await gateways[0]
    ?.backend(names.first)
    .issueForOperator?.(request, AbortSignal.timeout(10_000));
  if (der !== undefined) world.authorities.push(noteIssued(world, der, undefined));
}

/** Gives a part of the configuration another name, and has all gateways take that up. */
export async function rename(
  running: Running,
  what: Extract<Step, { readonly step: 'rename' }>['what'],
): Promise<void> {
  const { names } = running;
  if (notYet.has('rename backend')) return;
  if (what === 'line' || what === 'line without its state') return;
  running.names = { ...names, [what]: names[what].startsWith('new') ? what : `new-${what}` };
  const configuration = await running.site.configuration(running.names);
  for (const gateway of running.gateways) await gateway.reload(configuration);
}

export async function restart(running: Running, place: number): Promise<void> {
  const before = running.gateways[place];
  running.gateways[place] = await running.startGateway(place);
  await before?.close();
}
