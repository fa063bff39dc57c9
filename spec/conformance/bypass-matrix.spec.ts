/**
 * Each way of authentication with each way of cheating: a new way adds a row, a new cheat a column. In every cell the client is
 * refused, nothing is recorded, and the CA is not asked; each row begins with an honest client, who is served.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SchemaObject } from 'ajv';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { aliasSchema } from '../../src/config/alias-schema.ts';
import { builtInDrivers } from '../../src/config/drivers.ts';
import { proxyListenerSchema } from '../../src/config/proxy-listener-schema.ts';
import type { TestGateway } from '../support/gateway.ts';
import { describeWith, isTriedWith } from '../support/programs.ts';
import { cheats } from './bypass-matrix/cheats.ts';
import { enrol, forms, startSite, type Site } from './bypass-matrix/site.ts';
import { honestly, ways } from './bypass-matrix/ways.ts';

/** What an alias of the configuration file says of its clients. */
interface Settings {
  readonly authentication?: string;
  readonly credentials?: readonly { readonly driver: string }[];
}

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(async () => {
  await site.stop();
});

/** How many requests were recorded, how often the CA was asked, and how many certificates it issued. */
async function traces({ store, ca }: TestGateway): Promise<readonly number[]> {
  const issued = await store.certificates.list(ca);
  return [(await store.enrollments.list(10_000)).length, site.questions(), issued.length];
}

const refusals = [400, 401, 403, 404];

for (const way of ways) {
  describeWith(way.program, way.name, () => {
    it('serves who is honest', async () => {
      const shown = await honestly(way, site);
      const { gateway } = way.place(site);
      const before = await traces(gateway);
      expect(await enrol(way.place(site), way.commonName, shown)).toBe(200);
      expect(await traces(gateway)).toEqual(before.map((count) => count + 1));
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

  it('has a row for each way that a configuration can name', async () => {
    const file = parse(await readFile(site.direct.configurationFile, 'utf8')) as {
      readonly aliases: Readonly<Record<string, Settings>>;
    };
    const tried = ways.map((way) => file.aliases[way.place(site).alias] ?? {});
    const { authentication } = aliasSchema(builtInDrivers)['properties'] as Record<string, SchemaObject>;
    expect(new Set(tried.map((alias) => alias.authentication))).toEqual(
      new Set(authentication?.['enum'] as readonly string[]),
    );
    const drivers = tried.flatMap(({ credentials = [{ driver: 'store' }] }) => credentials);
    const known = builtInDrivers.credentials.map(({ name }) => name);
    expect(new Set(drivers.map(({ driver }) => driver))).toEqual(
      new Set(known.filter((name) => name !== 'ldap' || isTriedWith('slapd'))),
    );
    const { clientCertificate } = proxyListenerSchema['properties'] as Record<string, SchemaObject>;
    expect(clientCertificate?.['enum']).toEqual(forms);
  });

  it('says why a cell is empty', () => {
    const reasons = ways.flatMap((way) => cheats.map(({ without }) => without(way)));
    expect(reasons.filter((reason) => reason === '')).toEqual([]);
    expect(reasons.filter((reason) => reason === undefined).length).toBeGreaterThan(100);
  });
});
