/**
 * Each way of authentication with each way of cheating: a new way adds a row, a new cheat a column. In every cell the client is
 * refused, nothing is recorded, and the CA is not asked; each row begins with an honest client, who is served.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TestGateway } from '../support/gateway.ts';
import { describeWith } from '../support/programs.ts';
import { cheats } from './bypass-matrix/cheats.ts';
import { enrol, startSite, type Site } from './bypass-matrix/site.ts';
import { honestly, ways } from './bypass-matrix/ways.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(async () => {
  await site.stop();
});

/** How many requests were recorded and certificates issued; the journal is written before the CA is asked. */
async function traces({ store }: TestGateway): Promise<readonly number[]> {
  const issued = await store.certificates.list('local');
  return [(await store.enrollments.list(10_000)).length, issued.length];
}

const refusals = [400, 401, 403, 404];

for (const way of ways) {
  describeWith(way.program, way.name, () => {
    it('serves who is honest', async () => {
      const shown = await honestly(way, site);
      const { gateway } = way.place(site);
      const [recorded = 0, issued = 0] = await traces(gateway);
      expect(await enrol(way.place(site), way.commonName, shown)).toBe(200);
      expect(await traces(gateway)).toEqual([recorded + 1, issued + 1]);
    });

    it.each(cheats.filter(({ without }) => without(way) === undefined))(
      'refuses $name',
      async ({ forge }) => {
        const attempts = await forge(way, site);
        const place = way.place(site);
        const before = await traces(place.gateway);
        const statuses: number[] = [];
        for (const { alias = place.alias, ...shown } of attempts) {
          statuses.push(await enrol({ ...place, alias }, way.commonName, shown));
        }
        expect(statuses).not.toEqual([]);
        expect(statuses.filter((status) => !refusals.includes(status))).toEqual([]);
        expect(await traces(place.gateway)).toEqual(before);
      },
    );
  });
}

describe('The matrix', () => {
  it('has somebody who is right elsewhere', async () => {
    for (const way of ways) {
      const { gateway, form } = way.place(site);
      const elsewhere = { gateway, form, alias: 'elsewhere' };
      expect([way.name, await enrol(elsewhere, 'stranger', { user: site.stranger })]).toEqual([
        way.name,
        200,
      ]);
    }
  });

  it('says why a cell is empty', () => {
    const reasons = ways.flatMap((way) => cheats.map(({ without }) => without(way)));
    expect(reasons.filter((reason) => reason === '')).toEqual([]);
    expect(reasons.filter((reason) => reason === undefined).length).toBeGreaterThan(100);
  });
});
