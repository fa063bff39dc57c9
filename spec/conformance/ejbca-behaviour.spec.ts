/**
 * What EJBCA's own EST answers, as its system tests demand it (EstRAModeBasicSystemTest, EstClientModeBasicSystemTest,
 * EstVendorModeTest), row by row through the gateway and the stand-in, with both values of `compatibility`.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { nameToString } from '../../src/pkix/names.ts';
import { startEjbcaGateway, type EjbcaGateway } from '../ejbca/setup.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, plainCsr } from '../support/device.ts';
import { code, createFleet, modes, ways, withUser, type Fleet } from './ejbca-fleet.ts';
import { situationsOfRegistered } from './ejbca-registered-situations.ts';
import { situationsInRaMode } from './ejbca-situations.ts';

const situations = [...situationsInRaMode, ...situationsOfRegistered];

let running: EjbcaGateway;
let fleet: Fleet;
beforeAll(async () => {
  running = await startEjbcaGateway({
    aliases: Object.fromEntries(
      Object.entries(modes).flatMap(([mode, { alias, ...settings }]) =>
        ways.map((compatibility) => [
          `${mode}-${compatibility}`,
          { ...settings, alias: { ...alias, compatibility } },
        ]),
      ),
    ),
    prepare: async (ejbca) => {
      ejbca.addEndEntityProfile('No SAN', { alternativeNames: [] });
      await ejbca.addCertificationAuthority('Vendor CA');
      await ejbca.addCertificationAuthority('Foreign CA');
      await ejbca.addCertificationAuthority('Lost CA');
    },
  });
  running.ejbca.database.certificationAuthorities.delete('Lost CA');
  fleet = createFleet(running);
});
afterAll(async () => {
  await running.stop();
});

describe.each(ways)("EJBCA's EST, with compatibility: %s", (way) => {
  it.each(situations)('$situation', async ({ ejbca, rfc = ejbca, compatible = ejbca, says = '', ...row }) => {
    const status = way === 'rfc' ? rfc : compatible;
    const { issued = status === 200 ? 1 : 0, ask } = row;
    const answer = await ask(fleet, way);
    expect([answer.status, answer.issued, answer.body]).toEqual([
      status,
      issued,
      expect.stringContaining(says),
    ]);
  });

  it('says in a refusal what EJBCA says, in the form of the alias', async () => {
    const { headers, body } = await fleet.post(
      `challenge-${way}`,
      await fleet.challengeCsr(fleet.registered(), 'wrong'),
    );
    const sentence = 'Invalid username, enrollment code, or end entity status';
    const page = `<html><head><title>Error</title></head><body>${sentence}`;
    expect(headers['content-type']).toMatch(way === 'ejbca' ? /^text\/html/ : /^text\/plain/);
    expect(body.startsWith(way === 'ejbca' ? page : sentence)).toBe(true);
  });

  it('serverkeygen: gives another key than that of the CSR', async () => {
    const key = await generateKeyPair('P-256');
    const csr = await plainCsr(fleet.freshName(), key);
    const answer = await fleet.post(`ra-${way}`, csr, { operation: 'serverkeygen', ...withUser });
    const [issued] = running.ejbca.database.certificates.slice(-1);
    expect([
      answer.status,
      issued && new X509Certificate(issued.der).checkPrivateKey(key.privateKey),
    ]).toEqual([200, false]);
  });

  it('gives exactly one certificate, and the chain by cacerts', async () => {
    const answer = await fleet.post(`ra-${way}`, await fleet.freshCsr(), withUser);
    expect(certificatesFromPem(await certificateOf(answer))).toHaveLength(1);
    const bag = Buffer.from((await fleet.get(`/ra-${way}/cacerts`)).body, 'base64');
    for (const der of running.ejbca.database.certificationAuthorities.get('Device CA')?.chain ?? []) {
      expect(bag.includes(der)).toBe(true);
    }
  });

  it('client mode: certifies the registered subject, not that of the CSR', async () => {
    const username = fleet.freshName();
    running.ejbca.addEndEntity({ username, password: code, subjectDn: `CN=${username},O=Registered` });
    const answer = await fleet.post(`dnpart-${way}`, await fleet.dnPartCsr(username, code));
    const [certificate] = certificatesFromPem(await certificateOf(answer));
    expect(certificate && nameToString(certificate.subject)).toBe(`O=Registered,CN=${username}`);
  });
});

it('docs/compatibility.md has every row that differs from EJBCA', () => {
  const page = readFileSync('docs/compatibility.md', 'utf8').split('\n');
  for (const { situation, ejbca, rfc = ejbca, compatible = ejbca } of situations) {
    if (rfc === ejbca && compatible === ejbca) continue;
    const cells = page.find((line) => line.startsWith(`| ${situation} `))?.split('|') ?? [];
    const found = cells.slice(1, 5).map((cell) => cell.trim());
    expect(found).toEqual([situation, String(ejbca), String(rfc), String(compatible)]);
  }
});
