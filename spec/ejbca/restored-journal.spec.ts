import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { certificateOf, enrolDevice, enrolWithBasic, plainCsr, renew } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

describe('a journal that was restored from a backup without the latest records', () => {
  let running: EjbcaGateway;

  beforeEach(async () => {
    running = await startEjbcaGateway({
      aliases: { basic: { requireClientCertificate: false, requireUsernameAndPassword: true } },
    });
  });

  afterEach(async () => {
    await running.stop();
  });

  async function restore(): Promise<void> {
    const { gateway } = running;
    await gateway.restart(async () => {
      const database = new DatabaseSync(join(gateway.directory, 'state.sqlite'));
      database.exec('DELETE FROM enrollments; DELETE FROM attempts');
      database.close();
      await Promise.resolve();
    });
  }

  const issued = (): number => running.ejbca.database.certificates.length;

  it('E-22 still gives the certificate of the same request, which EJBCA has', async () => {
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    const { body } = await enrolWithBasic(running.gateway, csr, 'basic');
    await restore();
    expect(await enrolWithBasic(running.gateway, csr, 'basic')).toMatchObject({ status: 200, body });
    expect(issued()).toBe(1);
  });

  it('E-22 gives another one for another key, and when the first was revoked', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr('device', key);
    expect((await enrolWithBasic(running.gateway, csr, 'basic')).status).toBe(200);
    await restore();
    const other = await plainCsr('device', await generateKeyPair('P-256'));
    expect((await enrolWithBasic(running.gateway, other, 'basic')).status).toBe(200);
    const [first] = running.ejbca.database.certificates;
    if (first !== undefined) first.revocation = { reason: 'SUPERSEDED', at: new Date() };
    expect((await enrolWithBasic(running.gateway, csr, 'basic')).status).toBe(200);
    expect(issued()).toBe(3);
  });

  it('gives no certificate with names beyond those asked for', async () => {
    const key = await generateKeyPair('P-256');
    const withHost = await certificationRequest({
      key,
      subject: name([id.commonName, utf8String('device')]),
      extensions: [subjectAltName(generalName(2, 'device.example'))],
    });
    expect((await enrolWithBasic(running.gateway, withHost, 'basic')).status).toBe(200);
    await restore();
    expect((await enrolWithBasic(running.gateway, await plainCsr('device', key), 'basic')).status).toBe(200);
    expect(issued()).toBe(2);
  });

  it('gives a renewal with the same key the certificate that it has got, and the next one another', async () => {
    const device = await enrolDevice(running.gateway, 'device', 'basic');
    const csr = await plainCsr('device', device.keyPair);
    await wait(1100);
    const renewed = await renew(running.gateway, device, csr, 'basic');
    await restore();
    expect((await renew(running.gateway, device, csr, 'basic')).body).toBe(renewed.body);
    expect(issued()).toBe(2);
    const next = { ...device, cert: await certificateOf(renewed) };
    expect((await renew(running.gateway, next, csr, 'basic')).status).toBe(200);
    expect(issued()).toBe(3);
  });
});
