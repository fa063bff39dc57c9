import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as an upstream got it. */
interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** A plain HTTP server in the place of a CA's. */
export interface TestUpstream {
  /** Without a slash at the end; by address. */
  readonly url: string;
  readonly requests: readonly ReceivedRequest[];
  /** Connections that are open now. */
  readonly connections: ReadonlySet<Socket>;
  /** Answers from now on so. */
  answer(listener: RequestListener): void;
  /** Forgets the requests. */
  forget(): void;
  /** Ends every connection, and refuses new ones until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** Starts one; its first answers are 404. */
export async function startUpstream(): Promise<TestUpstream> {
  let listener: RequestListener = (_request, response) => {
    response.writeHead(404).end();
  };
  const requests: ReceivedRequest[] = [];
  const connections = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    listener(request, response);
  });
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    connections,
    answer: (next) => {
      listener = next;
    },
    forget: () => {
      requests.length = 0;
    },
    down: async () => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    up: async () => {
      await listen(port);
    },
  };
}

/** Resolves when the condition holds; rejects after five seconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  seconds = 5,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`It did not happen in ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
