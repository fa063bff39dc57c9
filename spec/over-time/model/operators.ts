/** Operators: users, approvals, revocations, renaming and restarts. */
import { generateCode } from '../../../src/auth/made-code.ts';
import { addUser } from '../../../src/cli/user.ts';
import { readCertificationRequest } from '../../../src/pkix/pkcs10.ts';
import type { RevocationReason } from '../../../src/store/store.ts';
import { generateKeyPairSync } from 'node:crypto';
import { userNames } from './clients.ts';
import { isLapsed } from './expectation.ts';
import type { Running } from './running.ts';
import { configurationFile, csrFor, limits, registrationAuthorityName } from './site.ts';
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
  const now = world.now();
  const [gateway] = gateways;
  const backend = gateway?.backend(issued.number % 2 === 0 ? names.first : names.second);
  await backend?.revoke?.(issued.certificate, reason, AbortSignal.timeout(10_000));
  issued.revocation = { reason, at: issued.revocation?.at ?? now };
}

/** The newest first. */
export function revocable({ issued }: World): readonly Issued[] {
  return issued.filter(({ revocation }) => revocation === undefined).reverse();
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
  { user: number, uses, seconds }: Extract<Step, { readonly step: 'add user' }>,
): Promise<void> {
  const { alias, name } = place(world, number);
  if (alias.users.has(name)) return;
  const row = {
    ...{ number: world.rows.length, alias, name, code: generateCode(), uses },
    expiresAt: seconds === undefined ? undefined : world.now() + seconds * 1000,
  };
  const user = {
    ...{ alias: nameOfAlias(world, alias) ?? '', name, code: row.code, remainingUses: uses },
    ...(row.expiresAt !== undefined && { expiresAt: new Date(row.expiresAt) }),
  };
  const id = await store.aliases.identify(user.alias, configurationFile);
  await addUser(store, user, [], id);
  world.rows.push(row);
  alias.users.set(name, row);
}

export async function remove({ store, world }: Running, user: number): Promise<void> {
  const { alias, name } = place(world, user);
  if (!alias.users.delete(name)) return;
  const id = await store.aliases.identify(nameOfAlias(world, alias) ?? '', configurationFile);
  if (!(await store.users.remove(id, name))) throw new Error(`There is no user ${name}.`);
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
  const { names, world, store } = running;
  if (what === 'first' || what === 'second') {
    running.names = { ...names, [what]: names[what].startsWith('new') ? what : `new-${what}` };
  } else {
    const next = nextNameOfLine(names.line);
    if (next === undefined) return;
    running.names = { ...names, line: next };
    const alias = aliasOfKind(world, 'line');
    world.aliases.delete(names.line);
    if (what === 'line') {
      world.aliases.set(next, alias);
      await store.aliases.rename(names.line, next, new Date());
    } else {
      world.aliases.set(next, { number: alias.number + 1, kind: 'line', users: new Map() });
    }
  }
  const configuration = await running.site.configuration(running.names);
  for (const gateway of running.gateways) await gateway.reload(configuration);
}

/** None comes again. Undefined: there have been enough of them. */
function nextNameOfLine(name: string): string | undefined {
  const number = Number(name.split('-')[1] ?? 0) + 1;
  return number > 3 ? undefined : `line-${number}`;
}

export async function restart(running: Running, place: number): Promise<void> {
  const before = running.gateways[place];
  running.gateways[place] = await running.startGateway(place);
  await before?.close();
}
