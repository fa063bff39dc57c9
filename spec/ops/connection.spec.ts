import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createConnection, serverVerdict, type Connection } from '../../src/ops/connection.ts';

describe('serverVerdict()', () => {
  const servers: Server[] = [];
  const connections: Connection[] = [];

  afterEach(() => {
    for (const connection of connections.splice(0)) connection.close();
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  /** What a request says about a server that answers so. */
  async function verdictOn(answer: RequestListener, signal = new AbortController().signal): Promise<string> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const connection = createConnection({
      peer: 'The service',
      tls: {},
      timeouts: { connect: 1, answer: 0.2 },
      limits: { maxResponse: 10, concurrency: 1 },
    });
    connections.push(connection);
    const { port } = server.address() as AddressInfo;
    const request = { method: 'GET', url: `http://127.0.0.1:${port}/`, headers: {} } as const;
    return await connection.send(request, signal).then(
      () => 'an answer',
      (error: unknown) => serverVerdict(error),
    );
  }

  it('says that a server fails which is silent, or ends the connection', async () => {
    expect(await verdictOn(() => undefined)).toBe('fails');
    expect(await verdictOn((request) => request.socket.destroy())).toBe('fails');
  });

  it('says nothing when the caller was out of time or gone before the server was', async () => {
    const gone = new AbortController();
    expect(
      await verdictOn(() => {
        gone.abort();
      }, gone.signal),
    ).toBe('unknown');
    expect(await verdictOn(() => undefined, AbortSignal.timeout(50))).toBe('unknown');
    expect(serverVerdict(new TypeError('a mistake of our own'))).toBe('unknown');
  });

  it('says that a server works which answers, even with too much', async () => {
    expect(await verdictOn((_request, response) => response.end('fine'))).toBe('an answer');
    expect(await verdictOn((_request, response) => response.end('far too much'))).toBe('works');
  });
});
