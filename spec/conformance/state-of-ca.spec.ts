import { afterEach, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { generateKeyPair } from '../support/csr.ts';
import { enrolDevice, plainCsr, renew, type Device } from '../support/device.ts';
import { newAuthority, startTestGateway, type TestGateway, type Written } from '../support/gateway.ts';
import { openssl } from '../support/openssl.ts';

let gateway: TestGateway;
afterEach(async () => {
  await gateway.stop();
});

async function revoke({ cert }: Device): Promise<string> {
  const serialNumber = new X509Certificate(cert).serialNumber;
  await gateway.store.certificates.revoke(gateway.ca, serialNumber.toLowerCase(), 'superseded', new Date());
  return serialNumber;
}

async function renewAt(alias: string, device: Device): Promise<number> {
  const csr = await plainCsr(device.commonName, await generateKeyPair('P-256'));
  return (await renew(gateway, device, csr, alias)).status;
}

async function crlOf(backend: string): Promise<Buffer> {
  const answer = await fetch(`${gateway.httpUrl}/crl/${backend}.crl`);
  return Buffer.from(await answer.arrayBuffer());
}

async function textOf(crl: Buffer): Promise<string> {
  return await openssl('crl -inform DER -noout -text -in ca.crl', { 'ca.crl': crl });
}

/** The configuration with another name for the backend `local`. */
function renamed({ backends, aliases, ...rest }: Written): object {
  const { local, ...others } = backends;
  const using = Object.entries(aliases).map(([name, alias]) => [name, { ...alias, backend: 'renamed' }]);
  return { ...rest, backends: { renamed: local, ...others }, aliases: Object.fromEntries(using) as object };
}

it('A backend that is renamed keeps its certificates, revocations and CRL', async () => {
  gateway = await startTestGateway();
  const [good, bad] = [await enrolDevice(gateway, 'good'), await enrolDevice(gateway, 'bad')];
  const serialNumber = await revoke(bad);
  const before = await crlOf('local');
  await gateway.reload(renamed);
  expect(await crlOf('renamed')).toEqual(before);
  expect(await textOf(before)).toContain(serialNumber);
  expect([await renewAt('est', bad), await renewAt('est', good)]).toEqual([403, 200]);
});

/** A second backend of the CA of `local`. */
const twin = {
  driver: 'local',
  certificate: 'issuing.pem',
  privateKey: 'file:issuing.key',
  passphrase: 'file:passphrase',
  chain: ['root.pem'],
  profiles: { device: { validityDays: 90 } },
};

it('Two backends of one CA share its record and one CRL', async () => {
  gateway = await startTestGateway({ backends: { twin }, aliases: { twin: { backend: 'twin' } } });
  const device = await enrolDevice(gateway, 'device', 'twin');
  expect(await renewAt('twin', device)).toBe(200);
  const serialNumber = await revoke(device);
  expect([await renewAt('est', device), await renewAt('twin', device)]).toEqual([403, 403]);
  expect(await crlOf('twin')).toEqual(await crlOf('local'));
  expect(await textOf(await crlOf('twin'))).toContain(serialNumber);
});

it.each([
  ['record', { record: 'incomplete' }],
  ['backdate', { backdate: 30 }],
  ['crl.validityHours', { crl: { validityHours: 1 } }],
])('Two backends of one CA must agree in %s', async (option, other) => {
  gateway = await startTestGateway();
  const adding = gateway.reload(({ backends, ...rest }) => ({
    ...rest,
    backends: { ...backends, twin: { ...twin, ...other } },
  }));
  await expect(adding).rejects.toThrow(
    `backends.twin: ${option} is not what it is at backends.local, which is the same CA`,
  );
});

it('What a CA revoked that was replaced stays revoked where its certificates are still trusted', async () => {
  gateway = await startTestGateway();
  const [good, bad] = [await enrolDevice(gateway, 'good'), await enrolDevice(gateway, 'bad')];
  const neverIssued = await enrolDevice(gateway, 'forgotten');
  await revoke(bad);
  const next = await newAuthority();
  const [old, oldRoot] = [gateway.issuingCertificate, gateway.trustAnchor];
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(join(gateway.directory, name), text);
  };
  await write('old.pem', old + oldRoot);
  await write('new.pem', next.issuingCertificate);
  await write('new.key', next.issuingKey);
  await write('new-root.pem', next.rootCertificate);
  await gateway.reload(({ backends, aliases, ...rest }) => ({
    ...rest,
    backends: {
      ...backends,
      local: { ...twin, certificate: 'new.pem', privateKey: 'file:new.key', chain: ['new-root.pem'] },
    },
    aliases: { est: { ...aliases['est'], explicitTrustAnchors: ['old.pem'] } },
  }));
  expect([await renewAt('est', bad), await renewAt('est', good)]).toEqual([403, 200]);
  // As after a backup: the record was complete, so that its key signed this one elsewhere.
  forget(neverIssued);
  expect(await renewAt('est', neverIssued)).toBe(403);
});

function forget({ cert }: Device): void {
  const database = new DatabaseSync(join(gateway.directory, 'state.sqlite'));
  const serialNumber = new X509Certificate(cert).serialNumber.toLowerCase();
  database.prepare('DELETE FROM certificates WHERE serial_number = ?').run(serialNumber);
  database.close();
}
