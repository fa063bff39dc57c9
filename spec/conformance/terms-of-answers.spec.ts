import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { addUser } from '../../src/cli/user.ts';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolment, plainCsr } from '../support/device.ts';
import { newAuthority, startTestGateway, type TestGateway, type Written } from '../support/gateway.ts';

const local = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { first: { validityDays: 30 }, second: { validityDays: 60 }, guarded: { approval: 'all' } },
};
const otherCa = {
  driver: 'local',
  certificate: 'other.pem',
  privateKey: 'file:other.key',
  passphrase: 'file:passphrase',
  chain: ['other-root.pem'],
  profiles: { first: { validityDays: 30 }, guarded: { approval: 'all' } },
};

describe('what an answer was given for', () => {
  let gateway: TestGateway;
  let devices = 0;
  beforeEach(async () => {
    const other = await newAuthority();
    gateway = await startTestGateway({
      backends: { local, other: otherCa, mock: { driver: 'mock', retryAfter: 1 } },
      aliases: { est: { profile: 'first' }, waiting: { profile: 'guarded' } },
      files: {
        'other.pem': other.issuingCertificate,
        'other.key': other.issuingKey,
        'other-root.pem': other.rootCertificate,
      },
    });
  });
  afterEach(async () => {
    await gateway.stop();
  });

  async function newDevice(uses?: number, alias = 'est'): Promise<() => Promise<Answer>> {
    const name = `device-${(devices += 1)}`;
    await addUser(gateway.store, { alias, name, code: `code of ${name}, long`, remainingUses: uses });
    const authorization = `Basic ${Buffer.from(`${name}:code of ${name}, long`).toString('base64')}`;
    const csr = await plainCsr(name, await generateKeyPair('P-256'));
    return async () =>
      await send(`${gateway.url}/${alias}/simpleenroll`, {
        ca: gateway.trustAnchor,
        ...enrolment(csr, { Authorization: authorization }),
      });
  }

  async function given(answer: Answer): Promise<X509Certificate> {
    expect([answer.status, answer.status === 200 ? '' : answer.body]).toEqual([200, '']);
    return new X509Certificate(await certificateOf(answer));
  }

  /** The configuration with another alias, or other backends. */
  async function change(
    alias: object,
    { name = 'est', backends = {} }: { readonly name?: string; readonly backends?: object } = {},
  ): Promise<void> {
    await gateway.reload((written: Written) => ({
      ...written,
      backends: { ...written.backends, ...backends },
      aliases: { ...written.aliases, [name]: { ...written.aliases[name], ...alias } },
    }));
  }

  async function approveAll(): Promise<void> {
    const never = new Date(0);
    for (const ca of await cas()) {
      for (const { reference } of await gateway.store.heldRequests.undecided(ca, never)) {
        await gateway.store.heldRequests.decide(ca, reference, { state: 'approved' }, never);
      }
    }
  }

  async function cas(): Promise<readonly string[]> {
    return (await gateway.store.certificates.knownCas()).map(({ ca }) => ca);
  }

  it.each<[string, object, object]>([
    ['another profile', { profile: 'second' }, {}],
    ['another CA', { backend: 'other' }, {}],
    [
      'another validity',
      {},
      { local: { ...local, profiles: { ...local.profiles, first: { validityDays: 31 } } } },
    ],
    [
      'other key usages',
      {},
      {
        local: {
          ...local,
          profiles: { ...local.profiles, first: { validityDays: 30, keyUsage: ['digitalSignature'] } },
        },
      },
    ],
    ['other names that the CA may issue', { issuedNames: ['addedAttributes'] }, {}],
  ])('E-22 is given again until the alias has %s', async (_what, alias, backends) => {
    const enrol = await newDevice(2);
    const first = await given(await enrol());
    await change({});
    expect((await given(await enrol())).serialNumber).toBe(first.serialNumber);
    await change(alias, { backends });
    const second = await given(await enrol());
    expect(second.serialNumber).not.toBe(first.serialNumber);
    expect((await given(await enrol())).serialNumber).toBe(second.serialNumber);
  });

  it('S-28 costs a use where it is not given again', async () => {
    const enrol = await newDevice(1);
    await given(await enrol());
    await change({ profile: 'second' });
    expect(await enrol()).toMatchObject({ status: 403, body: expect.stringContaining('used up') });
  });

  it('E-22 is given again by a backend that has another name and other limits', async () => {
    const enrol = await newDevice(1);
    const first = await given(await enrol());
    await change({ backend: 'renamed' }, { backends: { renamed: { ...local, retryAfter: 9 } } });
    expect((await given(await enrol())).serialNumber).toBe(first.serialNumber);
  });

  it('P-03 is what a request waited for, though the alias has another CA and profile by now', async () => {
    const ask = await newDevice(1, 'waiting');
    expect(await ask()).toMatchObject({ status: 202 });
    await change({ backend: 'other', profile: 'first' }, { name: 'waiting' });
    expect(await ask()).toMatchObject({ status: 202 });
    await approveAll();
    const certificate = await given(await ask());
    expect(certificate.verify(new X509Certificate(gateway.issuingCertificate).publicKey)).toBe(true);
  });

  it('P-04 is kept where nobody can give it any more, until the backend is there again', async () => {
    const ask = await newDevice(1, 'waiting');
    expect(await ask()).toMatchObject({ status: 202 });
    await change(
      { backend: 'other', profile: 'guarded' },
      { name: 'waiting', backends: { local: { ...local, profiles: { first: { validityDays: 30 } } } } },
    );
    await approveAll();
    expect(await ask()).toMatchObject({ status: 503, headers: { 'retry-after': '300' } });
    const lines = gateway.log.entries.filter(({ level }) => level === 'error').map(({ message }) => message);
    expect(lines).toContainEqual(expect.stringContaining('the configuration does not have any more'));
    await change({}, { backends: { local } });
    await given(await ask());
  });
});
