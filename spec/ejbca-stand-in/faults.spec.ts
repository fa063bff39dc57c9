import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { enrolAt, rest, type Enrolled } from './rest-client.ts';

let ejbca: StandIn;

beforeAll(async () => {
  ejbca = await startEjbca();
});

afterAll(async () => {
  await ejbca.stop();
});

async function enrol(username: string): Promise<Enrolled> {
  return await enrolAt(ejbca, username);
}

describe('Faults on demand', () => {
  const path = '/v1/certificate/status';

  beforeEach(() => {
    ejbca.clearFaults();
  });

  it('are used up, and hit their path alone', async () => {
    ejbca.setFault({ kind: 'answer', when: 'before', status: 502, path: '/v1/ca', times: 2 });
    const statuses = [];
    for (const each of ['/v1/ca', path, '/v1/ca', '/v1/ca']) {
      statuses.push((await rest(ejbca, 'GET', each)).status);
    }
    expect(statuses).toEqual([502, 200, 502, 200]);
  });

  it('reset the connection before or after the work is done', async () => {
    for (const when of ['before', 'after'] as const) {
      ejbca.setFault({ kind: 'reset', when, path: 'pkcs10enroll', times: 1 });
      await expect(enrol(`reset-${when}`)).rejects.toMatchObject({ code: 'ECONNRESET' });
    }
    expect(ejbca.database.endEntities.has('reset-before')).toBe(false);
    expect(ejbca.database.endEntities.has('reset-after')).toBe(true);
  });

  it('cut the answer in its middle', async () => {
    ejbca.setFault({ kind: 'truncation', times: 1 });
    await expect(rest(ejbca, 'GET', path)).rejects.toThrow();
  });

  it('answer with garbage instead, in bursts, with headers of their own', async () => {
    const answer = { kind: 'answer', when: 'before' } as const;
    ejbca.setFault({ ...answer, status: 200, contentType: 'text/plain', body: '{"status":' });
    expect(await rest(ejbca, 'GET', path)).toMatchObject({ status: 200, body: '{"status":' });
    ejbca.clearFaults();
    ejbca.setFault({ ...answer, status: 302, headers: { Location: 'https://localhost:1/' } });
    expect(await rest(ejbca, 'GET', path)).toMatchObject({ status: 302 });
  });

  it('never answer, though the work is done', async () => {
    ejbca.setFault({ kind: 'silence', when: 'after', path: 'pkcs10enroll' });
    const answer = enrol('silent');
    while (ejbca.database.endEntities.get('silent')?.status !== 'GENERATED') await wait(5);
    expect(await Promise.race([answer, wait(50, 'nothing came')])).toBe('nothing came');
  });

  it('answer one octet at a time', async () => {
    ejbca.setFault({ kind: 'trickle', milliseconds: 2 });
    const start = performance.now();
    expect((await rest(ejbca, 'GET', path)).json).toMatchObject({ status: 'OK' });
    expect(performance.now() - start).toBeGreaterThan(100);
  });

  it('change members of the answer, and delay it', async () => {
    ejbca.setFault({ kind: 'change', members: { revision: 7 } });
    ejbca.setFault({ kind: 'latency', milliseconds: 60 });
    const start = performance.now();
    expect((await rest(ejbca, 'GET', path)).json).toEqual({ status: 'OK', version: '1.0', revision: 7 });
    expect(performance.now() - start).toBeGreaterThanOrEqual(55);
  });

  it('show how many calls were under way at once', async () => {
    ejbca.setFault({ kind: 'latency', milliseconds: 50 });
    await Promise.all([1, 2, 3].map(async () => await rest(ejbca, 'GET', path)));
    expect(ejbca.traffic.mostInFlight).toBeGreaterThanOrEqual(3);
  });

  it('record what was asked, by whom, and what was answered', async () => {
    const before = ejbca.requests.length;
    const { connections } = ejbca.traffic;
    await rest(ejbca, 'GET', `${path}?x=1`);
    expect(ejbca.traffic).toMatchObject({ connections: connections + 1 });
    expect(ejbca.requests.slice(before)).toMatchObject([
      {
        method: 'GET',
        path: `/ejbca/ejbca-rest-api${path}?x=1`,
        client: 'CN=Super Administrator',
        status: 200,
      },
    ]);
  });

  it.each([
    ['before the end entity', false],
    ['after the end entity', false],
    ['before the commit', false],
    ['after the commit', true],
  ] as const)('hold a call %s, until it is let go', async (step, isCommitted) => {
    const username = `held-${step.replaceAll(' ', '-')}`;
    const hold = ejbca.hold(step, { path: 'pkcs10enroll' });
    const answer = enrol(username);
    await hold.reached;
    expect(ejbca.database.endEntities.has(username)).toBe(isCommitted);
    hold.release();
    await answer;
    expect(ejbca.database.endEntities.get(username)?.status).toBe('GENERATED');
  });

  it('do not keep EJBCA from going on when the client is gone', async () => {
    const hold = ejbca.hold('before the commit', { path: 'pkcs10enroll' });
    const gone = new AbortController();
    const answer = enrolAt(ejbca, 'gone', gone.signal);
    await hold.reached;
    gone.abort();
    await expect(answer).rejects.toThrow();
    expect(ejbca.database.endEntities.has('gone')).toBe(false);
    hold.release();
    await wait(0);
    expect(ejbca.database.endEntities.get('gone')?.status).toBe('GENERATED');
  });
});
