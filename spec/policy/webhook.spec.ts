import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { send, type Answer } from '../support/client.ts';
import {
  failInfo,
  issueByCa,
  openSigner,
  postFullCmc,
  readFullPkiResponse,
  requestFor,
} from '../support/cmc.ts';
import type { Signatory, TestSigner } from '../support/cmc.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolment, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { askForKey } from '../support/key-generation.ts';
import { newServiceTls } from '../support/service-tls.ts';
import { until } from '../support/upstream.ts';
import { answersThatPermitNothing, sayJson, startWebhook, type TestWebhook } from '../support/webhook.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8');

const token = 'Zm9yIHRoZSBzZXJ2aWNl';
const refusal = 'The policy of this alias does not allow this request; ask its operator.';
const unavailable = 'It cannot be found out at the moment whether this request is allowed; try again later.';

let service: TestWebhook;
let strictService: TestWebhook;
let signer: TestSigner;
let gateway: TestGateway;

beforeAll(async () => {
  service = await startWebhook();
  strictService = await startWebhook({ requireClient: true });
  const other = await newServiceTls();
  signer = await openSigner();
  const webhook = {
    url: service.url,
    trustAnchor: 'service.pem',
    token: 'file:token',
    timeouts: { answer: 1 },
    limits: { maxResponse: 1000 },
  };
  const strict = { url: strictService.url, trustAnchor: 'strict.pem' };
  const clientCertificate = { certificate: 'client.pem', privateKey: 'file:client.key' };
  const withWebhook = (options: object, policy: object = {}): object => ({
    policy: { ...policy, webhook: options },
  });
  gateway = await startTestGateway({
    aliases: {
      asking: {
        ...withWebhook(webhook, { keys: ['P-256'], names: 'any' }),
        fullCmc: { signer: signer.files },
        serverKeyGeneration: { keys: ['P-256'] },
        registrationAuthorities: { plant: { commonName: 'RA', names: { commonName: ['of-ra-*'] } } },
      },
      waiting: { backend: 'mock', profile: 'pending', ...withWebhook(webhook) },
      narrow: withWebhook({ ...webhook, timeouts: { answer: 30 }, limits: { concurrency: 1, queue: 1 } }),
      known: withWebhook({ ...strict, clientCertificate }),
      anonymous: withWebhook(strict),
      'wrong-ca': withWebhook({ ...webhook, trustAnchor: 'other.pem' }),
      closed: withWebhook({ ...webhook, url: 'https://localhost:9/' }),
    },
    files: {
      'service.pem': service.trustAnchor,
      'strict.pem': strictService.trustAnchor,
      'other.pem': other.trustAnchor,
      'client.pem': strictService.client.cert,
      'client.key': strictService.client.key,
      token,
    },
  });
});
beforeEach(() => {
  service.answer(sayJson({ decision: 'permit' }));
});
afterAll(async () => {
  await gateway.stop();
  await signer.remove();
  await Promise.all([service.stop(), strictService.stop()]);
});

async function freshCsr(commonName: string): Promise<Buffer> {
  return await plainCsr(commonName, await generateKeyPair('P-256'));
}

async function ask(commonName: string, alias = 'asking'): Promise<Answer> {
  return await enrolWithBasic(gateway, await freshCsr(commonName), alias);
}

/** How often journal and CA have heard of somebody. */
async function traces(commonName: string): Promise<number> {
  const subject = `CN=${commonName}`;
  const noted = await gateway.store.enrollments.list(1000);
  const issued = await gateway.store.certificates.list(gateway.ca);
  return [...noted, ...issued].filter((one) => one.subject === subject).length;
}

