import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, TLSSocket, type SecureContext } from 'node:tls';
import { newAuthority, newServerCertificate, startTestGateway } from '../support/gateway.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';
import { until } from '../support/upstream.ts';
import { openLdap, search, userDn } from './ldap-source.ts';

describe('an LDAP server that accepts connections and says nothing', () => {
  const sockets = new Set<Socket>();
  let server: Server;
  let urls: readonly string[];
  const shown = { name: 'anna', code: 'her own code' };

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket.resume().on('error', () => undefined));
      socket.on('close', () => sockets.delete(socket));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    urls = [`ldap://127.0.0.1:${(server.address() as AddressInfo).port}`];
  });
  afterAll(() => {
    server.close();
  });

  it('is out of order when the time is over', async () => {
    const source = await openLdap({ urls, userDn, timeouts: { connect: 5, answer: 1 } });
    const verdict = await source.prove(shown, AbortSignal.timeout(20_000));
    expect(verdict).toEqual({ state: 'unavailable', reason: expect.stringContaining('timeout') });
    await until(() => sockets.size === 0, 'the connection is closed');
  });

  it('is left when the request is given up, as is the queue for it', async () => {
    const source = await openLdap({ urls, userDn, limits: { concurrency: 1, queue: 1 } });
    const request = new AbortController();
    const waiting = [source.prove(shown, request.signal), source.prove(shown, request.signal)];
    await until(() => sockets.size === 1, 'the first check has begun');
    expect(await source.prove(shown, request.signal)).toEqual({
      state: 'unavailable',
      reason: 'more checks wait than limits.queue says',
    });
    expect(sockets.size).toBe(1);
    request.abort();
    for (const verdict of await Promise.all(waiting)) expect(verdict.state).toBe('unavailable');
    await until(() => sockets.size === 0, 'the connection is closed');
  });

  it('S-24 keeps no network out of the queue for it because of another one', async () => {
    const source = await openLdap({ urls, userDn, limits: { concurrency: 1, queue: 2 } });
    const request = new AbortController();
    const states: string[] = [];
    const waiting = ['flood 1', 'flood 2', 'flood 3', 'elsewhere'].map(async (client) => {
      const { state } = await source.prove(shown, request.signal, client.split(' ').slice(0, 1));
      states.push(`${client}: ${state}`);
    });
    await until(() => states.length > 0, 'one check is given up');
    expect(states).toEqual(['flood 3: unavailable']);
    request.abort();
    await Promise.all(waiting);
    await until(() => sockets.size === 0, 'the connection is closed');
  });

  it('is out of order at once when it ends the connection', async () => {
    const source = await openLdap({ urls, userDn });
    const verdict = source.prove(shown, AbortSignal.timeout(20_000));
    await until(() => sockets.size === 1, 'the check has begun');
    for (const socket of sockets) socket.destroy();
    expect((await verdict).state).toBe('unavailable');
  });
});

describe('an LDAP server that says of a name that there is none', () => {
  it.each([
    ['noSuchObject', '20'],
    ['invalidDNSyntax', '22'],
  ])('lets the next source be asked about it: %s', async (_result, code) => {
    const server = createServer((socket) => {
      socket.once('data', (bindRequest: Buffer) => {
        const id = bindRequest.toString('hex', 4, 5);
        socket.write(Buffer.from(`300c0201${id}61070a01${code}04000400`, 'hex'));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const urls = [`ldap://127.0.0.1:${(server.address() as AddressInfo).port}`];
      const source = await openLdap({ urls, userDn });
      const shown = { name: 'a code in the wrong place', code: 'her own code' };
      expect(await source.prove(shown, AbortSignal.timeout(20_000))).toEqual({ state: 'unknown' });
    } finally {
      server.close();
    }
  });
});

describe('somebody between the gateway and an LDAP server', () => {
  const startTlsDone = '300c02010278070a010004000400';
  const wrongCode = '300c02010261070a013104000400';
  let folder: Workplace;
  let tls: SecureContext;

  beforeAll(async () => {
    folder = await openWorkplace();
    const ca = await newAuthority();
    const { certificate, key } = await newServerCertificate(ca);
    tls = createSecureContext({ cert: certificate + ca.issuingCertificate, key });
    await writeFile(join(folder.directory, 'ca.pem'), ca.rootCertificate);
  });
  afterAll(async () => {
    await folder.remove();
  });

  it.each(['02', '03'])('slips no answer to message %s in before StartTLS', async (id) => {
    const server = createServer((socket) => {
      socket.once('data', () => {
        // Behind the answer the beginning of a forged success, which ends with what the server says later.
        socket.write(Buffer.from(`${startTlsDone}301a0201${id}61070a010004000400`, 'hex'));
        const secure = new TLSSocket(socket, { isServer: true, secureContext: tls });
        secure.on('error', () => undefined);
        secure.once('data', (bind: Buffer) => {
          // Of the bind the fifth octet is its number.
          secure.write(Buffer.from(wrongCode, 'hex').fill(bind.readUInt8(4), 4, 5));
          secure.on('data', () => secure.end());
        });
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const urls = [`ldap://127.0.0.1:${(server.address() as AddressInfo).port}`];
    const trustAnchor = join(folder.directory, 'ca.pem');
    const source = await openLdap({ urls, userDn, startTls: true, trustAnchor });
    const verdict = await source.prove({ name: 'anna', code: 'wrong' }, AbortSignal.timeout(20_000));
    server.close();
    expect(verdict).toEqual({ state: 'wrong' });
  });
});

describe('the settings of an LDAP directory', () => {
  const files = { 'ldap.pem': rootCertificates[0] ?? '', 'ldap.password': 'secret', empty: '\n' };
  const ldaps = { urls: ['ldaps://ldap.example'], trustAnchor: 'ldap.pem' };

  it.each([
    [
      { urls: ['ldap://ldap.example'], search },
      'would show enrolment codes to the network; use ldaps://, or startTls.',
    ],
    [{ urls: ['ldap://127.evil.example'], search }, 'would show enrolment codes to the network'],
    [{ urls: ['ldaps://ldap.example:99999'], search }, 'urls: expected ldaps://HOST or ldap://HOST'],
    [{ urls: ['ldaps://ldap.example'], search }, 'trustAnchor is missing'],
    [{ urls: ['ldap://localhost'], startTls: true, search }, 'trustAnchor is missing'],
    [ldaps, 'Give either search or userDn'],
    [{ ...ldaps, search, userDn }, 'Give either search or userDn'],
    [{ ...ldaps, search: { ...search, bindPassword: 'file:empty' } }, 'search.bindPassword is empty'],
    [
      { ...ldaps, search: { ...search, filter: '(uid=${username}' } },
      'search.filter is no filter of RFC 4515',
    ],
    [{ ...ldaps, search: { ...search, filter: '(uid=anna)' } }, 'search.filter'],
    [{ ...ldaps, userDn: '${username}' }, 'userDn'],
  ])('refuses to start with %j', async (options, sentence) => {
    const credentials = [{ driver: 'ldap', ...options }];
    await expect(startTestGateway({ aliases: { wrong: { credentials } }, files })).rejects.toThrow(sentence);
  });
});
