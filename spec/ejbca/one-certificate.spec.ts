import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import type { Fault } from '../support/ejbca/fault.ts';
import { resultReply } from '../support/ejbca/soap/envelope.ts';
import { startEjbcaGateway, type EjbcaGateway, type EjbcaGatewayOptions } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const patient = { failures: 1000, pause: 1 };

/** As EJBCA answers for some seconds when it has lost its database. */
const nothingFound = {
  kind: 'answer',
  when: 'before',
  path: 'ejbcaws',
  status: 200,
  contentType: 'text/xml',
  body: String(resultReply('findUser', []).body),
} as const;

describe('one certificate for each request', () => {
  let running: EjbcaGateway;

  afterEach(async () => {
    await running.stop();
  });

  async function start(options: Partial<EjbcaGatewayOptions> = {}): Promise<void> {
    running = await startEjbcaGateway({
      aliases: { basic: byUser },
      backend: { timeouts: { answer: 1 }, circuitBreaker: patient, ...options.backend },
      ...(options.aliases && { aliases: options.aliases }),
      ...(options.role && { role: options.role }),
      ...(options.prepare && { prepare: options.prepare }),
    });
  }

  const newCsr = async (name = 'device'): Promise<Buffer> =>
    await plainCsr(name, await generateKeyPair('P-256'));
  const enrol = async (csr: Buffer, alias = 'basic'): Promise<Answer> =>
    await enrolWithBasic(running.gateway, csr, alias);
  const issued = (): number => running.ejbca.database.certificates.length;

  async function enrolInTheEnd(csr: Buffer): Promise<Answer> {
    for (;;) {
      const answer = await enrol(csr);
      if (answer.status < 500) return answer;
    }
  }

  it.each([
    'before the end entity',
    'after the end entity',
    'before the commit',
    'after the commit',
  ] as const)('E-22 also when EJBCA stops %s and goes on after the repeat', async (step) => {
    await start();
    const csr = await newCsr();
    const hold = running.ejbca.hold(step, { path: 'certificaterequest' });
    expect((await enrol(csr)).status).toBe(504);
    expect((await enrolInTheEnd(csr)).status).toBe(200);
    hold.release();
    expect((await enrol(csr)).status).toBe(200);
    expect(issued()).toBe(1);
  });

  it('E-22 over 200 enrolments at once and after one another, each with a fault of its own', async () => {
    await start({ backend: { timeouts: { answer: 2 } } });
    const kinds: readonly Fault[] = [
      { kind: 'reset', when: 'before' },
      { kind: 'reset', when: 'after' },
      { kind: 'truncation' },
      { kind: 'answer', when: 'after', status: 502, body: 'Bad Gateway' },
      { kind: 'answer', when: 'before', status: 503, body: 'Unavailable' },
      { kind: 'change', members: { certificate: 'MAMCAQU=' } },
    ];
    const paths = ['certificaterequest', 'ejbcaws', 'certificaterequest', 'search'];
    const bodies = new Set<string>();
    for (let batch = 0; batch < 50; batch += 1) {
      const fault = kinds[batch % kinds.length];
      const path = paths[batch % paths.length] ?? '';
      if (fault !== undefined) running.ejbca.setFault({ ...fault, path, times: 1 + (batch % 3) });
      const csrs = await Promise.all(
        Array.from({ length: 4 }, async (_, n) => await newCsr(`d-${batch}-${n}`)),
      );
      for (const answer of await Promise.all(csrs.map(enrolInTheEnd))) {
        expect(answer.status).toBe(200);
        bodies.add(answer.body);
      }
      running.ejbca.clearFaults();
    }
    const journal = await running.gateway.store.enrollments.list(1000);
    expect([bodies.size, issued(), journal.filter(({ state }) => state === 'issued').length]).toEqual([
      200, 200, 200,
    ]);
  }, 300_000);

  it('shares an end entity between requests, one after the other', async () => {
    await start({
      aliases: { basic: { ...byUser, nameGeneration: { scheme: 'FIXED', parameters: 'Fleet' } } },
    });
    const csrs = await Promise.all(Array.from({ length: 8 }, async () => await newCsr('fleet')));
    const answers = await Promise.all(csrs.map(async (csr) => await enrol(csr)));
    expect(answers.map(({ status }) => status)).toEqual(csrs.map(() => 200));
    expect(issued()).toBe(8);
  });

  it('answers 503 while nothing says that a search sees all', async () => {
    await start({
      aliases: { basic: { ...byUser, endEntityProfile: 'Wide' } },
      role: registrationAuthorityRules('Device CA', 'Wide'),
      prepare: async (ejbca) => {
        await ejbca.addCertificationAuthority('Other CA');
        ejbca.addEndEntityProfile('Wide', { certificationAuthorities: ['Device CA', 'Other CA'] });
      },
    });
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'certificaterequest', times: 1 });
    expect((await enrol(csr)).status).toBe(503);
    const repeat = await enrol(csr);
    expect([repeat.status, Number(repeat.headers['retry-after'])]).toEqual([503, 30]);
    expect(issued()).toBe(1);
  });

  it('believes EJBCA that there is no end entity only while its database answers', async () => {
    await start();
    const { ejbca } = running;
    ejbca.addEndEntity({ username: 'device', status: 'REVOKED' });
    ejbca.setFault({ ...nothingFound, times: 1 });
    expect((await enrol(await newCsr())).status).toBe(403);
    ejbca.setFault({ ...nothingFound });
    ejbca.setFault({ kind: 'answer', when: 'before', status: 500, path: 'revocationstatus' });
    expect((await enrol(await newCsr())).status).toBe(503);
    expect(ejbca.database.endEntities.get('device')).toMatchObject({ status: 'REVOKED' });
  });

  it('waits to renew where EJBCA does not show whose certificate it is', async () => {
    const client = { operationMode: 'client', authenticationModule: 'HttpBasicAuth' };
    await start({ aliases: { basic: byUser, client } });
    const device = await enrolDevice(running.gateway, 'meter', 'basic');
    const nothing = JSON.stringify({ certificates: [], pagination_summary: {} });
    running.ejbca.setFault({ ...nothingFound, path: 'v2/certificate/search', body: nothing });
    for (const alias of ['basic', 'client']) {
      const answer = await renew(running.gateway, device, await newCsr('meter'), alias);
      expect([answer.status, Number(answer.headers['retry-after'])]).toEqual([503, 30]);
    }
    expect(issued()).toBe(1);
  });

  it.each([
    ['closes', []],
    ['deletes', ['/ra_functionality/delete_end_entity/']],
  ])('%s a new end entity whose request was refused, by the rules of the role', async (_, rules) => {
    await start({
      aliases: { basic: { ...byUser, certificateProfile: 'RSA' }, twin: byUser },
      role: [...registrationAuthorityRules('Device CA', 'Device'), ...rules],
      prepare: async (ejbca) => {
        ejbca.addCertificateProfile('RSA', { keyAlgorithms: ['RSA'] });
        await Promise.resolve();
      },
    });
    const { database } = running.ejbca;
    expect((await enrol(await newCsr('unknown'), 'twin')).status).toBe(200);
    database.endEntities.delete('unknown');
    expect((await enrol(await newCsr('unknown'))).status).toBe(400);
    const expected = rules.length === 0 ? 'GENERATED' : undefined;
    expect(database.endEntities.get('unknown')?.status).toBe(expected);
    // Of an end entity of this name that was deleted before.
    expect(database.certificates[0]?.revocation).toBeUndefined();
  });

  it('puts back what a refused request leaves', async () => {
    await start({
      role: registrationAuthorityRules('Device CA', 'Device'),
      aliases: { basic: { ...byUser, certificateProfile: 'RSA' } },
      prepare: async (ejbca) => {
        ejbca.addCertificateProfile('RSA', { keyAlgorithms: ['RSA'] });
        ejbca.addEndEntity({ username: 'known', email: 'known@device.example', status: 'GENERATED' });
        await Promise.resolve();
      },
    });
    const { endEntities } = running.ejbca.database;
    const before = endEntities.get('known');
    expect((await enrol(await newCsr('known'))).status).toBe(400);
    expect((await enrol(await newCsr('unknown'))).status).toBe(400);
    expect(endEntities.get('known')).toMatchObject({
      subjectDn: before?.subjectDn,
      email: before?.email,
      status: 'GENERATED',
      certificateProfile: before?.certificateProfile,
    });
    expect(endEntities.get('unknown')).toMatchObject({ status: 'GENERATED' });
  });

  it('leaves an end entity alone that is revoked, or waits for its code', async () => {
    const client = { operationMode: 'client', authenticationModule: 'HttpBasicAuth' };
    await start({ aliases: { basic: byUser, client } });
    const { ejbca, gateway } = running;
    const device = await enrolDevice(gateway, 'meter', 'basic');
    ejbca.addEndEntity({ username: 'meter', password: 'fresh', status: 'NEW' });
    const answer = await renew(gateway, device, await newCsr('meter'), 'client');
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/waits at the CA/) });
    expect(ejbca.database.endEntities.get('meter')).toMatchObject({ password: 'fresh', status: 'NEW' });
    ejbca.addEndEntity({ username: 'meter', status: 'REVOKED' });
    expect(await enrol(await newCsr('meter'))).toMatchObject({
      status: 403,
      body: expect.stringMatching(/is revoked at the CA/),
    });
    expect(ejbca.database.endEntities.get('meter')).toMatchObject({ status: 'REVOKED' });
  });

  it('also in one step: answers 503 while nothing says that a search sees all', async () => {
    await start({
      backend: { transactionTimeout: 1 },
      aliases: { basic: { ...byUser, endEntityProfile: 'Wide' } },
      role: registrationAuthorityRules('Device CA', 'Wide'),
      prepare: async (ejbca) => {
        ejbca.enabledProtocols.delete('Web Service');
        await ejbca.addCertificationAuthority('Other CA');
        ejbca.addEndEntityProfile('Wide', { certificationAuthorities: ['Device CA', 'Other CA'] });
      },
    });
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'pkcs10enroll', times: 1 });
    expect((await enrol(csr)).status).toBe(503);
    await wait(1100);
    const repeat = await enrol(csr);
    expect([repeat.status, Number(repeat.headers['retry-after'])]).toEqual([503, 30]);
    expect(issued()).toBe(1);
  });

  it('waits for the end of the transaction where EJBCA registers nothing for the gateway, and says so', async () => {
    await start({
      backend: { transactionTimeout: 2 },
      prepare: async ({ enabledProtocols }) => {
        enabledProtocols.delete('Web Service');
        await Promise.resolve();
      },
    });
    expect(running.gateway.log.entries).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringMatching(/does not register end entities/),
      }),
    );
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'reset', when: 'before', path: 'pkcs10enroll', times: 1 });
    expect((await enrol(csr)).status).toBe(503);
    // Whose certificate shows that a search would find one.
    expect((await enrol(await newCsr('other'))).status).toBe(200);
    expect((await enrolInTheEnd(csr)).status).toBe(200);
    expect(issued()).toBe(2);
  });
});
