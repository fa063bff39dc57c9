/** Clients: what they ask for, and whether they are answered as the model expects. */
import type { Answer } from './exchange.ts';
import { expectationOf, objectionToGiven, type Expectation, type Outcome } from './expectation.ts';
import type { Running } from './running.ts';
import type { Asking, Sending, Step } from './steps.ts';
import {
  aliasOfKind,
  describe,
  nameOfAlias,
  type Actor,
  type ModelAlias,
  type ModelRequest,
  type World,
} from './world.ts';

const devices = ['device-0', 'device-1', 'device-2', 'device-3'];

/** Names of users at each alias. */
export const userNames = ['alice', 'bob'];

/** One of those that there are. */
export function chosen<Item>(items: readonly Item[], number: number): Item | undefined {
  return items[number % items.length];
}

/** The request that a client makes, or makes again; undefined: there is nothing to ask with. */
export function requestFor(running: Running, asking: Asking): ModelRequest | undefined {
  const request = chosenRequest(running, asking);
  if (request !== undefined) showNewest(running, request);
  return request;
}

/** A registration authority shows the newest certificate that it has, and is the same with each. */
export function showNewest({ world }: Running, request: ModelRequest): void {
  if (request.actor.kind === 'registrationAuthority') request.actor = authorityNow(world);
}

function chosenRequest(running: Running, asking: Asking): ModelRequest | undefined {
  const { world } = running;
  switch (asking.ask) {
    case 'repeat':
      return chosen(
        world.requests
          .filter(({ alias }) => nameOfAlias(world, alias) !== undefined)
          .sort((one, other) => other.lastAsk - one.lastAsk),
        asking.request,
      );
    case 'enrol': {
      const rows = [...world.aliases.values()].flatMap(({ users }) => [...users.values()]);
      const row = rows[asking.user % rows.length];
      if (row === undefined) return undefined;
      return find(running, row.alias, 'simpleenroll', { kind: 'user', row }, deviceOf(asking), asking.key);
    }
    case 'renew': {
      // What was issued while a gateway died nobody has before the request is repeated.
      const held = world.issued.filter(
        ({ request }) => request !== undefined && request.diedAt === undefined,
      );
      const certificate = chosen(held.reverse(), asking.certificate);
      const own = certificate?.request?.alias;
      if (certificate === undefined || own === undefined) return undefined;
      const isElsewhere = asking.elsewhere || nameOfAlias(world, own) === undefined;
      const alias = isElsewhere ? aliasOfKind(world, own.kind === 'est' ? 'line' : 'est') : own;
      const { commonName } = certificate;
      return find(running, alias, 'simplereenroll', { kind: 'holder', certificate }, commonName, asking.key);
    }
    case 'enrol for':
    case 'renew for': {
      const alias = aliasOfKind(world, asking.line ? 'line' : 'est');
      const operation = asking.ask === 'enrol for' ? 'simpleenroll' : 'simplereenroll';
      const actor = authorityNow(world);
      return find(running, alias, operation, actor, deviceOf(asking), asking.key);
    }
  }
}

function authorityNow({ authorities }: World): Actor {
  const certificate = authorities.at(-1);
  if (certificate === undefined) throw new Error('There is no registration authority.');
  return { kind: 'registrationAuthority', certificate };
}

function deviceOf({ device }: { readonly device: number }): string {
  return devices[device % devices.length] ?? '';
}

/** The same request as before, if there was one. */
function find(
  { site, world }: Running,
  alias: ModelAlias,
  operation: ModelRequest['operation'],
  actor: Actor,
  commonName: string,
  choice: 'new' | number,
): ModelRequest | undefined {
  const { requests } = world;
  const chosen = choice === 'new' ? undefined : requests[choice % requests.length];
  const keyIndex = chosen?.keyIndex ?? Math.max(-1, ...requests.map((one) => one.keyIndex)) + 1;
  const request: ModelRequest = {
    ...{ number: requests.length, alias, operation, actor, commonName, keyIndex },
    key: site.keys[keyIndex] ?? '',
    certificates: [],
    held: undefined,
    lastAsk: 0,
    diedAt: undefined,
    closed: undefined,
    closedAt: undefined,
    log: [],
  };
  const known = requests.find((one) => isSame(one, request));
  if (known !== undefined) return known;
  requests.push(request);
  return request;
}

function isSame(one: ModelRequest, other: ModelRequest): boolean {
  return (
    one.alias === other.alias &&
    one.operation === other.operation &&
    one.commonName === other.commonName &&
    one.keyIndex === other.keyIndex &&
    actorText(one.actor) === actorText(other.actor)
  );
}

function actorText(actor: Actor): string {
  switch (actor.kind) {
    case 'user':
      return `user ${actor.row.number}`;
    case 'holder':
      return `holder ${actor.certificate.number}`;
    case 'registrationAuthority':
      return actor.kind;
  }
}

