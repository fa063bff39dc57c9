/** A run on its way: virtual time, two gateways on one store, and the model beside them. */
import type { StateStore } from '../../../src/store/store.ts';
import { sqlite } from '../../../src/store/sqlite.ts';
import { objectionToIssued, isLapsed } from './expectation.ts';
import { createTurns, startGateway, type HeldBy, type ModelledGateway, type Shared } from './gateways.ts';
import { beginning, namesAtFirst, type Names, type Site } from './site.ts';
import { describe, noteIssued, type ModelAlias, type ModelRequest, type World } from './world.ts';

/** What is wrong: a sentence. */
class Violation extends Error {}

export interface Running {
  readonly site: Site;
  readonly world: World;
  /** As operators have it. */
  readonly store: StateStore;
  readonly gateways: ModelledGateway[];
  names: Names;
  /** Milliseconds by which the clock of each gateway is ahead. */
  readonly skews: number[];
  /** Which request goes on at each call of the store, where there are two at once. */
  order: readonly number[];
  /** Milliseconds go by. */
  pass(milliseconds: number): void;
  /** Sets the clock of whoever goes on: that of a gateway, or of the operators. */
  useClock(place?: number): void;
  /** A number for an ask, by which what is recorded in it is known. */
  begin(request: ModelRequest): number;
  /** At one of two places, each with a connection to the store of its own. */
  startGateway(place: number): Promise<ModelledGateway>;
  /** What has happened so far, for people. */
  readonly trace: string[];
  /** Notes the first thing that is wrong. */
  readonly note: (what: string, request?: ModelRequest) => void;
  /** Throws it. */
  check(): void;
  close(): Promise<void>;
}

/** Begins with no users, and a registration authority. */
export async function beginRun(site: Site, setClock: (time: number) => void): Promise<Running> {
  let time = beginning;
  let violation: Violation | undefined;
  let asks = 0;
  const asked = new Map<number, ModelRequest>();
  const world: World = {
    aliases: new Map<string, ModelAlias>([
      ['est', { number: 0, kind: 'est', users: new Map() }],
      ['line', { number: 1, kind: 'line', users: new Map() }],
    ]),
    requests: [],
    issued: [],
    rows: [],
    authorities: [],
    now: () => time,
  };
  setClock(time);
  const file = await site.newStore();
  const stores = [await sqlite.open({ file }), await sqlite.open({ file })] as const;
  const shared: Shared = {
    turns: createTurns((of) => {
      const [first = 0, ...others] = running.order;
      running.order = [...others, first];
      return first % of;
    }),
    onRecorded: (number, der) => {
      const request = asked.get(number);
      if (request === undefined) return;
      const issued = noteIssued(world, der, request);
      const objection = objectionToIssued(world, request, issued);
      if (objection !== undefined) running.note(`a certificate is issued although ${objection}`, request);
    },
    onHeld: (number, held) => {
      const request = asked.get(number);
      if (request !== undefined) noteHeld(running, request, held);
    },
  };
  const running: Running = {
    site,
    world,
    store: stores[0],
    gateways: [],
    names: namesAtFirst,
    skews: [0, 0],
    order: [],
    trace: [],
    pass(milliseconds) {
      time += milliseconds;
      setClock(time);
    },
    useClock(place) {
      setClock(time + (place === undefined ? 0 : (running.skews[place] ?? 0)));
    },
    begin(request) {
      asks += 1;
      request.lastAsk = asks;
      asked.set(asks, request);
      return asks;
    },
    startGateway: async (place) =>
      await startGateway(shared, stores[place] ?? stores[0], await site.configuration(running.names)),
    note(what, request) {
      violation ??= new Violation(request === undefined ? what : `${what}: ${describe(request)}`);
    },
    check() {
      if (violation === undefined) return;
      violation.message += `\n${running.trace.join('\n')}`;
      throw violation;
    },
    close: async () => {
      for (const gateway of running.gateways) await gateway.close();
      for (const store of stores) await store.close();
    },
  };
  running.gateways.push(await running.startGateway(0), await running.startGateway(1));
  world.authorities.push(noteIssued(world, site.registrationAuthority.certificate.der, undefined));
  return running;
}

/** One client waits once. */
function noteHeld(
  { world, note }: Running,
  request: ModelRequest,
  { reference, ca, decision }: HeldBy,
): void {
  const now = world.now();
  const { held } = request;
  if (held !== undefined && held.reference !== reference && !isLapsed(held.askedAt, now)) {
    note('it waits a second time', request);
  }
  request.held = { reference, ca, decision, askedAt: now };
}
