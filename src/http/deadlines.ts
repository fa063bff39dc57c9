import type { Connection, Connections } from './connections.ts';

/** Seconds. */
export interface Deadlines {
  /** Until the header of a request, and the whole request, must be complete. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
}

/** Milliseconds between two looks at the connections. */
const interval = 1000;

/** Milliseconds for which a connection is kept for the next request; Node ends it then. */
export const keepAliveTimeout = 5000;

/** Milliseconds for a peer to end its side of a connection that has ended here. */
const closingTimeout = 5000;

/** Octets of answers that a client must take in a second, on average, when it needs longer than a request may take. */
const leastRate = 1000;

/** What was seen of a connection. Times are milliseconds of `performance.now()`. */
interface Look {
  readonly received: number;
  /** Octets that the peer, or the system for it, has taken. */
  readonly sent: number;
  /** When one of both was last seen to grow. */
  readonly movedAt: number;
  /** Octets wait for the peer since then, when it had taken so many; the latest of them at `sentAt`. */
  readonly waiting:
    { readonly since: number; readonly sentBefore: number; readonly sentAt: number } | undefined;
  /** Since when this side has ended it. */
  readonly endedAt: number | undefined;
}

/**
 * Destroys every connection whose time is over: in handshakes, between requests, with requests that nothing moves, and
 * whose client does not take its answers or does not go when it has them. Node's own deadlines, which are answered, come
 * first, and hold for the receipt of requests alone. Gives the function that ends it.
 */
export function enforceDeadlines({ open }: Connections, deadlines: Deadlines): () => void {
  let looks: ReadonlyMap<Connection, Look> = new Map();
  const timer = setInterval(() => {
    const now = performance.now();
    looks = new Map(
      [...open].map((connection) => [connection, look(connection, looks.get(connection), now)]),
    );
    for (const [connection, seen] of looks) {
      const { due, socket } = connection;
      if (due !== undefined && due.at < now) connection.failure ??= new Error(due.otherwise);
      else if (!isOverdue(connection, seen, deadlines, now)) continue;
      socket.destroy();
    }
  }, interval);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}

function look({ socket, stream }: Connection, before: Look | undefined, now: number): Look {
  const received = socket.bytesRead;
  // Node counts as written what still waits.
  const sent = stream.bytesWritten - stream.writableLength;
  const isSame = received === before?.received && sent === before.sent;
  const { since, sentBefore } = before?.waiting ?? { since: now, sentBefore: sent };
  const sentAt = sent === before?.sent ? (before.waiting?.sentAt ?? now) : now;
  return {
    received,
    sent,
    movedAt: isSame ? before.movedAt : now,
    waiting: stream.writableLength > 0 ? { since, sentBefore, sentAt } : undefined,
    endedAt: stream.writableEnded ? (before?.endedAt ?? now) : undefined,
  };
}

function isOverdue(
  { phase, responses, idleSince }: Connection,
  { sent, movedAt, waiting, endedAt }: Look,
  deadlines: Deadlines,
  now: number,
): boolean {
  const requestTimeout = deadlines.requestTimeout * 1000;
  if (endedAt !== undefined) return now - endedAt > Math.min(closingTimeout, requestTimeout);
  if (phase !== 'HTTP') return false;
  if (waiting !== undefined) {
    const time = now - waiting.since;
    const isSlow = ((sent - waiting.sentBefore) / time) * 1000 < leastRate;
    return now - waiting.sentAt > requestTimeout || (time > requestTimeout && isSlow);
  }
  if (responses.length > 0) return now - movedAt > 2 * requestTimeout;
  return now - idleSince > deadlines.headersTimeout * 1000 + keepAliveTimeout + 2 * interval;
}
