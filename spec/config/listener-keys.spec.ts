import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { freePorts } from '../cli/command-line.ts';

/** Where each listener is told to listen; Linux has all of 127.0.0.0/8. */
const addresses = { est: '127.0.0.2', proxy: '127.0.0.3', http: '127.0.0.4' } as const;

describe('listeners', () => {
  let gateway: TestGateway;
  let port: number;
  beforeAll(async () => {
    port = await freePorts();
    gateway = await startTestGateway({
      est: { address: addresses.est, port, minimumVersion: 'TLSv1.3' },
      http: { address: addresses.http, port },
      proxy: { address: addresses.proxy, port, clientCertificate: 'nginx', headerBytes: 16_384 },
    });
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** What speaks there: TLS, HTTP, or nothing. */
  async function spokenAt(host: string): Promise<string> {
    const socket = connect({ host, port });
    try {
      await once(socket, 'connect');
      socket.end('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      const octets = Buffer.concat(await socket.toArray());
      return octets.toString('latin1').startsWith('HTTP/1.1') ? 'HTTP' : 'TLS';
    } catch {
      return 'nothing';
    } finally {
      socket.destroy();
    }
  }

  it('listen at their addresses and ports, and at no others', async () => {
    const spoken = [addresses.est, addresses.proxy, addresses.http, '127.0.0.1'].map(spokenAt);
    expect(await Promise.all(spoken)).toEqual(['TLS', 'HTTP', 'HTTP', 'nothing']);
  });

  it('speak no older version of TLS than minimumVersion', async () => {
    const versionOf = async (maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> => {
      const socket = connectTls({ host: addresses.est, port, maxVersion, rejectUnauthorized: false });
      try {
        await once(socket, 'secureConnect');
        return socket.getProtocol();
      } catch {
        return null;
      } finally {
        socket.destroy();
      }
    };
    expect(await versionOf('TLSv1.2')).toBeNull();
    expect(await versionOf('TLSv1.3')).toBe('TLSv1.3');
  });

  it('take no larger header from a proxy than headerBytes', async () => {
    const statusOf = async (octets: number): Promise<number | undefined> => {
      const asking = request({
        ...{ host: addresses.proxy, port, path: '/.well-known/est/cacerts' },
        headers: { 'X-Forwarded-For': '192.0.2.1', 'X-Filling': 'x'.repeat(octets) },
      }).end();
      const [response] = (await once(asking, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    };
    expect([await statusOf(15_000), await statusOf(17_000)]).toEqual([200, 431]);
  });
});
