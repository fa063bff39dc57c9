import { describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import type { CredentialDriver } from '../../src/auth/credentials/source.ts';
import type { CertificationAuthoritiesDriver } from '../../src/ca/ca.ts';
import { mockDriver } from '../../src/ca/mock.ts';
import { sqlite } from '../../src/store/sqlite.ts';
import type { StateStoreDriver } from '../../src/store/store.ts';
import { load, problemsOf, shortest } from '../support/configuration-file.ts';
import { startTestGateway } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';

/** Backends whose aliases say below `fleet` which of their CAs they want. */
const fleet: CertificationAuthoritiesDriver<unknown, { readonly ca: string }> = {
  name: 'fleet',
  optionsSchema: { type: 'object', properties: {}, additionalProperties: false },
  aliasSettings: {
    schema: {
      type: 'object',
      properties: { ca: { type: 'string' } },
      required: ['ca'],
      additionalProperties: false,
    },
    contradictionsIn: ({ ca }) => (ca === 'none' ? ['there is no CA named none'] : []),
  },
  open: () => Promise.reject(new Error('The fleet is not opened here.')),
};

const ofFleet = (settings: string): string =>
  shortest
    .replace('driver: mock', 'driver: fleet')
    .replace('    authentication: basic\n', `    fleet: ${settings}\n`);

describe('drivers of others', () => {
  it('keep the state and know the users of a gateway that names them', async () => {
    const opened: unknown[] = [];
    const store: StateStoreDriver<{ readonly place: string }> = {
      name: 'archive',
      optionsSchema: {
        type: 'object',
        properties: { place: { type: 'string', format: 'file' } },
        required: ['place'],
        additionalProperties: false,
      },
      open: async (options) => {
        opened.push(options);
        return await sqlite.open({ file: options.place });
      },
    };
    const staff: CredentialDriver<{ readonly length: number }> & { self?: unknown } = {
      name: 'staff',
      optionsSchema: {
        type: 'object',
        properties: { length: { type: 'integer', default: 4 } },
        additionalProperties: false,
      },
      open: ({ length }) =>
        Promise.resolve({
          name: 'staff',
          takesEqualTime: true,
          prove: ({ name, code }) =>
            Promise.resolve(
              code.length === length
                ? { state: 'proved', user: { name, isLimited: false } }
                : { state: 'wrong' },
            ),
        }),
    };
    // As objects do that have a parent or a connection.
    staff.self = staff;
    const gateway = await startTestGateway({
      drivers: { stateStores: [store], credentials: [staff] },
      store: { driver: 'archive', place: 'archive.sqlite' },
      aliases: { staff: { credentials: [{ driver: 'staff' }] } },
    });
    try {
      const [right, wrong] = await Promise.all(
        ['four', 'fives'].map(async (code) => await enrolAs(gateway, { alias: 'staff', name: 'anna', code })),
      );
      expect([right?.status, wrong?.status]).toEqual([200, 401]);
      expect(opened[0]).toEqual({ place: join(gateway.directory, 'archive.sqlite') });
      expect(await gateway.store.enrollments.list(10)).toMatchObject([
        { alias: 'staff', identity: 'staff/user:anna', state: 'issued' },
      ]);
    } finally {
      await gateway.stop();
    }
  });

  it('go with the configuration, and are not frozen with it', async () => {
    const { drivers } = await load(ofFleet('{ ca: one }'), { certificationAuthorities: [fleet] });
    expect(drivers.certificationAuthorities.at(-1)).toBe(fleet);
    expect(Object.isFrozen(fleet)).toBe(false);
  });

  it('say what aliases may say to them', async () => {
    const others = { certificationAuthorities: [fleet] };
    expect(await problemsOf(ofFleet('{ ca: one }'), others)).toEqual([]);
    expect(await problemsOf(ofFleet('{ ca: none }'), others)).toEqual([
      'est-gateway.yaml:10: aliases.est.fleet: there is no CA named none',
    ]);
    expect(await problemsOf(ofFleet('{ cas: one }'), others)).toEqual(
      expect.arrayContaining(['est-gateway.yaml:10: aliases.est.fleet.cas: unknown key; did you mean "ca"?']),
    );
    expect(await problemsOf(ofFleet('{ ca: one }').replace(/ +fleet: .*\n/, ''), others)).toEqual([
      'est-gateway.yaml:8: aliases.est: the key "fleet" is missing; expected a mapping',
    ]);
    expect(await problemsOf(ofFleet('{ ca: one }'))).toEqual(
      expect.arrayContaining([expect.stringMatching(/backends\.test\.driver: expected .*, found "fleet"/)]),
    );
  });

  it('have names that no other driver of their kind has', async () => {
    const twice = load(shortest, { certificationAuthorities: [fleet, fleet] });
    await expect(twice).rejects.toThrow('There is already a driver named fleet; choose another name.');
    const builtIn = load(shortest, { certificationAuthorities: [{ ...mockDriver }] });
    await expect(builtIn).rejects.toThrow('There is already a driver named mock; choose another name.');
    const store = load(shortest, { stateStores: [{ ...sqlite }] });
    await expect(store).rejects.toThrow('There is already a driver named sqlite; choose another name.');
  });

  it.each(['policy', 'credentials', 'authentication'])(
    'cannot take the place of the key %s of aliases',
    async (name) => {
      const others = { certificationAuthorities: [{ ...fleet, name }] };
      await expect(load(shortest, others)).rejects.toThrow(
        `A driver cannot be named ${name}: every alias has a key of this name.`,
      );
    },
  );
});
