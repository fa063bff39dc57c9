import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const requestId = 1_000_001;

describe('a request that waits for approval in EJBCA', () => {
  let running: EjbcaGateway;
  let csr: Buffer;

  beforeEach(async () => {
    const aliases = { basic: { requireClientCertificate: false, requireUsernameAndPassword: true } };
    running = await startEjbcaGateway({
      aliases,
      backend: { retryAfter: 7 },
      // Without it nothing is registered before its certificate is asked for.
      prepare: async ({ enabledProtocols }) => {
        enabledProtocols.delete('Web Service');
        await Promise.resolve();
      },
    });
    csr = await plainCsr('held', await generateKeyPair('P-256'));
    const base64 = csr.toString('base64');
    const { ejbca } = running;
    ejbca.addEndEntity({ username: 'held', certificateRequest: base64 });
    ejbca.database.approvalRequests.set(requestId, {
      id: requestId,
      approvalId: 1,
      action: 'add',
      state: 'waiting',
      execute: () => undefined,
      username: 'held',
    });
  });

  afterEach(async () => {
    await running.stop();
  });

  /** EJBCA says once that an administrator has to approve. */
  function hold(members: object): void {
    const body = JSON.stringify({ status_code: 202, info_message: 'The request is waiting.', ...members });
    const answer = {
      kind: 'answer',
      when: 'before',
      status: 202,
      contentType: 'application/json',
      body,
    } as const;
    running.ejbca.setFault({ ...answer, path: 'pkcs10enroll', times: 1 });
  }

  async function enrol(): Promise<Answer> {
    return await enrolWithBasic(running.gateway, csr, 'basic');
  }

  it('P-01 is answered with 202 and Retry-After until it is approved, and then with its certificate', async () => {
    hold({ request_id: requestId });
    for (const answer of [await enrol(), await enrol()]) {
      expect(answer.status).toBe(202);
      expect(answer.headers['retry-after']).toBe('7');
    }
    await running.ejbca.decide(requestId, 'approved');
    const answer = await enrol();
    expect(answer.status).toBe(200);
    await expect(certificateOf(answer)).resolves.toMatch(/BEGIN CERTIFICATE/);
    const finalized = running.ejbca.requests.filter(({ path }) => path.endsWith(`/${requestId}/finalize`));
    expect(finalized.map(({ status }) => status)).toEqual([202, 201]);
  });

  it.each(['rejected', 'expired', 'failed'] as const)(
    'is refused when it was %s, and may be sent anew',
    async (end) => {
      hold({ request_id: requestId });
      expect((await enrol()).status).toBe(202);
      await running.ejbca.decide(requestId, end);
      const answer = await enrol();
      expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/has not approved/) });
      expect((await enrol()).status).toBe(200);
    },
  );

  it('is refused by a version that does not say how to ask again', async () => {
    hold({});
    const answer = await enrol();
    expect(answer).toMatchObject({
      status: 403,
      body: expect.stringMatching(/does not say how to ask again/),
    });
  });
});

describe('a registration that waits for approval in EJBCA', () => {
  let running: EjbcaGateway;

  beforeEach(async () => {
    const aliases = { basic: { requireClientCertificate: false, requireUsernameAndPassword: true } };
    running = await startEjbcaGateway({ aliases, backend: { retryAfter: 7 } });
    const ca = running.ejbca.database.certificationAuthorities.get('Device CA');
    if (ca !== undefined) ca.requiresApproval = true;
  });

  afterEach(async () => {
    await running.stop();
  });

  const newCsr = async (): Promise<Buffer> => await plainCsr('held', await generateKeyPair('P-256'));
  const enrol = async (csr: Buffer): Promise<Answer> => await enrolWithBasic(running.gateway, csr, 'basic');
  const waiting = (): readonly number[] => [...running.ejbca.database.approvalRequests.keys()];

  it('P-01 is answered with 202 until it is approved, and then with the one certificate', async () => {
    const csr = await newCsr();
    for (const answer of [await enrol(csr), await enrol(csr)]) {
      expect([answer.status, answer.headers['retry-after']]).toEqual([202, '7']);
    }
    expect(waiting()).toHaveLength(1);
    for (const id of waiting()) await running.ejbca.decide(id, 'approved');
    const answer = await enrol(csr);
    expect(answer.status).toBe(200);
    expect((await enrol(csr)).body).toBe(answer.body);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it('belongs to the request that asked first; others wait', async () => {
    const [first, second] = [await newCsr(), await newCsr()];
    expect((await enrol(first)).status).toBe(202);
    const other = await enrol(second);
    expect([other.status, Number(other.headers['retry-after'])]).toEqual([503, 300]);
    for (const id of waiting()) await running.ejbca.decide(id, 'approved');
    expect((await enrol(first)).status).toBe(200);
    expect((await enrol(second)).status).toBe(202);
  });

  it('is found again when the answer to it was lost', async () => {
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'ejbcaws', times: 2 });
    expect((await enrol(csr)).status).toBe(503);
    running.ejbca.clearFaults();
    while ((await enrol(csr)).status !== 202) expect(waiting().length).toBeLessThan(2);
    for (const id of waiting()) await running.ejbca.decide(id, 'approved');
    expect((await enrol(csr)).status).toBe(200);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it('E-22 gives one certificate also when the answer with it was lost', async () => {
    const csr = await newCsr();
    expect((await enrol(csr)).status).toBe(202);
    for (const id of waiting()) await running.ejbca.decide(id, 'approved');
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'certificaterequest', times: 1 });
    expect((await enrol(csr)).status).toBe(503);
    expect((await enrol(csr)).status).toBe(200);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it.each(['rejected', 'expired'] as const)('is refused when it was %s', async (end) => {
    const csr = await newCsr();
    expect((await enrol(csr)).status).toBe(202);
    for (const id of waiting()) await running.ejbca.decide(id, end);
    expect(await enrol(csr)).toMatchObject({ status: 403, body: expect.stringMatching(/has not approved/) });
  });
});
