import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { send, type Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { certificateOf, enrolment, enrolWithBasic, plainCsr } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const byCode = { operationMode: 'client', authenticationModule: 'HttpBasicAuth' };
const postfix = { certificateProfile: 'Postfix' };

describe('names that EJBCA certifies in another form than they were registered', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        strict: byCode,
        lenient: { ...byCode, alias: { issuedNames: ['replacedSubject', 'replacedSubjectAltNames'] } },
        ra: { ...byUser, ...postfix, alias: { issuedNames: ['replacedSubject'] } },
      },
      prepare: async (ejbca) => {
        ejbca.addCertificateProfile('Postfix', { commonNamePostfix: ' of the profile' });
        await Promise.resolve();
      },
    });
  });

  afterAll(async () => {
    await running.stop();
  });

  async function enrol(alias: string, username: string): Promise<Answer> {
    const { gateway } = running;
    const csr = await plainCsr('ignored', await generateKeyPair('P-256'));
    const authorization = `Basic ${Buffer.from(`${username}:foo123`).toString('base64')}`;
    const request = enrolment(csr, { Authorization: authorization });
    return await send(`${gateway.url}/${alias}/simpleenroll`, { ca: gateway.trustAnchor, ...request });
  }

  it.each([
    ['m-1', 'CN=m-1,O=Acme,C=SE', ''],
    [
      'm-2',
      'C=SE,SN=4711,CN=m-2',
      'dNSName=M-2.example, iPAddress=2001:db8:0:0:0:0:0:1, iPAddress=192.0.2.1',
    ],
    ['m-3', 'CN=Meter\\, number 3,E=m-3@device.example', 'rfc822Name=m-3@device.example'],
    ['m-4', 'CN=m-4', 'uniformResourceIdentifier=urn:m:4, registeredID=1.2.3'],
  ])('are none for %s, %s with %s', async (username, subjectDn, subjectAltName) => {
    running.ejbca.addEndEntity({ username, subjectDn, subjectAltName });
    expect(await enrol('strict', username)).toMatchObject({ status: 200 });
  });

  it('are refused and revoked in client mode, unless issuedNames has them', async () => {
    const { certificates } = running.ejbca.database;
    for (const username of ['m-8', 'm-9']) running.ejbca.addEndEntity({ username, ...postfix });
    expect((await enrol('strict', 'm-8')).status).toBe(502);
    expect(certificates.at(-1)).toMatchObject({ username: 'm-8', revocation: { at: expect.any(Date) } });
    expect(running.gateway.log.entries).toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining('another certificate than was approved'),
        fields: expect.objectContaining({ reason: expect.stringMatching(/registered .* replacedSubject/) }),
      }),
    );
    const { subject } = new X509Certificate(await certificateOf(await enrol('lenient', 'm-9')));
    expect(subject).toBe('CN=m-9 of the profile');
  });

  it('are found again in RA mode after a lost answer where issuedNames has them', async () => {
    const { certificates } = running.ejbca.database;
    const before = certificates.length;
    const csr = await plainCsr('m-10', await generateKeyPair('P-256'));
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'certificaterequest', times: 1 });
    expect((await enrolWithBasic(running.gateway, csr, 'ra')).status).toBe(503);
    expect((await enrolWithBasic(running.gateway, csr, 'ra')).status).toBe(200);
    expect(certificates.length - before).toBe(1);
  });
});
