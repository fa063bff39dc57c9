import { once } from 'node:events';
import { Server as NetServer } from 'node:net';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { connectionOf, type Connection, type Connections } from './connections.ts';

/** Milliseconds between two looks at what is left. */
const interval = 50;

/** Milliseconds without a request after which a connection is not about to bring one. */
const quietTime = 500;

/** Milliseconds beyond the time of a request for its client to take the answer. */
const lastAnswerTime = 2000;

/**
 * Ends a server so that no request is lost: it takes no new connection; every answer says `Connection: close`, but for one
 * with another request behind it; connections are ended when no request is under way and none has come for a moment. What
 * is left when a request that began at the last moment has had its time (`requestTimeout` seconds) is cut off.
 */
export async function drain(
  server: Server,
  { open }: Connections,
  { requestTimeout }: { readonly requestTimeout: number },
): Promise<void> {
  const beganAt = performance.now();
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    // Node answers the last two by itself unless somebody listens.
    if (server.listenerCount(event) > 0) server.prependListener(event, announceEndOfNewest);
  }
  for (const { responses } of open) announceEnd(responses.at(-1));
  // One turn of the event loop accepts what the system has connected already, which it would reset.
  await setImmediate();
  await setImmediate();
  const closed = once(server, 'close');
  // That of HTTP servers ends connections at once over which a request may be on its way, and all deadlines.
  NetServer.prototype.close.call(server);
  const timer = setInterval(() => {
    const now = performance.now();
    const isOver = now - beganAt > requestTimeout * 1000 + lastAnswerTime;
    for (const connection of open) {
      if (isOver) connection.socket.destroy();
      else if (isQuiet(connection, beganAt, now)) connection.stream.destroySoon();
    }
  }, interval);
  await closed;
  clearInterval(timer);
}

function isQuiet(
  { phase, socket, responses, idleSince, receivedBefore }: Connection,
  beganAt: number,
  now: number,
): boolean {
  if (phase !== 'HTTP') return now - beganAt >= quietTime;
  const isBetweenRequests = responses.length === 0 && socket.bytesRead === receivedBefore;
  return isBetweenRequests && now - idleSince >= quietTime;
}

function announceEndOfNewest({ socket }: IncomingMessage, response: ServerResponse): void {
  const before = connectionOf(socket)?.responses.at(-1);
  if (before?.headersSent === false) before.removeHeader('Connection');
  announceEnd(response);
}

function announceEnd(response: ServerResponse | undefined): void {
  if (response?.headersSent === false) response.setHeader('Connection', 'close');
}
