/** Gateways in process, on one store: each may die between any two calls of the store. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CertificationAuthority } from '../../../src/ca/ca.ts';
import type { Configuration } from '../../../src/config/configuration.ts';
import { openServices, type OpenedServices } from '../../../src/server/services.ts';
import { createProcessState } from '../../../src/server/process-state.ts';
import { sqlite } from '../../../src/store/sqlite.ts';
import type { Decision, StateStore, StateStoreDriver } from '../../../src/store/store.ts';
import { recordLog } from '../../support/log.ts';
import { exchange, type Answer, type Sent } from './exchange.ts';

/** A request that waits for a person, as the store has it. */
export interface HeldBy {
  readonly reference: string;
  readonly ca: string;
  readonly decision: Decision['state'] | undefined;
}

/** What gateways on one store share. */
export interface Shared {
  readonly turns: Turns;
  /** A certificate, DER, is recorded while this request is answered; -1: no request is. */
  readonly onRecorded: (request: number, certificate: Buffer) => void;
  readonly onHeld: (request: number, held: HeldBy) => void;
}

/** One process. */
export interface ModelledGateway {
  ask(request: number, sent: Sent): Promise<Answer>;
  /** Has it die at the next such call of the store of a request. */
  dieAfter(calls: number): void;
  readonly isDead: boolean;
  backend(name: string): CertificationAuthority;
  crl(backend: string): Promise<Buffer>;
  /** As SIGHUP does. */
  reload(configuration: Configuration): Promise<void>;
  close(): Promise<void>;
}

/** Which request a call belongs to. */
const current = new AsyncLocalStorage<number>();

/** On a connection that stays when it ends. */
export async function startGateway(
  shared: Shared,
  store: StateStore,
  configuration: Configuration,
): Promise<ModelledGateway> {
  const log = recordLog();
  const state = createProcessState(configuration.limits, log);
  let callsLeft = Infinity;
  let isDead = false;

  async function gate(): Promise<void> {
    const request = current.getStore();
    if (request === undefined) return;
    await shared.turns.await(request);
    callsLeft -= 1;
    if (callsLeft < 0) isDead = true;
    if (isDead) throw new Error('The gateway has died.');
  }

  const driver: StateStoreDriver = {
    ...sqlite,
    open: async () => await Promise.resolve(watched(store, gate, shared)),
  };
  const open = async ({ drivers, ...others }: Configuration): Promise<OpenedServices> => {
    const opened = await openServices(
      { ...others, drivers: { ...drivers, stateStores: [driver] } },
      log,
      state,
    );
    await store.aliases.keepOnly(Object.keys(others.aliases), others.file, new Date());
    return opened;
  };
  let services = await open(configuration);

  return {
    async ask(request, sent) {
      const { proxy } = services.served;
      if (proxy === undefined) throw new Error('There is no listener.');
      const leave = shared.turns.enter(request);
      try {
        return await current.run(request, async () => await exchange(proxy.handler, sent));
      } finally {
        leave();
      }
    },
    dieAfter(calls) {
      callsLeft = calls;
    },
    get isDead() {
      return isDead;
    },
    backend(name) {
      const ca = services.backends.get(name)?.opened;
      if (ca === undefined || 'forAlias' in ca) throw new Error(`There is no backend ${name}.`);
      return ca;
    },
    async crl(name) {
      const { http } = services.served;
      if (http === undefined) throw new Error('There is no listener.');
      const { status, body } = await exchange(http.handler, { method: 'GET', path: `/crl/${name}.crl` });
      if (status !== 200) throw new Error(`The CRL is answered with ${status}: ${body.toString()}`);
      return body;
    },
    async reload(next) {
      const before = services;
      services = await open(next);
      await before.close();
    },
    close: async () => {
      await services.close();
    },
  };
}

/** Lets one request of several go on at a time, from one call of the store to the next. */
export interface Turns {
  enter(request: number): () => void;
  /** Resolves when it is the turn of this request. */
  await(request: number): Promise<void>;
}

/** `choose` gives one of so many, from 0 on. */
export function createTurns(choose: (of: number) => number): Turns {
  const active = new Set<number>();
  const waiting = new Map<number, () => void>();

  function goOn(): void {
    if (waiting.size === 0 || waiting.size < active.size) return;
    const requests = [...waiting.keys()].sort((one, other) => one - other);
    const chosen = requests[choose(requests.length)] ?? -1;
    const resolve = waiting.get(chosen);
    waiting.delete(chosen);
    resolve?.();
  }

  return {
    enter(request) {
      active.add(request);
      return () => {
        active.delete(request);
        goOn();
      };
    },
    async await(request) {
      if (active.size <= 1) return;
      await new Promise<void>((resolve) => {
        waiting.set(request, resolve);
        goOn();
      });
    },
  };
}

type Call = (...parameters: readonly unknown[]) => unknown;

/** The same store, where every call of a request waits at the gate, and which tells what it was given. */
function watched(store: StateStore, gate: () => Promise<void>, { onRecorded, onHeld }: Shared): StateStore {
  const gated = <Registry extends object>(registry: Registry): Registry =>
    new Proxy(registry, {
      get(target, name) {
        const method = Reflect.get(target, name) as Call;
        return async (...parameters: readonly unknown[]) => {
          await gate();
          return await method(...parameters);
        };
      },
    });
  const [certificates, heldRequests] = [gated(store.certificates), gated(store.heldRequests)];
  const requestNow = (): number => current.getStore() ?? -1;
  return {
    ...store,
    close: () => Promise.resolve(),
    enrollments: gated(store.enrollments),
    users: gated(store.users),
    certificates: instead(certificates, 'add', async (...parameters) => {
      await certificates.add(...parameters);
      onRecorded(requestNow(), parameters[0].certificate);
    }),
    heldRequests: instead(heldRequests, 'hold', async (...parameters) => {
      const held = await heldRequests.hold(...parameters);
      onHeld(requestNow(), { ...held, decision: held.decision?.state });
      return held;
    }),
  };
}

/** A registry with another method in place of one. */
function instead<Registry extends object, Name extends keyof Registry>(
  registry: Registry,
  name: Name,
  method: Registry[Name],
): Registry {
  return new Proxy(registry, {
    get: (target, key) => (key === name ? method : (Reflect.get(target, key) as unknown)),
  });
}
