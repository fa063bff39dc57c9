import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { setTimeout as sleep } from 'node:timers/promises';
import { webhookCredentials } from '../../src/auth/credentials/webhook.ts';
import { createTransport } from '../../src/ca/ejbca/transport.ts';
import { createWebService } from '../../src/ca/ejbca/web-service.ts';
import { openCredentials } from '../../src/ca/ejbca/credentials.ts';
import type { CertificationAuthority } from '../../src/ca/ca.ts';
import type { EstOptions } from '../../src/ca/est/options.ts';
import { estDriver } from '../../src/ca/est/driver.ts';
import { textOf } from '../../src/server/context.ts';
import type { ServiceOptions } from '../../src/ops/service-options.ts';
import { openPolicyWebhook } from '../../src/policy/webhook.ts';
import { newRequest, openRegistry } from '../ca/setup.ts';
import { newAuthority, newServerCertificate } from '../support/gateway.ts';
import { recordLog } from '../support/log.ts';
import { openWorkplace, type Workplace } from '../support/programs.ts';
import { until } from '../support/upstream.ts';
import { openLdap, userDn } from '../auth/ldap-source.ts';

const services = ['ejbca', 'est', 'webhook of credentials', 'webhook of the policy', 'ldap'] as const;
type Service = (typeof services)[number];
const overHttp = services.filter((service) => service !== 'ldap');

/** Asks a service once; rejects with what the gateway says of it. */
type Ask = (signal?: AbortSignal) => Promise<unknown>;

const log = recordLog();
const unhurried: AbortSignal = new AbortController().signal;

const ejbcaOptions = { retryAfter: 1, transactionTimeout: 300, record: 'complete' } as const;

async function openEst(
  url: string,
  options: ServiceOptions,
  { trustAnchor, clientCertificate }: Files,
  changes: Partial<EstOptions> = {},
): Promise<CertificationAuthority> {
  const registry = await openRegistry();
  const ca = await estDriver.open(
    {
      ...options,
      url: `${url}/.well-known/est`,
      trustAnchor,
      clientCertificate,
      identity: 'registrationAuthority',
      renewals: 'simpleenroll',
      linked: 'refuse',
      relay: [],
      retryAfter: 300,
      ...changes,
    },
    { name: 'est', ...registry, pendingExpiry: 60, log },
  );
  opened.push(async () => {
    await ca.close?.();
    await registry.close();
  });
  return ca;
}

/** How each service is opened; its certificate and the gateway's are in the files. */
const openers: Readonly<
  Record<Service, (url: string, options: ServiceOptions, files: Files) => Promise<Ask>>
> = {
  async ejbca(url, options, { trustAnchor, clientCertificate }) {
    const all = {
      ...options,
      ...ejbcaOptions,
      baseUrl: `${url}/ejbca`,
      trustAnchor,
      clientCertificate,
    };
    const credentials = await openCredentials(all);
    const transport = createTransport({
      ...{ options: all, credentials, name: 'ejbca', log },
      trustAnchor: await readFile(trustAnchor, 'utf8'),
    });
    opened.push(() => {
      transport.close();
    });
    const service = createWebService(transport, 'ejbca', log);
    return async (signal = unhurried) => await service.findEndEntity('meter', 'r-1', signal);
  },
  async est(url, options, given) {
    const ca = await openEst(url, options, given);
    return async (signal = unhurried) => {
      await ca.health?.(signal);
    };
  },
  async 'webhook of credentials'(url, options, { trustAnchor, clientCertificate }) {
    const users = { prove: async () => await Promise.resolve({ state: 'unknown' as const }) };
    const source = await webhookCredentials.open(
      { ...options, url, trustAnchor, clientCertificate },
      { alias: 'est', users, log },
    );
    return async (signal = unhurried) => {
      const verdict = await source.prove({ name: 'anna', code: 'hers' }, signal);
      if (verdict.state === 'unavailable') throw new Error(verdict.reason);
    };
  },
  async 'webhook of the policy'(url, options, { trustAnchor, clientCertificate }) {
    const ask = await openPolicyWebhook({ ...options, url, trustAnchor, clientCertificate }, log);
    type View = Parameters<typeof ask>[0];
    return async (signal = unhurried) => {
      await ask({} as View, 'r-1', signal);
    };
  },
  async ldap(url, options, { trustAnchor }) {
    const source = await openLdap({ ...options, urls: [url.replace('https', 'ldaps')], trustAnchor, userDn });
    return async (signal = unhurried) => {
      const verdict = await source.prove({ name: 'anna', code: 'hers' }, signal);
      if (verdict.state === 'unavailable') throw new Error(verdict.reason);
    };
  },
};

