import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { exchangeRaw, openTls, readUntil } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

const get = 'GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n';

describe('a gateway for one connection at a time', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    const limits = { connections: 1, handshakeTimeout: 1, headersTimeout: 1, requestTimeout: 1 };
    gateway = await startTestGateway({ limits });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  const tls = () => ({ port: gateway.port, ca: gateway.trustAnchor });

  /** Tries until the one before is gone, which is seen by nothing but being let in. */
  async function served(): Promise<string> {
    for (;;) {
      try {
        return await exchangeRaw(tls(), `${get}Connection: close\r\n\r\n`);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
      }
    }
  }

  it('S-05 closes a second connection at once, and serves the first and the next', async () => {
    const first = await openTls(tls());
    const second = connectTcp(gateway.port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    expect(second.bytesRead).toBe(0);
    first.write(`${get}Connection: close\r\n\r\n`);
    expect(await readUntil(first, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await served()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('S-04 leaves a client that reads none of its answers, for the next one', async () => {
    const deaf = await openTls(tls());
    deaf.on('error', () => undefined);
    deaf.pause();
    deaf.write(`${get}\r\n`.repeat(20_000));
    expect(await served()).toMatch(/^HTTP\/1\.1 200 /);
    deaf.destroy();
  });
});
