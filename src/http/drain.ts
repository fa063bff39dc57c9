import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Follows the requests and connections of a server from now on. The function that it gives takes no new
 * connection, lets the requests under way get their reply and ends every connection, also those that never sent
 * a request, which `close()` of Node would wait for.
 */
export function createDrain(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  let underWay = 0;
  let whenIdle: (() => void) | undefined;

  function begin(_request: IncomingMessage, response: ServerResponse): void {
    underWay += 1;
    response.once('close', () => {
      underWay -= 1;
      if (underWay === 0) whenIdle?.();
    });
  }

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', begin);
  // Node answers this event by itself unless somebody listens, so it is followed only where somebody does.
  if (server.listenerCount('checkContinue') > 0) server.on('checkContinue', begin);

  return async function drain() {
    const closed = once(server, 'close');
    server.close();
    if (underWay > 0) {
      await new Promise<void>((resolve) => {
        whenIdle = resolve;
      });
    }
    setImmediate(() => {
      for (const socket of sockets) socket.destroySoon();
    });
    await closed;
  };
}
