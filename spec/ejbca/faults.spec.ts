import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolWithBasic, enrolDevice, plainCsr, renew } from '../support/device.ts';
import type { Fault } from '../support/ejbca/fault.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const enrolPath = 'certificaterequest';

describe('what goes wrong between the gateway and EJBCA', () => {
  let running: EjbcaGateway;

  async function start(circuitBreaker: object): Promise<void> {
    running = await startEjbcaGateway({
      aliases: { basic: byUser, random: { ...byUser, nameGeneration: { scheme: 'RANDOM' } }, twin: byUser },
      backend: { timeouts: { answer: 2 }, circuitBreaker, limits: { maxResponse: 65_536 } },
    });
  }

  beforeEach(async () => {
    await start({ failures: 1000, pause: 1 });
  });

  afterEach(async () => {
    await running.stop();
  });

  async function newCsr(): Promise<Buffer> {
    return await plainCsr('device', await generateKeyPair('P-256'));
  }

  async function enrol(csr: Buffer, alias = 'basic'): Promise<Answer> {
    return await enrolWithBasic(running.gateway, csr, alias);
  }

  const html = '<html><body>502 Bad Gateway</body></html>';

  it.each<[string, Fault, number]>([
    ['a reset before the request', { kind: 'reset', when: 'before' }, 503],
    ['a reset after EJBCA has issued', { kind: 'reset', when: 'after' }, 503],
    ['an answer that is cut off', { kind: 'truncation' }, 503],
    ['silence before EJBCA has issued', { kind: 'silence', when: 'before' }, 504],
    ['silence after EJBCA has issued', { kind: 'silence', when: 'after' }, 504],
    ['an answer that is late', { kind: 'latency', milliseconds: 3000 }, 504],
    ['an answer that trickles', { kind: 'trickle', milliseconds: 20 }, 504],
    ["a proxy's 502", { kind: 'answer', when: 'before', status: 502, body: html }, 503],
    ["a proxy's 503", { kind: 'answer', when: 'after', status: 503, body: html }, 503],
    ["a proxy's 504", { kind: 'answer', when: 'after', status: 504, body: html }, 503],
    ['a page in place of JSON', { kind: 'answer', when: 'after', status: 200, body: html }, 502],
    [
      'a redirect',
      { kind: 'answer', when: 'before', status: 302, headers: { Location: 'https://elsewhere.example/' } },
      502,
    ],
    [
      'an answer that is too large',
      { kind: 'answer', when: 'after', status: 201, body: ' '.repeat(100_000) },
      502,
    ],
    ['no certificate', { kind: 'change', members: { certificate: undefined } }, 502],
    ['a certificate that is a number', { kind: 'change', members: { certificate: 17 } }, 502],
    ['a certificate that is no base64', { kind: 'change', members: { certificate: '%%%' } }, 502],
    ['a certificate that is none', { kind: 'change', members: { certificate: 'MAMCAQU=' } }, 502],
  ])(
    'survives %s: a defined answer, then the one certificate for the same request',
    async (_name, fault, status) => {
      const csr = await newCsr();
      running.ejbca.setFault({ ...fault, path: enrolPath, times: 1 });
      const failed = await enrol(csr);
      expect(failed.status).toBe(status);
      expect(failed.headers['content-type']).toMatch(/^text\/plain/);
      const answer = await enrol(csr);
      expect(answer.status).toBe(200);
      await expect(certificateOf(answer)).resolves.toMatch(/BEGIN CERTIFICATE/);
      // What was issued and lost is found again in place of a second one.
      expect(running.ejbca.database.certificates).toHaveLength(1);
    },
  );

  it('finds what was lost also under a random name', async () => {
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: enrolPath, times: 1 });
    expect((await enrol(csr, 'random')).status).toBe(503);
    expect((await enrol(csr, 'random')).status).toBe(200);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it('finds what was lost also after a restart of the gateway', async () => {
    const csr = await newCsr();
    running.ejbca.setFault({ kind: 'silence', when: 'after', path: enrolPath, times: 1 });
    expect((await enrol(csr)).status).toBe(504);
    await running.gateway.restart();
    expect((await enrol(csr)).status).toBe(200);
    expect(running.ejbca.database.certificates).toHaveLength(1);
  });

  it('asks for a new certificate in a renewal with the same key, although an old one is there', async () => {
    const device = await enrolDevice(running.gateway, 'device', 'basic');
    const csr = await plainCsr('device', device.keyPair);
    const answer = await renew(running.gateway, device, csr, 'basic');
    expect(answer.status).toBe(200);
    expect(await certificateOf(answer)).not.toBe(device.cert);
  });

  it('never sends an enrolment twice by itself, and a question once more', async () => {
    const device = await enrolDevice(running.gateway, 'device', 'basic');
    running.ejbca.requests.length = 0;
    running.ejbca.setFault({ kind: 'reset', when: 'before', path: 'search', times: 1 });
    running.ejbca.setFault({ kind: 'reset', when: 'before', path: enrolPath, times: 1 });
    const answer = await renew(running.gateway, device, await newCsr(), 'basic');
    expect(answer.status).toBe(503);
    const calls = running.ejbca.requests.map(({ path }) => path.split('/').at(-1));
    // Who has the certificate, asked twice, and what its end entity has.
    expect(calls.filter((call) => call === 'search')).toHaveLength(3);
    expect(calls.filter((call) => call === enrolPath)).toHaveLength(1);
  });

  it('takes certificates that are base64 twice over', async () => {
    const csr = await newCsr();
    expect((await enrol(csr)).status).toBe(200);
    const [issued] = running.ejbca.database.certificates;
    const twice = Buffer.from(issued?.der.toString('base64') ?? '').toString('base64');
    running.ejbca.setFault({
      kind: 'change',
      members: { certificate: twice, novelty: { of: 'tomorrow' } },
      path: enrolPath,
    });
    const answer = await enrol(csr, 'twin');
    expect(answer.status).toBe(200);
    expect(await certificateOf(answer)).toBe(issued && certificateToPem(issued.der));
  });

  it('S-37 leaves EJBCA alone after failures in a row, and comes back', async () => {
    await running.stop();
    await start({ failures: 3, pause: 2 });
    running.ejbca.setFault({ kind: 'reset', when: 'before' });
    // What EJBCA has of the end entity is asked twice.
    for (let n = 0; n < 2; n += 1) expect((await enrol(await newCsr())).status).toBe(503);
    const asked = running.ejbca.requests.length;
    const spared = await enrol(await newCsr());
    expect(spared.status).toBe(503);
    expect(Number(spared.headers['retry-after'])).toBeGreaterThan(0);
    expect(running.ejbca.requests).toHaveLength(asked);
    expect(running.gateway.log.entries.map(({ message }) => message)).toContain(
      'EJBCA fails again and again; it is left alone for a while.',
    );
    running.ejbca.clearFaults();
    const csr = await newCsr();
    let answer = await enrol(csr);
    const patience = Date.now() + 10_000;
    while (answer.status === 503 && Date.now() < patience) answer = await enrol(csr);
    expect(answer.status).toBe(200);
  });

  it('refuses a client certificate while EJBCA cannot say whether it is revoked', async () => {
    const device = await enrolDevice(running.gateway, 'device', 'basic');
    running.ejbca.setFault({ kind: 'answer', when: 'before', status: 503, path: 'revocationstatus' });
    expect((await renew(running.gateway, device, await newCsr(), 'basic')).status).toBe(503);
    running.ejbca.clearFaults();
    const [issued] = running.ejbca.database.certificates;
    if (issued !== undefined) issued.revocation = { reason: 'KEY_COMPROMISE', at: new Date() };
    const answer = await renew(running.gateway, device, await newCsr(), 'basic');
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/revoked/) });
  });
});