/** Asks, and compares the answer with what the model expects; a gateway that dies at it is started anew. */
export async function ask(
  running: Running,
  request: ModelRequest,
  { gateway: place, diesAfter }: Sending,
): Promise<Outcome | undefined> {
  const { world, gateways } = running;
  const gateway = gateways[place];
  if (gateway === undefined) return undefined;
  const expected = expectationOf(world, request);
  if (diesAfter !== undefined) gateway.dieAfter(diesAfter);
  const answer = await send(running, request, place);
  running.useClock();
  if (await hasDied(running, request, place)) return undefined;
  return judge(running, request, answer, expected);
}

/** Whether the gateway has died at the request; then another one is started in its place. */
async function hasDied(running: Running, request: ModelRequest, place: number): Promise<boolean> {
  const gateway = running.gateways[place];
  gateway?.dieAfter(Infinity);
  if (gateway?.isDead !== true) return false;
  request.log.push('died');
  running.trace.push(`  the gateway dies: ${describe(request)}`);
  request.diedAt = running.world.now();
  running.gateways[place] = await running.startGateway(place);
  await gateway.close();
  return true;
}

/** Of two requests at once each may be answered in any way that harms nobody. */
export async function askAtOnce(
  running: Running,
  requests: readonly (ModelRequest | undefined)[],
  { order, diesAfter }: Extract<Step, { readonly step: 'ask at once' }>,
): Promise<void> {
  const there = [...new Set(requests)].filter((request) => request !== undefined);
  running.order = order;
  if (diesAfter !== undefined) running.gateways[0]?.dieAfter(diesAfter);
  const any = { outcomes: ['certificate', 'later', 'refusal'], why: 'another is asked at once' } as const;
  const expected = there.map((request) => {
    const alone = expectationOf(running.world, request);
    return alone.why.includes('of another') || !isRefusalAlone(alone) ? any : alone;
  });
  const answers = await Promise.all(there.map(async (request, at) => await send(running, request, at)));
  running.useClock();
  for (const [at, request] of there.entries()) {
    if (await hasDied(running, request, at)) continue;
    const [answer, expectation] = [answers[at], expected[at]];
    if (answer !== undefined && expectation !== undefined) judge(running, request, answer, expectation);
  }
}

function isRefusalAlone({ outcomes }: Expectation): boolean {
  return outcomes.length === 1 && outcomes[0] === 'refusal';
}

async function send(running: Running, request: ModelRequest, place: number): Promise<Answer> {
  const { site, world, gateways } = running;
  const { alias, operation, commonName, keyIndex } = request;
  const gateway = gateways[place];
  if (gateway === undefined) throw new Error('There is no such gateway.');
  running.useClock(place);
  return await gateway.ask(running.begin(request), {
    method: 'POST',
    path: `/.well-known/est/${nameOfAlias(world, alias) ?? 'gone'}/${operation}`,
    headers: { 'Content-Type': 'application/pkcs10', ...credentialsOf(request) },
    body: site.csrFor(commonName, keyIndex).toString('base64'),
  });
}

function credentialsOf({ actor }: ModelRequest): Readonly<Record<string, string>> {
  if (actor.kind === 'user') {
    const { name, code } = actor.row;
    return { Authorization: `Basic ${Buffer.from(`${name}:${code}`).toString('base64')}` };
  }
  return { 'Client-Cert': `:${actor.certificate.certificate.der.toString('base64')}:` };
}

/** Notes what is wrong with an answer, and what has come of the request. */
function judge(
  { world, note, trace }: Running,
  request: ModelRequest,
  { status, body }: Answer,
  { outcomes, why, again }: Expectation,
): Outcome | undefined {
  const outcome = outcomeOf(status);
  request.log.push(`${status}${outcome === 'refusal' ? ` ${body.toString().split(' (')[0] ?? ''}` : ''}`);
  trace.push(`  ${describe(request)}`);
  if (outcome === undefined) {
    note(`the answer is ${status} ${body.toString()}`, request);
    return undefined;
  }
  if (!outcomes.includes(outcome)) {
    note(`the answer is ${status}, but expected is ${outcomes.join(' or ')} since ${why}`, request);
  }
  if (outcome === 'refusal' && body.includes('The request was denied')) request.held = undefined;
  if (outcome !== 'certificate') return outcome;
  const der = Buffer.from(body.toString(), 'base64');
  const given = world.issued.findLast(({ certificate }) => der.includes(certificate.der));
  if (given === undefined) {
    note('a certificate is given that is not recorded', request);
    return outcome;
  }
  const objection = objectionToGiven(world, request, given);
  if (objection !== undefined) note(`a certificate is given although ${objection}`, request);
  if (again !== undefined && given !== again) note('another certificate is given again', request);
  if (given !== request.certificates.at(-1)) note('the certificate of another request is given', request);
  if (request.closed !== given || request.diedAt !== undefined) request.closedAt = world.now();
  Object.assign(request, { closed: given, diedAt: undefined, held: undefined });
  return outcome;
}

/** Undefined: an answer that no client should ever get here. */
function outcomeOf(status: number): Outcome | undefined {
  if (status === 200) return 'certificate';
  if (status === 202) return 'later';
  return status === 401 || status === 403 ? 'refusal' : undefined;
}
