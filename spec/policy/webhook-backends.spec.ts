import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startEjbcaGateway, type EjbcaGateway } from '../ejbca/setup.ts';
import { send, type Answer } from '../support/client.ts';
import { attribute, certificationRequest, generateKeyPair, id, name, utf8String } from '../support/csr.ts';
import { enrolDevice, enrolment, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { startEstServer, type TestEstServer } from '../support/est-server.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { say, sayJson, startWebhook, type TestWebhook } from '../support/webhook.ts';

let service: TestWebhook;
let policy: object;
let files: Readonly<Record<string, string>>;

beforeAll(async () => {
  service = await startWebhook();
  policy = { webhook: { url: service.url, trustAnchor: 'service.pem' } };
  files = { 'service.pem': service.trustAnchor };
});
beforeEach(() => {
  service.answer(sayJson({ decision: 'permit' }));
});
afterAll(async () => {
  await service.stop();
});

/** What the service may say besides yes, and what a device gets then. */
const noes = [
  ['a refusal', sayJson({ decision: 'refuse' }), 403, undefined],
  ['an error', say(500, {}, ''), 503, '30'],
] as const;

function asked(): readonly unknown[] {
  return service.questions.map(({ json }) => [json['operation'], json['subject']]);
}

describe('policy.webhook in front of a relayed EST server', () => {
  let server: TestEstServer;
  let gateway: TestGateway;

  beforeAll(async () => {
    server = await startEstServer();
    gateway = await startTestGateway({
      backends: {
        upstream: {
          driver: 'est',
          url: server.url,
          trustAnchor: 'upstream.pem',
          clientCertificate: { certificate: 'ra.pem', privateKey: 'file:ra.key' },
          relay: ['cacerts', 'csrattrs', 'simpleenroll', 'simplereenroll'],
        },
      },
      aliases: { est: { backend: 'upstream', policy } },
      files: {
        ...files,
        'upstream.pem': server.trustAnchor,
        'ra.pem': server.client.cert,
        'ra.key': server.client.key,
      },
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await server.stop();
  });

  async function freshCsr(): Promise<Buffer> {
    return await plainCsr('device', await generateKeyPair('P-256'));
  }

  it('is asked once for each enrolment and renewal, which then go through', async () => {
    const device = await enrolDevice(gateway, 'device');
    expect((await renew(gateway, device, await freshCsr())).status).toBe(200);
    const subject = { commonName: ['device'] };
    expect(asked()).toEqual([
      ['simpleenroll', subject],
      ['simplereenroll', subject],
    ]);
  });

  it.each(noes)('lets nothing through to it by %s', async (_what, listener, status, retryAfter) => {
    const device = await enrolDevice(gateway, 'device');
    service.answer(listener);
    server.requests.length = 0;
    const answers = [
      await enrolWithBasic(gateway, await freshCsr()),
      await renew(gateway, device, await freshCsr()),
    ];
    for (const answer of answers) {
      expect([answer.status, answer.headers['retry-after']]).toEqual([status, retryAfter]);
    }
    expect(service.questions).toHaveLength(2);
    expect(server.requests.filter(({ body }) => body !== '')).toEqual([]);
  });
});

describe('policy.webhook in front of an EJBCA that checks the codes of end entities', () => {
  const code = 'secret-17';
  let running: EjbcaGateway;

  beforeAll(async () => {
    const client = { operationMode: 'client', extractUsernameComponent: 'CN', alias: { policy } };
    running = await startEjbcaGateway({
      aliases: { challenge: { ...client, authenticationModule: 'ChallengePwd' } },
      files,
    });
  });
  beforeEach(() => {
    running.ejbca.requests.length = 0;
  });
  afterAll(async () => {
    await running.stop();
  });

  async function enrol(username: string): Promise<Answer> {
    const { gateway, ejbca } = running;
    ejbca.addEndEntity({ username, subjectDn: `CN=${username}`, password: code });
    const csr = await certificationRequest({
      key: await generateKeyPair('P-256'),
      subject: name([id.commonName, utf8String(username)]),
      attributes: [attribute(id.challengePassword, utf8String(code))],
    });
    return await send(`${gateway.url}/challenge/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...enrolment(csr),
    });
  }

  it('is asked once, without the code, and the enrolment goes through', async () => {
    expect((await enrol('meter-1')).status).toBe(200);
    expect(asked()).toEqual([['simpleenroll', { commonName: ['meter-1'] }]]);
    expect(service.questions[0]?.text).not.toContain(code);
  });

  it.each(noes)('leaves the end entity as it is by %s', async (what, listener, status, retryAfter) => {
    service.answer(listener);
    const username = `meter ${what}`;
    const answer = await enrol(username);
    expect([answer.status, answer.headers['retry-after']]).toEqual([status, retryAfter]);
    expect(service.questions).toHaveLength(1);
    expect(running.ejbca.requests).toEqual([]);
    expect(running.ejbca.database.endEntities.get(username)?.status).toBe('NEW');
  });
});
