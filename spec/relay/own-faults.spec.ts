import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { aliasForRelay, registrationAuthority, startChain, type Chain } from './chain.ts';

const never = new Date(0);

describe.each([
  ['request', []],
  ['relay', ['simpleenroll', 'simplereenroll']],
])('A chain of two gateways, %s mode', (_mode, relay) => {
  let chain: Chain;
  beforeAll(async () => {
    const local = {
      driver: 'local',
      certificate: 'issuing.pem',
      privateKey: 'file:issuing.key',
      passphrase: 'file:passphrase',
      chain: ['root.pem'],
      profiles: { device: {}, guarded: { approval: 'all' } },
    };
    chain = await startChain({
      backend: { relay },
      upstream: { backends: { local }, aliases: { waiting: { ...aliasForRelay, profile: 'guarded' } } },
      further: ['waiting'],
    });
  });
  afterAll(async () => {
    await chain.stop();
  });

  it('R-02 asks for a renewal as one, so that one with the same key is another certificate', async () => {
    const { relay: here, upstream } = chain;
    const device = await enrolDevice(here, 'same-key');
    const csr = await plainCsr('same-key', device.keyPair);
    const renewed = await certificateOf(await renew(here, device, csr));
    expect(new X509Certificate(renewed).serialNumber).not.toBe(new X509Certificate(device.cert).serialNumber);
    const [there] = await upstream.store.enrollments.list(1);
    expect(there).toMatchObject({ operation: 'simplereenroll', state: 'issued' });
  });

  it('gives 403 where the upstream refuses the device, though it speaks of a certificate', async () => {
    const { relay: here, upstream } = chain;
    const device = await enrolDevice(here, 'revoked');
    const serialNumber = new X509Certificate(device.cert).serialNumber.toLowerCase();
    await upstream.store.certificates.revoke(upstream.ca, serialNumber, 'superseded', new Date());
    const renewal = await renew(here, device, await plainCsr('revoked', await generateKeyPair('P-256')));
    expect(renewal).toMatchObject({ status: 403 });
    expect(here.log.entries.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('P-04 keeps what waits when the upstream refuses the gateway itself, and tells the operator', async () => {
    const { relay: here, upstream } = chain;
    const csr = await plainCsr('waits', await generateKeyPair('P-256'));
    expect(await enrolWithBasic(here, csr, 'waiting')).toMatchObject({ status: 202 });
    for (const { reference, subject } of await upstream.store.heldRequests.undecided(upstream.ca, never)) {
      if (subject !== 'CN=waits') continue;
      await upstream.store.heldRequests.decide(upstream.ca, reference, { state: 'approved' }, never);
    }
    const own = new X509Certificate(await readFile(join(here.directory, 'ra.pem')));
    const serialNumber = own.serialNumber.toLowerCase();
    await upstream.store.certificates.revoke(upstream.ca, serialNumber, 'superseded', new Date());
    expect(await enrolWithBasic(here, csr, 'waiting')).toMatchObject({ status: 502 });
    expect(
      here.log.entries.find(({ message }) => message.includes('refuses the gateway itself')),
    ).toMatchObject({ level: 'error', fields: { answer: expect.stringContaining('revoked') } });
    const other = await plainCsr('other', await generateKeyPair('P-256'));
    expect(await enrolWithBasic(here, other)).toMatchObject({ status: 502 });
    const { files } = await registrationAuthority(upstream);
    for (const name of ['ra.pem', 'ra.key'] as const) {
      await writeFile(join(here.directory, name), files[name] ?? '');
    }
    await here.reload();
    expect(await enrolWithBasic(here, csr, 'waiting')).toMatchObject({ status: 200 });
  });
});