describe('policy.webhook', () => {
  it('is asked what docs/policy.md says of a request, and nothing else', async () => {
    const key = await generateKeyPair('P-256');
    expect((await enrolWithBasic(gateway, await plainCsr('first', key), 'asking')).status).toBe(200);
    const { requestId } = gateway.log.entries.at(-1)?.fields ?? {};
    const [question, ...more] = service.questions;
    expect(more).toEqual([]);
    expect(question?.json).toEqual({
      alias: 'asking',
      operation: 'simpleenroll',
      clientAddress: '127.0.0.1',
      identity: { kind: 'user', username: 'device' },
      newNames: true,
      subject: { commonName: ['first'] },
      subjectAltName: {},
      key: { type: 'P-256', bits: 256, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      keyUsage: [],
      extendedKeyUsage: [],
      extensions: [],
      requestId,
    });
    expect(question?.headers).toMatchObject({
      accept: 'application/json',
      'accept-encoding': 'identity',
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'user-agent': 'est-gateway',
    });
  });

  it('is told which certificate is renewed, and for whom a registration authority asks', async () => {
    const device = await enrolDevice(gateway, 'renewed', 'asking');
    const { serialNumber, fingerprint256 } = new X509Certificate(device.cert);
    service.answer(sayJson({ decision: 'permit' }));
    expect((await renew(gateway, device, await freshCsr('renewed'), 'asking')).status).toBe(200);
    const authority = await issueByCa(gateway, 'RA', 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28');
    expect((await askFor(authority, 'of-ra-1')).status).toBe(200);
    const [renewal, foreign] = service.questions;
    expect(renewal?.json).toMatchObject({
      operation: 'simplereenroll',
      newNames: false,
      identity: {
        kind: 'certificate',
        subject: { commonName: ['renewed'] },
        certificate: {
          serialNumber: serialNumber.toLowerCase(),
          trustAnchor: 'explicit',
          sha256: fingerprint256.replaceAll(':', '').toLowerCase(),
        },
      },
    });
    expect(foreign?.json).toMatchObject({
      identity: { registrationAuthority: 'plant', subject: { commonName: ['RA'] } },
      subject: { commonName: ['of-ra-1'] },
    });
  });

  async function askFor({ key, cert }: Signatory, commonName: string): Promise<Answer> {
    const csr = await freshCsr(commonName);
    return await send(`${gateway.url}/asking/simpleenroll`, {
      ca: gateway.trustAnchor,
      key,
      cert,
      ...enrolment(csr),
    });
  }

  it('refuses with 403 and a fixed sentence; its reason is in the log, and neither journal nor CA hears of it', async () => {
    service.answer(sayJson({ decision: 'refuse', reason: 'pump-7 was scrapped\n' }));
    const refused = await ask('scrapped');
    expect([refused.status, refused.body]).toEqual([403, expect.stringContaining(refusal)]);
    expect(refused.body).not.toContain('pump-7');
    expect(refused.headers['www-authenticate']).toBeUndefined();
    expect(gateway.log.entries.at(-1)).toMatchObject({
      level: 'warn',
      fields: { status: 403, rule: 'policy.webhook: pump-7 was scrapped\n', subject: 'CN=scrapped' },
    });
    expect(await traces('scrapped')).toBe(0);
  });

  it.each(['application/json', 'Application/JSON;charset=UTF-8', 'application/json; charset="utf-8"'])(
    'permits by %s',
    async (type) => {
      const said = JSON.stringify({ decision: 'permit', reason: 'f\u00fcr "alle": {decision} \ud83d\ude00' });
      service.answer((_question, response) => {
        response.writeHead(200, { 'Content-Type': type, 'Content-Encoding': 'identity' }).end(said);
      });
      expect((await ask('welcome')).status).toBe(200);
    },
  );

  it.each(answersThatPermitNothing)('permits nothing by %s: 503', async (_what, listener) => {
    service.answer(listener);
    const { status, headers, body } = await ask('unknown');
    expect([status, headers['retry-after'], body]).toEqual([503, '30', expect.stringContaining(unavailable)]);
    expect(gateway.log.entries.at(-1)).toMatchObject({
      level: 'error',
      fields: { rule: 'policy.webhook', reason: expect.stringMatching(/^The webhook /) },
    });
    expect(service.questions.map(({ path }) => path)).not.toContain('/other');
    expect(await traces('unknown')).toBe(0);
  });

  it.each(['anonymous', 'wrong-ca', 'closed'])('permits nothing at the alias %s: 503', async (alias) => {
    const { status, body } = await ask(`at-${alias}`, alias);
    expect([status, body]).toEqual([503, expect.stringContaining(unavailable)]);
    expect([...service.questions, ...strictService.questions]).toEqual([]);
    expect(await traces(`at-${alias}`)).toBe(0);
  });

  it('knows the gateway by a client certificate', async () => {
    expect((await ask('known', 'known')).status).toBe(200);
  });

  it('is not asked about what is refused anyway', async () => {
    const csr = await plainCsr('rsa', await generateKeyPair('RSA-2048'));
    expect((await enrolWithBasic(gateway, csr, 'asking')).status).toBe(403);
    const stranger = { ca: gateway.trustAnchor, ...enrolment(await freshCsr('nobody')) };
    expect((await send(`${gateway.url}/asking/simpleenroll`, stranger)).status).toBe(401);
    expect(service.questions).toEqual([]);
  });

  it('decides on renewals', async () => {
    const device = await enrolDevice(gateway, 'renewing', 'asking');
    service.answer(sayJson({ decision: 'refuse' }));
    expect((await renew(gateway, device, await freshCsr('renewing'), 'asking')).status).toBe(403);
    expect(await traces('renewing')).toBe(2);
  });

  it('decides on serverkeygen', async () => {
    const csr = await freshCsr('no-key');
    service.answer(sayJson({ decision: 'refuse' }));
    const { status, body } = await askForKey(gateway, 'asking', csr);
    expect([status, body]).toEqual([403, expect.stringContaining(refusal)]);
    expect(service.questions.map(({ json }) => json['operation'])).toEqual(['serverkeygen']);
    expect(await traces('no-key')).toBe(0);
  });

  it.each([
    [{ decision: 'refuse' }, 403, failInfo.badRequest],
    [{ decision: 'perhaps' }, 503, failInfo.tryLater],
  ])('decides on fullcmc: %j', async (said, status, info) => {
    service.answer(sayJson(said));
    const answer = await postFullCmc(gateway, await requestFor(), { alias: 'asking' });
    expect(answer.status).toBe(status);
    expect((await readFullPkiResponse(answer, signer.cert)).failInfo).toBe(info);
    expect(service.questions.map(({ json }) => json['operation'])).toEqual(['fullcmc']);
  });

  it('is asked again about a repeat, and decides again', async () => {
    const csr = await freshCsr('repeats');
    const first = await enrolWithBasic(gateway, csr, 'asking');
    const second = await enrolWithBasic(gateway, csr, 'asking');
    expect(await certificateOf(second)).toBe(await certificateOf(first));
    expect(service.questions).toHaveLength(2);
    service.answer(sayJson({ decision: 'refuse' }));
    expect((await enrolWithBasic(gateway, csr, 'asking')).status).toBe(403);
  });

  it('is asked again whenever the client asks what became of a request that waits', async () => {
    const csr = await freshCsr('waits');
    expect((await enrolWithBasic(gateway, csr, 'waiting')).status).toBe(202);
    service.answer(sayJson({ decision: 'refuse' }));
    expect((await enrolWithBasic(gateway, csr, 'waiting')).status).toBe(403);
    service.answer(sayJson({ decision: 'permit' }));
    const statuses = [];
    while (statuses.at(-1) !== 200) statuses.push((await enrolWithBasic(gateway, csr, 'waiting')).status);
    expect(statuses.every((status) => status === 202 || status === 200)).toBe(true);
    expect(service.questions).toHaveLength(statuses.length);
    const noted = await gateway.store.enrollments.list(1000);
    expect(noted.filter(({ subject }) => subject === 'CN=waits')).toHaveLength(1);
  });

  it('gives each of many at once its own answer', async () => {
    service.answer((question, response) => {
      const { commonName } = question.json['subject'] as { readonly commonName: readonly string[] };
      const decision = commonName[0]?.startsWith('good') === true ? 'permit' : 'refuse';
      setImmediate(() => {
        sayJson({ decision })(question, response);
      });
    });
    const names = Array.from({ length: 24 }, (_, index) => `${index % 3 === 0 ? 'bad' : 'good'}-${index}`);
    const answers = await Promise.all(names.map(async (name) => await ask(name)));
    expect(answers.map(({ status }) => status)).toEqual(
      names.map((name) => (name.startsWith('good') ? 200 : 403)),
    );
    expect(new Set(service.questions.map(({ json }) => json['requestId'])).size).toBe(names.length);
  });

  it('is asked no more at once than it may be; who finds no place is refused at once', async () => {
    const held: (() => void)[] = [];
    service.answer((question, response) => {
      held.push(() => {
        sayJson({ decision: 'permit' })(question, response);
      });
    });
    const all = ['x', 'y', 'z'].map(async (name) => await ask(`at-once-${name}`, 'narrow'));
    expect((await Promise.race(all)).status).toBe(503);
    for (const count of [1, 2]) {
      await until(() => held.length === count, 'the next question');
      held.at(-1)?.();
    }
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, 200, 503]);
  });

  it.each([
    [{ url: 'http://192.0.2.1/' }, 'plain http is only for a service on this machine'],
    [{ url: 'https://service.example/' }, 'trustAnchor: name the CAs'],
  ])('is refused at the start: %j', async (webhook, sentence) => {
    await expect(startTestGateway({ aliases: { wrong: { policy: { webhook } } } })).rejects.toThrow(
      new RegExp(`^aliases.wrong: policy.webhook: .*${sentence}`),
    );
  });

  it('gets a token that is never in the log, whatever happens', async () => {
    for (const [, listener] of answersThatPermitNothing) {
      service.answer(listener);
      await ask('logged');
      expect(service.questions.at(-1)?.headers.authorization).toBe(`Bearer ${token}`);
    }
    const lines = gateway.log.lines().filter((line) => line.includes('CN=logged'));
    expect(lines).toHaveLength(answersThatPermitNothing.length);
    expect(lines.filter((line) => line.includes(token))).toEqual([]);
  });
});

describe('docs/policy.md', () => {
  const said = [...page.matchAll(/^```json answer\n([^`]+)```/gm)].map(([, text = '']) => text);

  it('has the answers that are given here', () => {
    expect(said).toHaveLength(2);
  });

  it.each(said.map((text, index) => [text, index === 0 ? 200 : 403] as const))(
    'has an answer %s that means %d',
    async (text, status) => {
      service.answer(sayJson(JSON.parse(text)));
      expect((await ask('as-documented')).status).toBe(status);
    },
  );

  it('has every member of a question', async () => {
    const [, text = ''] = /^```json request\n([^`]+)```/m.exec(page) ?? [];
    await ask('documented');
    const { requestId, ...view } = service.questions[0]?.json ?? {};
    expect(requestId).toBeDefined();
    expect(Object.keys(view)).toEqual(Object.keys(JSON.parse(text) as object));
  });
});
