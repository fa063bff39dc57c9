import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { openTls, readUntil } from '../support/client.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ limits: { handshakeTimeout: 1, headersTimeout: 1, requestTimeout: 1 } });
  await writeFile(join(gateway.directory, 'anchor.pem'), gateway.trustAnchor);
});
afterAll(async () => {
  await gateway.stop();
});

/** What `openssl s_client` says of a connection, whether the handshake succeeds or not. */
async function sClient(options: string, input = ''): Promise<string> {
  const words = `s_client -connect localhost:${gateway.port} -CAfile anchor.pem ${options}`.split(' ');
  return await new Promise((resolve) => {
    const child = execFile('openssl', words, { cwd: gateway.directory }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
    child.stdin?.end(input);
  });
}

describe('TLS (RFC 7030, section 3.3)', () => {
  it('T-01 speaks no plain HTTP', async () => {
    const socket = connectTcp(gateway.port, 'localhost');
    socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(answer).not.toContain('200');
  });

  it.each([
    ['-tls1_2', 'TLSv1.2'],
    ['-tls1_3', 'TLSv1.3'],
  ])('T-03 offers %s', async (option, protocol) => {
    expect(await sClient(option)).toContain(protocol);
  });

  it('T-04 authenticates itself by a chain to the root, with the name in subjectAltName', async () => {
    expect(await sClient('-verify_return_error -verify_hostname localhost -x509_strict')).toContain(
      'Verify return code: 0 (ok)',
    );
  });

  it('T-09 offers secure renegotiation in its hello, and refuses to renegotiate', async () => {
    expect(await sClient('-tls1_2')).toContain('Secure Renegotiation IS supported');
    const socket = await openTls({ port: gateway.port, ca: gateway.trustAnchor, maxVersion: 'TLSv1.2' });
    const finished = socket.getFinished();
    const outcome = await Promise.race([
      new Promise<string>((resolve) => {
        socket.renegotiate({}, (error) => {
          resolve(error === null ? 'renegotiated' : 'refused');
        });
      }),
      once(socket, 'close').then(() => 'refused'),
      once(socket, 'error').then(() => 'refused'),
    ]);
    expect(outcome).toBe('refused');
    expect(socket.destroyed || socket.getFinished()?.equals(finished ?? Buffer.alloc(0))).toBe(true);
    socket.destroy();
  });

  it('T-10 resumes a session', async () => {
    const options = { port: gateway.port, ca: gateway.trustAnchor, maxVersion: 'TLSv1.2' } as const;
    const first = await openTls(options);
    const session = first.getSession();
    first.destroy();
    const second = await openTls({ ...options, session });
    expect(second.isSessionReused()).toBe(true);
    second.destroy();
  });

  it('T-11 T-12 T-22 asks for a client certificate and names the CAs, few of them', async () => {
    const said = await sClient('-tls1_2');
    expect(said).toContain('Acceptable client certificate CA names');
    expect(said.match(/^CN = Test (Root|Issuing) CA$/gm)).toHaveLength(2);
    expect(said).toContain('Verify return code: 0 (ok)');
  });

  it('H-29 S-44 offers HTTP/1.1 alone', async () => {
    expect(await sClient('-alpn h2,http/1.1')).toContain('ALPN protocol: http/1.1');
  });

  it('PQ-13 prefers a hybrid group, and does with P-256', async () => {
    expect(await sClient('-groups P-256')).toContain('Verify return code: 0 (ok)');
    const socket = connect({
      port: gateway.port,
      ca: gateway.trustAnchor,
      servername: 'localhost',
      ecdhCurve: 'X25519MLKEM768',
    });
    await once(socket, 'secureConnect');
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
  });

  it('S-04 ends a handshake that does not go on', async () => {
    const socket = connectTcp(gateway.port, 'localhost');
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });

  it('ends connections with close_notify', async () => {
    const socket = await openTls({ port: gateway.port, ca: gateway.trustAnchor });
    const ended = once(socket, 'end');
    socket.write('GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(await readUntil(socket, '\n\r\n'.slice(0, 1))).toContain('200');
    await ended;
    expect(socket.readableEnded).toBe(true);
  });
});
