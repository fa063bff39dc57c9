import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { createDebts } from '../ops/debts.ts';
import { connectionOf, type Connection } from './connections.ts';
import { createLine } from './handshake-line.ts';
import { TooManyConnections } from './shares.ts';

/** Lets TLS handshakes begin as fast as they can be done. */
export interface Handshakes {
  /**
   * Resolves when a connection of an address in these networks (`networksOf`) may begin its handshake. Throws
   * TooManyConnections when they have cost too much lately.
   */
  enter(connection: Connection, networks: readonly string[]): Promise<void>;
}

/** What holds for handshakes. */
interface HandshakeLimits {
  /** Seconds for which one may wait for its turn. */
  readonly requestTimeout: number;
}

/**
 * Handshakes that begin in one turn of the event loop; those that others have begun, and requests, go on in each turn.
 * So there is no more work than can be done soon, however many wait.
 */
const perTurn = 8;

/** Handshakes under way. */
const mostAtOnce = 256;

/** Milliseconds after which a handshake that is not complete gives its place to one that waits, when all are taken. */
const idleTime = 2000;

/**
 * Milliseconds of waiting after which a handshake is late: all that are not late come before it. Where some that are not
 * late have waited for longer than `busyTime`, they will go on coming, and those that are late are given up.
 */
const lateTime = 3000;
const busyTime = 5000;

/** Octets of a client in its handshake; the largest certificates are those with SLH-DSA, of some 50 KB. */
const mostOctets = 65_536;

/** Milliseconds between two looks at them. */
const octetsInterval = 10;

/**
 * Octets of a client in which no dear handshake fits. How much CPU one has used is known only as the time since something
 * else was done, and what else went on meanwhile is charged to nobody who has not sent more than that.
 */
const smallOctets = 10_240;

/** Milliseconds of CPU of a larger handshake that cost nothing, and what one that fails costs at least. */
const usualCost = 5;
const costOfFailure = 2;

/** For an HTTPS server; the server must not listen yet. */
export function createHandshakes(server: Server, { requestTimeout }: HandshakeLimits): Handshakes {
  const line = createLine<Waiting>();
  const late = createLine<Waiting>();
  const debts = createDebts();
  const lap = createStopwatch();
  /** The oldest first. */
  const underWay = new Map<Connection, Begun>();
  /** Since when some wait that are not late. */
  let busySince = performance.now();
  let isScheduled = false;
  let isWatched = false;

  async function enter(connection: Connection, networks: readonly string[]): Promise<void> {
    const { socket } = connection;
    if (debts.owes(networks)) throw owing();
    const since = performance.now();
    if (line.length === 0) busySince = since;
    connection.due = { at: since + requestTimeout * 1000, otherwise: 'Too many handshakes wait.' };
    const turn = Promise.withResolvers<undefined>();
    const waiting = { networks, since, turn };
    line.add(waiting, networks);
    schedule();
    const leave = (): void => {
      line.remove(waiting, networks);
      late.remove(waiting, networks);
    };
    socket.once('close', leave);
    await turn.promise;
    socket.off('close', leave);
    if (debts.owes(networks)) throw owing();
    begin(connection, networks);
  }

  function begin(connection: Connection, networks: readonly string[]): void {
    lap();
    underWay.set(connection, { networks, since: performance.now() });
    connection.socket.once('close', () => {
      if (!underWay.delete(connection)) return;
      if (connection.socket.bytesRead > connection.announced) charge(connection, networks, costOfFailure);
      if (isAwaited()) schedule();
    });
    watchOctets();
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      for (let begun = 0; begun < perTurn && hasRoom(); begun += 1) next()?.turn.resolve(undefined);
      if (isAwaited() && hasRoom()) schedule();
    });
    // What the answers to those that begin have cost.
    setImmediate(lap);
  }

  const isAwaited = (): boolean => line.length + late.length > 0;

  function next(): Waiting | undefined {
    const now = performance.now();
    for (;;) {
      const waiting = line.next();
      if (waiting === undefined) return late.next();
      if (now - waiting.since < lateTime) {
        if (now - busySince > busyTime) giveUpLate();
        return waiting;
      }
      late.add(waiting, waiting.networks);
    }
  }

  function giveUpLate(): void {
    for (let given = late.next(); given !== undefined; given = late.next()) {
      given.turn.reject(new TooManyConnections('Too many handshakes wait.'));
    }
  }

  /** Where all places are taken, the oldest handshake ends if it had time enough. */
  function hasRoom(): boolean {
    if (underWay.size < mostAtOnce) return true;
    const [oldest] = underWay;
    if (oldest === undefined || performance.now() - oldest[1].since < idleTime) return false;
    const [connection, { networks }] = oldest;
    underWay.delete(connection);
    debts.charge(networks, costOfFailure);
    connection.failure ??= new Error('The handshake took too long while others waited.');
    connection.socket.destroy();
    return true;
  }

  function charge({ socket, announced }: Connection, networks: readonly string[], least: number): void {
    const used = lap();
    const isSmall = socket.bytesRead - announced <= smallOctets;
    const cost = isSmall ? least : Math.max(least, used - usualCost);
    if (cost <= 0) return;
    debts.charge(networks, cost);
    if (debts.owes(networks)) refuseWhoOwes();
  }

  /** What is under way has not cost anything yet. */
  function refuseWhoOwes(): void {
    for (const [connection, { networks }] of underWay) {
      if (!debts.owes(networks)) continue;
      underWay.delete(connection);
      connection.failure ??= owing();
      connection.socket.destroy();
    }
  }

  function watchOctets(): void {
    if (isWatched) return;
    isWatched = true;
    setTimeout(() => {
      isWatched = false;
      for (const connection of underWay.keys()) refuseLarge(connection);
      if (underWay.size > 0) watchOctets();
      if (isAwaited()) schedule();
    }, octetsInterval).unref();
  }

  server.prependListener('secureConnection', (stream: TLSSocket) => {
    const connection = connectionOf(stream);
    const begun = connection && underWay.get(connection);
    if (connection === undefined || begun === undefined) return;
    underWay.delete(connection);
    charge(connection, begun.networks, 0);
    if (isAwaited()) schedule();
  });
  // What requests cost is not the cost of the next handshake.
  for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, lap);

  return { enter };
}

/** A handshake that has begun. */
interface Begun {
  readonly networks: readonly string[];
  readonly since: number;
}

/** A connection that waits for its turn. */
interface Waiting {
  readonly networks: readonly string[];
  readonly since: number;
  readonly turn: PromiseWithResolvers<undefined>;
}

function owing(): TooManyConnections {
  return new TooManyConnections('Handshakes of this address or network have failed or cost too much.');
}

/** Ends a connection that sends more than a handshake needs, before OpenSSL verifies it. */
function refuseLarge(connection: Connection): void {
  const { announced, socket } = connection;
  if (socket.bytesRead - announced <= mostOctets) return;
  connection.failure ??= new Error('The certificates of the client are too large.');
  socket.destroy();
}

/**
 * Gives the milliseconds of CPU that this thread has used since it was last called. OpenSSL does a handshake in Node's
 * own code and calls back at its end, so that nothing else tells what one has cost.
 */
function createStopwatch(): () => number {
  let before = 0;
  return () => {
    const { user, system } = process.threadCpuUsage();
    const now = (user + system) / 1000;
    const used = now - before;
    before = now;
    return used;
  };
}