interface Files {
  readonly trustAnchor: string;
  readonly clientCertificate: {
    readonly certificate: string;
    readonly privateKey: string;
    readonly passphrase: string;
  };
}

const passphrase = 'opens the key';

function encrypted(key: string): string {
  const form = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(key).export(form).toString();
}

const opened: (() => Promise<void> | void)[] = [];
let workplace: Workplace;
let files: Files;
let rootPem: string;
let tls: Awaited<ReturnType<typeof newServerCertificate>>;
let listening: Server[] = [];

beforeAll(async () => {
  const authority = await newAuthority();
  tls = await newServerCertificate(authority);
  rootPem = authority.rootCertificate + authority.issuingCertificate;
  workplace = await openWorkplace();
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(workplace.directory, name);
    await writeFile(path, text);
    return path;
  };
  files = {
    trustAnchor: await write('root.pem', rootPem),
    clientCertificate: {
      certificate: await write('own.pem', tls.certificate + authority.issuingCertificate),
      privateKey: `file:${await write('own.key', encrypted(tls.key))}`,
      passphrase: `file:${await write('passphrase', passphrase)}`,
    },
  };
});
afterAll(async () => {
  await workplace.remove();
});

const sockets = new Set<Socket>();
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  for (const socket of sockets) socket.destroy();
  for (const server of listening) server.close();
  listening = [];
});

/** A server of whatever kind on a free port, and its URL. */
async function listen(server: Server): Promise<string> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  listening.push(server);
  await once(server, 'listening');
  return `https://localhost:${(server.address() as AddressInfo).port}`;
}

/** Accepts connections, and says nothing. */
async function listenMutely(): Promise<string> {
  return await listen(createTcpServer((socket) => socket.resume()));
}

async function listenForHttp(answer: RequestListener): Promise<string> {
  return await listen(createServer({ cert: tls.certificate, key: tls.key }, answer));
}

/** Seconds until it is refused, and with which words. */
async function refusal(
  asked: Promise<unknown>,
): Promise<{ readonly seconds: number; readonly text: string }> {
  const startedAt = performance.now();
  const text = await asked.then(() => 'an answer', textOf);
  return { seconds: (performance.now() - startedAt) / 1000, text };
}

const options = (changes: {
  readonly timeouts?: Partial<ServiceOptions['timeouts']>;
  readonly limits?: Partial<ServiceOptions['limits']>;
  readonly circuitBreaker?: Partial<ServiceOptions['circuitBreaker']>;
}): ServiceOptions => ({
  timeouts: { connect: 20, answer: 20, ...changes.timeouts },
  limits: { maxResponse: 65_536, concurrency: 10, queue: 10, ...changes.limits },
  circuitBreaker: { failures: 1000, pause: 60, ...changes.circuitBreaker },
});

async function open(
  service: Service,
  url: string,
  changes: Parameters<typeof options>[0],
  others: Partial<Files> = {},
): Promise<Ask> {
  return await openers[service](url, options(changes), { ...files, ...others });
}

