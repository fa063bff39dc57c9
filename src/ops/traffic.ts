import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What is under way at a server. */
export interface Traffic {
  /** Resolves when every request that is under way now has its reply, or nobody to reply to. */
  readonly answered: () => Promise<void>;
  /**
   * Takes no new connection, lets the requests under way get their reply and ends every connection, also those that
   * never sent a request, which `close()` of Node would wait for.
   */
  readonly drain: () => Promise<void>;
}

/** Follows the requests and connections of a server from now on. */
export function followTraffic(server: Server): Traffic {
  const sockets = new Set<Socket>();
  const underWay = new Set<ServerResponse>();

  function begin(_request: IncomingMessage, response: ServerResponse): void {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  }

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', begin);
  // Node answers this event by itself unless somebody listens, so it is followed only where somebody does.
  if (server.listenerCount('checkContinue') > 0) server.on('checkContinue', begin);

  async function answered(): Promise<void> {
    await Promise.all([...underWay].map(closed));
  }

  return {
    answered,
    async drain() {
      const ended = once(server, 'close');
      server.close();
      while (underWay.size > 0) await answered();
      setImmediate(() => {
        for (const socket of sockets) socket.destroySoon();
      });
      await ended;
    },
  };
}

async function closed(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
  });
}
