/** One run: devices, gateways and an EJBCA in a world of a seed, and what came of it. */
import { createModelledEjbca } from './ejbca.ts';
import { startGateway, type Device, type ModelledGateway, type Mode, type Shared } from './gateways.ts';
import { begin } from '../../support/ejbca/model/transaction.ts';
import { chanceFrom, createWorld, type Chance } from './world.ts';

/** What a device has in the end, and what there is of it elsewhere: serial numbers. */
export interface Result {
  readonly device: string;
  readonly atDevice: string;
  readonly inJournal: string;
  /** Of its key, made for its request. */
  readonly atEjbca: readonly string[];
}

/** Milliseconds for which everything may fail. */
const roughTime = 40_000;

/** Milliseconds for which somebody is there to approve. */
const approvingTime = 3_000_000;

/** Milliseconds for which a device waits for an answer, and at most between two requests. */
const patience = 2000;
const longestRest = 12_000;

/** Repeats after this mean that a device is locked out. */
const mostRepeats = 400;

const modes: readonly Mode[] = ['ra', 'ra', 'client', 'vendor', 'approval', 'one step'];

/** In one step nothing but certificates shows that a search sees them. */
const somebody: Device = { name: 'somebody', mode: 'ra', username: 'somebody', code: 'x', renewed: 'f00' };

/** Runs until all devices have been answered. Throws an Error when one is refused. */
export async function runOnce(seed: number, setClock: (time: number) => void): Promise<readonly Result[]> {
  const chance = chanceFrom(seed);
  const world = createWorld(chance);
  const shared: Shared = {
    world,
    ejbca: createModelledEjbca(world),
    records: new Map(),
    attempts: new Map(),
    occupied: new Map(),
    setClock,
    isRough: true,
  };
  const mode = modes[chance.below(modes.length)] ?? 'ra';
  const devices = Array.from({ length: 1 + chance.below(4) }, (_, index) => deviceOf(mode, index, chance));
  for (const device of devices) await prepare(shared, device);
  if (mode === 'one step') await prepare(shared, somebody);
  shared.ejbca.isApprovalNeeded = mode === 'approval';
  const gateways: ModelledGateway[] = Array.from({ length: 1 + chance.below(2) }, () =>
    startGateway(shared, skewFrom(chance)),
  );
  const has = new Map<string, string>();
  let failure: Error | undefined;

  async function live(device: Device): Promise<void> {
    let isRestored = false;
    await world.pause(3000);
    for (let repeat = 0; repeat < mostRepeats; repeat += 1) {
      const gateway = gateways[chance.below(gateways.length)];
      const answer = await Promise.race([
        gateway?.ask(device) ?? Promise.resolve(undefined),
        world.sleep(patience).then(() => undefined),
      ]);
      if (answer?.state === 'certificate') {
        has.set(device.name, serialNumberIn(answer.certificate));
        if (isRestored || !isFoundAgain(mode) || !chance.happens(0.2)) return;
        isRestored = true;
        restoreJournal(shared, device);
        continue;
      }
      if (answer?.state === 'refused') throw answer.error;
      await world.pause(longestRest);
    }
    throw new Error(`${device.name} is locked out.`);
  }

  async function disturb(): Promise<void> {
    while (world.now() < endOfRough) {
      await world.pause(8000);
      if (chance.happens(0.3)) {
        const victim = chance.below(gateways.length);
        gateways[victim]?.kill();
        gateways[victim] = startGateway(shared, skewFrom(chance));
      }
      if (mode === 'ra' && chance.happens(0.3)) editByAdministrator(shared, devices, chance);
      touchEarlier(shared, devices, chance);
      shared.ejbca.approve();
    }
    shared.isRough = false;
    while (has.size < devices.length && world.now() < endOfApproving) {
      await world.sleep(8000);
      shared.ejbca.approve();
    }
  }

  const endOfRough = world.now() + roughTime;
  const endOfApproving = world.now() + approvingTime;
  const note = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error));
  };
  for (const device of devices) live(device).catch(note);
  disturb().catch(note);
  await world.run();
  if (failure !== undefined) throw failure;
  return devices.map(({ name, renewed }) => ({
    device: name,
    atDevice: has.get(name) ?? 'none',
    inJournal: serialNumberIn(shared.records.get(name)?.certificate ?? Buffer.alloc(0)),
    atEjbca: shared.ejbca.database.certificates
      .filter(({ keyHash, serialNumber }) => keyHash === name && serialNumber !== renewed)
      .map(({ serialNumber }) => serialNumber),
  }));
}

/** In client mode EJBCA asks for no code a second time; in one step nothing is looked for before the first attempt. */
function isFoundAgain(mode: Mode): boolean {
  return mode !== 'client' && mode !== 'one step';
}

/** A backup takes the place of the journal that does not have the request yet. */
function restoreJournal({ records, attempts }: Shared, { name }: Device): void {
  const record = records.get(name);
  if (record !== undefined) attempts.delete(record.id);
  records.delete(name);
}

function serialNumberIn(certificate: Buffer): string {
  return certificate.toString().split(' ')[0] ?? '';
}

/** Clocks of gateways are up to a minute off. */
function skewFrom(chance: Chance): number {
  return chance.below(120_000) - 60_000;
}

/** In RA mode some share an end entity, as FIXED names and the same commonName have it, and some renew with their key. */
function deviceOf(mode: Mode, index: number, chance: Chance): Device {
  const isRa = mode !== 'client' && mode !== 'vendor';
  const isShared = isRa && chance.happens(0.4);
  return {
    name: `device-${index}`,
    mode,
    username: isShared ? 'Shared' : `user-${index}`,
    code: `code-${index}`,
    renewed: mode === 'ra' && chance.happens(0.3) ? `e0${index}` : undefined,
  };
}

/** Client and vendor mode want a registration; who renews has a certificate of the same key. */
async function prepare({ ejbca, world }: Shared, device: Device): Promise<void> {
  const { mode, username, code, name, renewed } = device;
  if (mode !== 'client' && mode !== 'vendor' && renewed === undefined) return;
  const registering = ejbca.editUser({
    username,
    password: code,
    status: 10,
    caName: 'Device CA',
    certificateProfileName: 'Device',
    endEntityProfileName: 'Device',
    subjectDN: 'CN=device',
    tokenType: 'USERGENERATED',
  });
  await Promise.all([registering, world.run()]);
  if (renewed === undefined) return;
  await Promise.all([ejbca.certificateRequest(username, code, name), world.run()]);
  const issued = ejbca.database.certificates.at(-1);
  if (issued !== undefined) Object.assign(issued, { serialNumber: renewed });
}

/** Somebody registers the end entity of a device with a password of her own, between two calls of the gateway. */
function editByAdministrator({ ejbca }: Shared, devices: readonly Device[], chance: Chance): void {
  const { username = '' } = devices[chance.below(devices.length)] ?? {};
  const transaction = begin(ejbca.database);
  const endEntity = transaction.endEntity(username);
  if (endEntity === undefined) return;
  transaction.save({ ...endEntity, status: 'NEW', password: 'of the administrator' });
  transaction.commit();
}

/** A hold that is lifted again writes the row of an earlier certificate anew. */
function touchEarlier({ ejbca, world }: Shared, devices: readonly Device[], chance: Chance): void {
  const earlier = ejbca.database.certificates.find(({ serialNumber }) =>
    devices.some(({ renewed }) => renewed === serialNumber),
  );
  if (earlier !== undefined && chance.happens(0.3)) earlier.updatedAt = new Date(world.now());
}
