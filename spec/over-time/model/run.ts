/** One run: the steps are taken one after the other, and all that is answered and published is compared with the model. */
import { ask, askAtOnce, chosen, requestFor, showNewest } from './clients.ts';
import { createCrlCheck } from './crl-check.ts';
import {
  add,
  decide,
  raisable,
  remove,
  rename,
  replaceAuthority,
  restart,
  revocable,
  revoke,
  undecided,
} from './operators.ts';
import { beginRun, type Running } from './running.ts';
import type { Site } from './site.ts';
import type { Step } from './steps.ts';
import { nameOfAlias } from './world.ts';

/** Milliseconds between two steps. */
const pause = 13;

/** Else it is looked at after so many steps. */
const crlInterval = 4;

/** Takes the steps, then lets all clients repeat. Throws a Violation. */
export async function run(
  site: Site,
  steps: readonly Step[],
  setClock: (time: number) => void,
): Promise<void> {
  const running = await beginRun(site, setClock);
  try {
    const checkCrl = createCrlCheck(running);
    for (const [at, step] of steps.entries()) {
      running.trace.push(`${timeText(running)} ${JSON.stringify(step)}`);
      await take(running, step);
      if (changesCrl(step) || at % crlInterval === 0) await checkCrl();
      running.check();
      running.pass(pause);
    }
    await settle(running);
    await checkUses(running);
    running.check();
  } finally {
    await running.close();
  }
}

/** Whether the next CRL should be another one, or that of another gateway. */
function changesCrl({ step }: Step): boolean {
  return step === 'revoke' || step === 'raise' || step === 'rename';
}

function timeText({ world }: Running): string {
  return new Date(world.now()).toISOString();
}

async function take(running: Running, step: Step): Promise<void> {
  switch (step.step) {
    case 'ask': {
      const request = requestFor(running, step.asking);
      if (request !== undefined) await ask(running, request, step.sending);
      break;
    }
    case 'ask at once': {
      const requests = step.asking.map((asking) => requestFor(running, asking));
      await askAtOnce(running, requests, step);
      break;
    }
    case 'wait':
      running.pass(step.seconds * 1000);
      break;
    case 'set clock':
      running.skews[step.gateway] = step.seconds * 1000;
      break;
    case 'decide':
      await decide(running, chosen(undecided(running.world), step.request), step.approve);
      break;
    case 'revoke':
      await revoke(running, chosen(revocable(running.world), step.certificate), step.reason);
      break;
    case 'raise':
      await revoke(running, chosen(raisable(running.world), step.certificate), 'keyCompromise');
      break;
    case 'add user':
      await add(running, step);
      break;
    case 'remove user':
      await remove(running, step.user);
      break;
    case 'replace registration authority':
      await replaceAuthority(running);
      break;
    case 'rename':
      await rename(running, step.what);
      break;
    case 'restart':
      await restart(running, step.gateway);
      break;
  }
}

/** Milliseconds after which no gateway takes a record for one that is under way. */
const patience = 180_000;

/** Rounds in which a client repeats: held, approved, given. */
const rounds = 4;

/** Everybody repeats, and all that waits is approved: whom the policy allows gets its certificate. */
async function settle(running: Running): Promise<void> {
  const { world } = running;
  running.trace.push(`${timeText(running)} all repeat`);
  running.pass(patience);
  const there = world.requests.filter(({ alias }) => nameOfAlias(world, alias) !== undefined);
  for (const request of there) {
    showNewest(running, request);
    for (let round = 0; round < rounds; round += 1) {
      const outcome = await ask(running, request, { gateway: round % 2, diesAfter: undefined });
      running.check();
      if (outcome !== 'later') break;
      if (round === rounds - 1) running.note('it is put off for ever', request);
      await decide(running, undecided({ ...world, requests: [request] })[0], true);
      running.pass(1000);
    }
  }
}

/** What users may still get is what they could get less what they have got, where nothing is in doubt. */
async function checkUses({ store, world, note }: Running): Promise<void> {
  const names = new Map((await store.aliases.list()).map(({ id, name }) => [id, name]));
  for (const { alias, name, remainingUses } of await store.users.list()) {
    const row = world.aliases.get(names.get(alias) ?? '')?.users.get(name);
    if (row === undefined) continue;
    const ofRow = world.requests.filter(({ actor }) => actor.kind === 'user' && actor.row === row);
    const got = ofRow.flatMap(({ certificates }) => certificates).length;
    const isInDoubt = ofRow.some(({ diedAt, held }) => (diedAt ?? held) !== undefined);
    const left = row.uses === undefined ? undefined : row.uses - got;
    if (!isInDoubt && remainingUses !== left) {
      note(`${name} has ${String(remainingUses)} uses left, but expected are ${String(left)}`);
    }
  }
}
