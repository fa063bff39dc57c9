import { afterEach, expect, it } from '@jest/globals';
import { addUser } from '../../src/cli/user.ts';
import { generateKeyPair } from '../support/csr.ts';
import type { Answer } from '../support/client.ts';
import { named } from '../support/certificate.ts';
import {
  certificateOf,
  enrolDevice,
  issueByHand,
  plainCsr,
  privatePem,
  renew,
  type Device,
} from '../support/device.ts';
import { startTestGateway, type TestGateway, type Written } from '../support/gateway.ts';
import { enrolAs } from '../support/login.ts';

let gateway: TestGateway;
afterEach(async () => {
  await gateway.stop();
});

const meter = { name: 'meter', code: 'none but mine own' };

async function start(): Promise<void> {
  gateway = await startTestGateway({ aliases: { meters: {} } });
  await addUser(gateway.store, { alias: 'meters', ...meter, remainingUses: 1 });
}

async function status(alias: string): Promise<number> {
  return (await enrolAs(gateway, { alias, ...meter })).status;
}

/** The configuration with another name for an alias. */
function renamed(from: string, to: string) {
  return ({ aliases, ...rest }: Written): object => ({
    ...rest,
    aliases: Object.fromEntries(
      Object.entries(aliases).map(([name, alias]) => [name === from ? to : name, alias]),
    ),
  });
}

function warnings(): readonly string[] {
  return gateway.log.entries.filter(({ level }) => level === 'warn').map(({ message }) => message);
}

it('An alias that is renamed in the configuration alone has no users, and nor has a later one of the old name', async () => {
  await start();
  await gateway.reload(renamed('meters', 'sensors'));
  expect(await status('sensors')).toBe(401);
  expect(warnings()).toContainEqual(
    expect.stringMatching(/^The store has 2 users and 0 waiting requests of an alias meters /),
  );
  await gateway.reload(renamed('sensors', 'meters'));
  expect(await status('meters')).toBe(401);
});

it.each(['before', 'after'])(
  'What belongs to an alias moves to another name, %s the reload',
  async (when) => {
    await start();
    const rename = async (): Promise<void> => {
      expect(await gateway.store.aliases.rename('meters', 'sensors', new Date())).toEqual({
        state: 'renamed',
        withoutDigest: 0,
      });
    };
    if (when === 'before') await rename();
    await gateway.reload(renamed('meters', 'sensors'));
    const unmoved = await status('sensors');
    expect(unmoved).toBe(when === 'before' ? 200 : 401);
    if (when === 'after') await rename();
    await gateway.reload();
    // The code was good for one certificate.
    expect(await status('sensors')).toBe(when === 'before' ? 403 : 200);
    expect(warnings().filter((text) => text.startsWith('The store has 2 users'))).toHaveLength(
      when === 'after' ? 1 : 0,
    );
    await gateway.reload();
    expect(await status('sensors')).toBe(403);
  },
);

it('Two aliases whose users have the same names do not become one', async () => {
  await start();
  expect(await gateway.store.aliases.rename('meters', 'est', new Date())).toEqual({
    state: 'doubled',
    users: ['device'],
  });
});

it('What another configuration has under a name is not left', async () => {
  await start();
  const { aliases } = gateway.store;
  expect(await aliases.identify('meters', 'other.yaml')).toBe('meters');
  await gateway.reload(renamed('meters', 'sensors'));
  expect(await aliases.left(['est', 'sensors'], gateway.configurationFile)).toEqual([]);
  await gateway.reload(renamed('sensors', 'meters'));
  expect(await status('meters')).toBe(200);
});

it('S-17 The same name at two aliases is two users, of whom one does not get the key of the other', async () => {
  await start();
  await addUser(gateway.store, { alias: 'est', ...meter, remainingUses: undefined });
  const key = await generateKeyPair('P-256');
  const enrol = async (alias: string, commonName: string): Promise<number> =>
    (await enrolAs(gateway, { alias, ...meter, csr: await plainCsr(commonName, key) })).status;
  expect(await enrol('meters', 'one')).toBe(200);
  expect([await enrol('est', 'two'), await enrol('est', 'one')]).toEqual([403, 200]);
});

it('R-04 renews what another alias has issued where that is allowed, and refuses it else', async () => {
  const policy = (renewOtherAliases: boolean): object => ({
    policy: { subject: ['commonName'], renewOtherAliases },
  });
  gateway = await startTestGateway({ aliases: { first: {}, closed: policy(false), open: policy(true) } });
  const device = await enrolDevice(gateway, 'device', 'first');
  const renewAt = async (alias: string, { cert, key }: Pick<Device, 'cert' | 'key'>): Promise<Answer> =>
    await renew(gateway, { cert, key }, await plainCsr('device', await generateKeyPair('P-256')), alias);
  const refused = await renewAt('closed', device);
  expect(refused).toMatchObject({ status: 403, body: expect.stringContaining('issued at another alias') });
  const entry = gateway.log.entries.findLast(({ message }) => message === 'request');
  expect(entry?.fields['rule']).toBe('policy.renewOtherAliases');
  const keyPair = await generateKeyPair('P-256');
  const moved = await renew(gateway, device, await plainCsr('device', keyPair), 'open');
  const renewed = { cert: await certificateOf(moved), key: privatePem(keyPair.privateKey) };
  expect((await renewAt('closed', renewed)).status).toBe(403);
  expect((await renewAt('open', renewed)).status).toBe(200);
  // Signed by hand, so that the journal does not know it.
  const unknown = await issueByHand(gateway, { subject: named('device') });
  expect((await renewAt('closed', unknown)).status).toBe(200);
});