describe('how a service is reached', () => {
  it.each(services)('trustAnchor says whose certificate the service must have: %s', async (service) => {
    let asked = 0;
    const server = createTlsServer({ cert: tls.certificate, key: tls.key }, (socket) => {
      socket.on('data', () => {
        asked += 1;
        socket.destroy();
      });
      socket.on('error', () => undefined);
    });
    const url = await listen(server);
    const { rootCertificate } = await newAuthority();
    const other = join(workplace.directory, 'other.pem');
    await writeFile(other, rootCertificate);
    await refusal((await open(service, url, {}, { trustAnchor: other }))());
    expect(asked).toBe(0);
    await refusal((await open(service, url, {}))());
    expect(asked).toBeGreaterThan(0);
  });

  it.each(overHttp)(
    'clientCertificate says who the gateway is, by a key that a passphrase opens: %s',
    async (service) => {
      const seen = new Set<string>();
      const asking = { cert: tls.certificate, key: tls.key, requestCert: true, rejectUnauthorized: false };
      const url = await listen(
        createServer(asking, ({ socket }, response) => {
          const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
          seen.add(shown?.fingerprint256 ?? 'nobody');
          response.end();
        }),
      );
      await refusal((await open(service, url, {}))());
      expect([...seen]).toEqual([new X509Certificate(tls.certificate).fingerprint256]);
    },
  );

  it('retryAfter is told to clients whose request waits at an upstream that says nothing of it', async () => {
    const url = await listenForHttp((_request, response) => response.writeHead(202).end());
    const ca = await openEst(url, options({}), files, { retryAfter: 77 });
    expect(await ca.enroll(newRequest(), unhurried)).toMatchObject({ status: 'pending', retryAfter: 77 });
  });

  it('oauth.clientCredentials are sent to the identity provider that its trustAnchor vouches for', async () => {
    const asked: string[] = [];
    const url = await listenForHttp((request, response) => {
      void (async () => {
        asked.push((await request.toArray()).join(''), String(request.headers.authorization));
        response.setHeader('Content-Type', 'application/json');
        response.end(
          JSON.stringify({ access_token: 'token-of-the-provider', token_type: 'Bearer', expires_in: 600 }),
        );
      })();
    });
    const secret = join(workplace.directory, 'client-secret');
    await writeFile(secret, 'its secret');
    const provider = { tokenUrl: `${url}/token`, clientId: 'gateway', clientSecret: `file:${secret}` };
    const tokenBy = async (trustAnchor: string): Promise<unknown> => {
      const clientCredentials = { ...provider, scope: 'ejbca enrol', trustAnchor };
      const place = { baseUrl: url, trustAnchor: files.trustAnchor };
      const all = { ...options({}), ...ejbcaOptions, ...place, oauth: { clientCredentials } };
      return await (await openCredentials(all)).authorization();
    };
    const { rootCertificate } = await newAuthority();
    const other = join(workplace.directory, 'another.pem');
    await writeFile(other, rootCertificate);
    await expect(tokenBy(other)).rejects.toThrow();
    expect(asked).toEqual([]);
    expect(await tokenBy(files.trustAnchor)).toBe('Bearer token-of-the-provider');
    expect(new URLSearchParams(asked[0]).get('scope')).toBe('ejbca enrol');
  });
});

describe('what bounds a service', () => {
  it.each(services)('timeouts.connect ends the wait for a connection of TLS: %s', async (service) => {
    const ask = await open(service, await listenMutely(), { timeouts: { connect: 1 } });
    const { seconds, text } = await refusal(ask());
    expect(text).not.toBe('an answer');
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(15);
  });

  it.each(overHttp)('timeouts.answer ends the wait for an answer: %s', async (service) => {
    const ask = await open(service, await listenForHttp(() => undefined), { timeouts: { answer: 1 } });
    const { seconds, text } = await refusal(ask());
    expect(text).not.toBe('an answer');
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(15);
  });

  it.each(overHttp)('limits.maxResponse ends an answer that is larger: %s', async (service) => {
    const url = await listenForHttp((_request, response) => response.end(Buffer.alloc(2000, ' ')));
    const small = await open(service, url, { limits: { maxResponse: 1000 } });
    const large = await open(service, url, { limits: { maxResponse: 2000 } });
    expect((await refusal(small())).text).toContain('limits.maxResponse');
    expect((await refusal(large())).text).not.toContain('limits.maxResponse');
  });

  it.each(services)(
    'limits.concurrency and limits.queue bound what is asked at once and what waits: %s',
    async (service) => {
      const asked = new AbortController();
      const mute = service === 'ldap' ? await listenMutely() : await listenForHttp(() => undefined);
      const ask = await open(service, mute, { limits: { concurrency: 2, queue: 1 } });
      const texts: string[] = [];
      const all = Array.from({ length: 4 }, async () => {
        texts.push((await refusal(ask(asked.signal))).text);
      });
      await until(() => texts.length > 0, 'one is refused');
      await until(() => sockets.size === 2, 'two are asked');
      expect(texts).toHaveLength(1);
      expect(sockets.size).toBe(2);
      asked.abort(new Error('The spec is over.'));
      await Promise.all(all);
    },
  );

  it.each(overHttp)(
    'circuitBreaker.failures in a row make circuitBreaker.pause, after which it is asked again: %s',
    async (service) => {
      let requests = 0;
      const url = await listenForHttp((request) => {
        requests += 1;
        request.socket.destroy();
      });
      const ask = await open(service, url, { circuitBreaker: { failures: 2, pause: 1 } });
      for (let n = 0; n < 4; n += 1) await refusal(ask());
      // Some ask twice before they take it for a failure.
      expect([2, 4]).toContain(requests);
      const before = requests;
      await refusal(ask());
      expect(requests).toBe(before);
      await sleep(1100);
      await refusal(ask());
      expect(requests).toBeGreaterThan(before);
    },
  );
});
