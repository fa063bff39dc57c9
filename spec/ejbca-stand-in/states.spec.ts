import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { startEjbca, type StandIn } from '../support/ejbca/start.ts';
import { databaseOutage, redeploy, restart, type State } from '../support/ejbca/state.ts';
import { enrolAt, rest, type RestAnswer } from './rest-client.ts';

let ejbca: StandIn;

beforeAll(async () => {
  ejbca = await startEjbca({ version: '8.2.0.1' });
  await enrolAt(ejbca, 'device');
});

beforeEach(async () => {
  await ejbca.setState('running');
});

afterAll(async () => {
  await ejbca.stop();
});

async function list(): Promise<RestAnswer> {
  return await rest(ejbca, 'GET', '/v1/ca');
}

async function search(): Promise<RestAnswer> {
  const criteria = [{ property: 'QUERY', value: 'device', operation: 'EQUAL' }];
  const pagination = { page_size: 10, current_page: 1 };
  return await rest(ejbca, 'POST', '/v2/certificate/search', { json: { pagination, criteria } });
}

async function statuses(states: readonly State[]): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  for (const state of states) {
    await ejbca.setState(state);
    const answer = list().then(
      ({ status, contentType }) => `${status} ${contentType?.split(';')[0] ?? ''}`,
      (error: unknown) => (error as NodeJS.ErrnoException).code,
    );
    seen.push(await answer);
  }
  return seen;
}

describe('An EJBCA that is not there', () => {
  it('answers with pages while it is stopped, and refuses connections then', async () => {
    const withoutStart = restart.filter((state) => state !== 'starting');
    expect(await statuses(withoutStart)).toEqual([
      '503 text/html',
      '404 text/html',
      'ECONNREFUSED',
      '200 application/json',
    ]);
  });

  it('holds requests until it is deployed', async () => {
    await ejbca.setState('starting');
    const before = ejbca.requests.length;
    const answer = list();
    while (ejbca.requests.length === before) await wait(5);
    expect(ejbca.requests.at(-1)).toMatchObject({ status: undefined });
    await ejbca.setState('running');
    expect(await answer).toMatchObject({ status: 200 });
  });

  it('answers with pages while it is deployed anew', async () => {
    expect(await statuses(redeploy)).toEqual(['404 text/html', '500 text/html', '200 application/json']);
  });

  it('finds nothing at first without its database, then fails, then shows pages', async () => {
    const found: unknown[] = [];
    for (const state of databaseOutage) {
      await ejbca.setState(state);
      const { status, json } = await search();
      const { certificates = [] } = (json ?? {}) as { readonly certificates?: readonly unknown[] };
      found.push([status, certificates.length]);
    }
    expect(found).toEqual([
      [200, 0],
      [500, 0],
      [500, 0],
      [200, 1],
      [200, 1],
    ]);
    expect(await statuses(databaseOutage)).toEqual([
      '200 application/json',
      '500 application/json',
      '500 text/html',
      '200 application/json',
      '200 application/json',
    ]);
  });

  it('says that it is well without its database, where that is all that is asked', async () => {
    await ejbca.setState('database down');
    expect(await rest(ejbca, 'GET', '/v1/certificate/status', { client: undefined })).toMatchObject({
      status: 200,
    });
  });
});
