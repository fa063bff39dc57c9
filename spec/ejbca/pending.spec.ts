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
    running = await startEjbcaGateway({ aliases, backend: { retryAfter: 7 } });
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
