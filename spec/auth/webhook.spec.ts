import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { rootCertificates } from 'node:tls';
import { openTls, send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';
import { newServiceTls } from '../support/service-tls.ts';
import { startUpstream, until } from '../support/upstream.ts';
import {
  answersThatPermitNothing,
  say,
  sayJson,
  startWebhook,
  type TestWebhook,
} from '../support/webhook.ts';

const token = 'Zm9yIHRoZSBzZXJ2aWNl';

describe('Basic with users that a webhook knows', () => {
  let service: TestWebhook;
  let gateway: TestGateway;

  beforeAll(async () => {
    service = await startWebhook();
    const webhook = {
      driver: 'webhook',
      url: service.url,
      trustAnchor: 'service.pem',
      token: 'file:token',
      timeouts: { answer: 1 },
      limits: { maxResponse: 1000 },
    };
    const authentication = 'basic';
    gateway = await startTestGateway({
      aliases: {
        alone: { authentication, credentials: [webhook] },
        chain: { authentication, credentials: [webhook, { driver: 'store' }] },
        narrow: { authentication, credentials: [{ ...webhook, limits: { concurrency: 2 } }] },
        failing: {
          authentication,
          credentials: [{ ...webhook, circuitBreaker: { failures: 2, pause: 60 } }],
        },
      },
      files: { 'service.pem': service.trustAnchor, token: `${token}\n` },
    });
  });
  beforeEach(() => {
    service.answer(sayJson({ decision: 'permit' }));
  });
  afterAll(async () => {
    await gateway.stop();
    await service.stop();
  });

  async function login(name: string, code = 'her secret code', alias = 'alone'): Promise<Answer> {
    return await enrolAs(gateway, { alias, name, code });
  }

  it('A-05 A-07 asks with nothing but alias, user name and code, and takes its word', async () => {
    expect((await login('ta\u0308glich', 'p:q secret code')).status).toBe(200);
    expect(service.questions.map(({ method, path }) => [method, path])).toEqual([['POST', '/decide']]);
    const [question] = service.questions;
    expect(question?.text).toBe('{"alias":"alone","username":"täglich","code":"p:q secret code"}');
    expect(question?.headers).toEqual({
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${token}`,
      connection: 'keep-alive',
      'content-length': String(Buffer.byteLength(question?.text ?? '')),
      'content-type': 'application/json',
      host: new URL(service.url).host,
      'user-agent': 'est-gateway',
    });
  });

  it('A-07 answers 401 to whom it refuses, and logs its reason without the code', async () => {
    service.answer(sayJson({ decision: 'refuse', reason: 'her secret code is not right' }));
    const refused = await login('anna', 'her secret code', 'chain');
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      401,
      expect.stringContaining('Basic'),
    ]);
    expect(refused.body).not.toContain('right');
    expect(gateway.log.entries).toContainEqual({
      level: 'warn',
      message: 'A user may not enrol.',
      fields: { alias: 'chain', source: `webhook ${service.url}`, user: 'anna', reason: '... is not right' },
    });
  });

  it('asks the next source about a user that it does not know, and about no other', async () => {
    service.answer(sayJson({ decision: 'unknown' }));
    expect((await login(user.name, user.code, 'chain')).status).toBe(200);
    expect((await login('nobody', 'x', 'chain')).status).toBe(401);
    expect((await login('nobody', 'x')).status).toBe(401);
    service.answer(sayJson({ decision: 'refuse' }));
    expect((await login(user.name, user.code, 'chain')).status).toBe(401);
  });

  it('S-24 refuses after the same time, whoever knows the name', async () => {
    for (const decision of ['unknown', 'refuse']) {
      service.answer(sayJson({ decision }));
      const startedAt = performance.now();
      expect((await login(decision)).status).toBe(401);
      expect(performance.now() - startedAt).toBeGreaterThan(490);
    }
  });

  it.each(answersThatPermitNothing)(
    'answers 503 to %s, and asks nobody in its place',
    async (_what, listener) => {
      service.answer(listener);
      const certificates = (await gateway.store.certificates.list(gateway.ca)).length;
      const before = gateway.log.entries.length;
      const refused = await login(user.name, user.code, 'chain');
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30']);
      expect(refused.body).toMatch(
        /^It cannot be found out at the moment whether the enrolment code is right;/,
      );
      expect(refused.headers['www-authenticate']).toBeUndefined();
      expect((await gateway.store.certificates.list(gateway.ca)).length).toBe(certificates);
      expect(service.questions.map(({ path }) => path)).not.toContain('/other');
      expect(gateway.log.entries.slice(before)).toContainEqual({
        level: 'error',
        message: 'A source of credentials does not answer as it should.',
        fields: expect.objectContaining({ alias: 'chain', reason: expect.stringMatching(/webhook/i) }),
      });
    },
  );

  it('asks once more when a connection ends, as one that was kept open may, and no third time', async () => {
    service.answer((question, response) => {
      if (service.questions.length === 1) response.destroy();
      else sayJson({ decision: 'permit' })(question, response);
    });
    expect((await login('emil')).status).toBe(200);
    expect(service.questions).toHaveLength(2);
    service.answer((_question, response) => response.destroy());
    expect((await login('emil')).status).toBe(503);
    expect(service.questions).toHaveLength(2);
  });

  it('leaves a service alone that fails again and again', async () => {
    service.answer((_question, response) => response.destroy());
    const statuses = [];
    for (const name of ['a', 'b', 'c', 'd']) statuses.push((await login(name, 'x', 'failing')).status);
    expect(statuses).toEqual([503, 503, 503, 503]);
    expect(new Set(service.questions.map(({ json }) => json['username']))).toEqual(new Set(['a', 'b']));
  });

  it('gives each of many at once its own answer, over no more connections than allowed', async () => {
    const connections = service.connections.length;
    service.answer((question, response) => {
      const decision = String(question.json['username']).startsWith('good') ? 'permit' : 'refuse';
      setImmediate(() => {
        sayJson({ decision })(question, response);
      });
    });
    const names = Array.from({ length: 24 }, (_, index) => `${index % 3 === 0 ? 'bad' : 'good'}-${index}`);
    const answers = await Promise.all(names.map(async (name) => await login(name, 'x', 'narrow')));
    expect(answers.map(({ status }) => status)).toEqual(
      names.map((name) => (name.startsWith('good') ? 200 : 401)),
    );
    expect(service.connections.length - connections).toBeLessThanOrEqual(2);
  });

  it('goes past the proxies of the environment', async () => {
    const proxies = { HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9', NO_PROXY: '' };
    const before = { ...process.env };
    Object.assign(process.env, proxies);
    try {
      expect((await login('proxied')).status).toBe(200);
    } finally {
      process.env = before;
    }
  });

  it('logs the request of a client that goes away while the service decides', async () => {
    const asked = Promise.withResolvers<() => void>();
    service.answer((question, response) => {
      asked.resolve(() => {
        sayJson({ decision: 'permit' })(question, response);
      });
    });
    const { port, trustAnchor: ca } = gateway;
    const csr = (await plainCsr('leaving', await generateKeyPair('P-256'))).toString('base64');
    const client = await openTls({ port, ca });
    client.write(
      [
        'POST /.well-known/est/alone/simpleenroll HTTP/1.1',
        'Host: localhost',
        `Authorization: Basic ${btoa('leaving:her own code')}`,
        'Content-Type: application/pkcs10',
        `Content-Length: ${csr.length}`,
        '',
        csr,
      ].join('\r\n'),
    );
    const decide = await asked.promise;
    client.destroy();
    // The gateway has seen the end when it answers a connection that began later.
    await send(`${gateway.url}/cacerts`, { ca });
    decide();
    const line = () => gateway.log.entries.find(({ fields }) => fields['outcome'] === 'malformed_request');
    await until(() => line() !== undefined, 'the request is logged');
    expect(line()).toMatchObject({ level: 'info', message: 'request', fields: { alias: 'alone' } });
  });

  it('writes neither codes nor the token into the log, whatever happens', async () => {
    for (const [index, [, listener]] of answersThatPermitNothing.entries()) {
      service.answer(listener);
      await login(`logged-${index}`);
    }
    service.answer(sayJson({ decision: 'refuse', reason: 'not her secret code' }));
    await login('logged');
    // Whoever confuses the two fields sends the code as the name, of which nobody can say then that it is one.
    service.answer(say(500, {}, ''));
    await login('her secret code', 'anna');
    const lines = gateway.log.lines();
    expect(lines.join()).toContain('not ...');
    expect(lines.filter((line) => line.includes('secret code') || line.includes(token))).toEqual([]);
    expect(lines.filter((line) => line.includes(user.code))).toEqual([]);
  });
});

describe('the TLS of a webhook', () => {
  let service: TestWebhook;
  let nameless: TestWebhook;
  let gateway: TestGateway;
  beforeAll(async () => {
    service = await startWebhook({ requireClient: true });
    nameless = await startWebhook({ namesHost: false });
    const other = await newServiceTls();
    const source = (options: object): object => ({
      authentication: 'basic',
      credentials: [{ driver: 'webhook', url: service.url, trustAnchor: 'service.pem', ...options }],
    });
    const own = { certificate: 'client.pem', privateKey: 'file:client.key' };
    const foreign = { certificate: 'other.pem', privateKey: 'file:other.key' };
    gateway = await startTestGateway({
      aliases: {
        known: source({ clientCertificate: own }),
        anonymous: source({}),
        foreign: source({ clientCertificate: foreign }),
        'wrong-ca': source({ trustAnchor: 'other-ca.pem', clientCertificate: own }),
        'wrong-name': source({ url: nameless.url, trustAnchor: 'nameless.pem' }),
        closed: source({ url: 'https://localhost:9/decide' }),
      },
      files: {
        'service.pem': service.trustAnchor,
        'client.pem': service.client.cert,
        'client.key': service.client.key,
        'other.pem': other.client.cert,
        'other.key': other.client.key,
        'other-ca.pem': other.trustAnchor,
        'nameless.pem': nameless.trustAnchor,
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await Promise.all([service.stop(), nameless.stop()]);
  });

  it('has a client certificate of the gateway where the service wants one', async () => {
    expect((await enrolAs(gateway, { alias: 'known', name: 'anna', code: 'her own code' })).status).toBe(200);
    expect(service.questions).toHaveLength(1);
  });

  it.each([
    ['anonymous', /not accept each other in TLS.*certificate required/],
    // The server ends the connection with or without an alert.
    ['foreign', /not accept each other in TLS|cannot be reached/],
    ['wrong-ca', /not accept each other in TLS.*issuer certificate/],
    ['wrong-name', /not accept each other in TLS.*altnames/],
    ['closed', /cannot be reached/],
  ])('answers 503 at the alias %s, whose log says: %s', async (alias, reason) => {
    service.answer(sayJson({ decision: 'permit' }));
    expect((await enrolAs(gateway, { alias, name: 'anna', code: 'her own code' })).status).toBe(503);
    expect([...service.questions, ...nameless.questions]).toEqual([]);
    expect(gateway.log.entries).toContainEqual(
      expect.objectContaining({
        fields: expect.objectContaining({ alias, reason: expect.stringMatching(reason) }),
      }),
    );
  });
});

describe('a webhook over plain HTTP', () => {
  const source = { driver: 'webhook', url: 'https://service.example/' };
  const files = {
    'ca.pem': rootCertificates[0] ?? '',
    empty: '',
    lines: 'two\nlines\n',
  };

  it('may be on this machine', async () => {
    const service = await startUpstream();
    service.answer((_request, response) => {
      say(
        200,
        { 'Content-Type': 'application/json' },
        '{"decision":"permit"}',
      )({ method: '', path: '', headers: {}, text: '', json: {} }, response);
    });
    const credentials = [{ driver: 'webhook', url: `${service.url}/decide` }];
    const gateway = await startTestGateway({ aliases: { plain: { authentication: 'basic', credentials } } });
    expect((await enrolAs(gateway, { alias: 'plain', name: 'anna', code: 'her own code' })).status).toBe(200);
    await gateway.stop();
    await service.down();
  });

  it.each([
    [{ url: 'http://service.example/' }, /plain http is only for a service on this machine/],
    [{ url: 'http://localhost.example/' }, /plain http is only for a service on this machine/],
    [{ url: 'http://127.0.0.1.example/' }, /plain http is only for a service on this machine/],
    [{ url: 'http://192.0.2.1/' }, /plain http is only for a service on this machine/],
    [{ url: 'http://[::2]/' }, /plain http is only for a service on this machine/],
    [
      { url: 'http://[::1]/', trustAnchor: 'ca.pem' },
      /with plain http trustAnchor and clientCertificate mean/,
    ],
    [{}, /trustAnchor: name the CAs/],
    [{ url: 'https://service.example:99999/', trustAnchor: 'ca.pem' }, /url: expected a URL such as/],
    [{ url: 'ftp://localhost/' }, /url: expected a text that matches/],
    [{ url: 'https://user:code@service.example/' }, /url: expected a text that matches/],
    [{ trustAnchor: 'ca.pem', token: 'file:empty' }, /token: expected visible ASCII characters/],
    [{ trustAnchor: 'ca.pem', token: 'file:lines' }, /token: expected visible ASCII characters/],
    [{ trustAnchor: 'ca.pem', token: 'plain' }, /token: expected file:PATH or env:NAME/],
  ])('is refused at the start otherwise: %j', async (options, sentence) => {
    const aliases = { wrong: { authentication: 'basic', credentials: [{ ...source, ...options }] } };
    await expect(startTestGateway({ aliases, files })).rejects.toThrow(sentence);
    await expect(startTestGateway({ aliases, files })).rejects.toThrow(/credentials\[0\]/);
  });
});
