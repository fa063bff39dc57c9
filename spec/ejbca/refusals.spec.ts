import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Answer } from '../support/client.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import type { StandIn } from '../support/ejbca/start.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };

describe('what EJBCA refuses', () => {
  let running: EjbcaGateway;

  beforeAll(async () => {
    running = await startEjbcaGateway({
      aliases: {
        basic: byUser,
        strict: { ...byUser, endEntityProfile: 'Strict' },
        elsewhere: { ...byUser, endEntityProfile: 'Elsewhere' },
        missing: { ...byUser, endEntityProfile: 'Missing' },
      },
      prepare: async (ejbca) => {
        ejbca.addEndEntityProfile('Strict', { subject: ['O'] });
        ejbca.addEndEntityProfile('Elsewhere', { certificationAuthorities: ['Root CA'] });
        await Promise.resolve();
      },
    });
  });

  beforeEach(() => {
    running.ejbca.clearFaults();
    running.ejbca.enabledProtocols.add('REST Certificate Management');
  });

  afterAll(async () => {
    await running.stop();
  });

  const json = { kind: 'answer', when: 'before', contentType: 'application/json' } as const;
  let count = 0;
  async function enrol(alias = 'basic'): Promise<Answer> {
    const csr = await plainCsr(`device-${(count += 1)}`, await generateKeyPair('P-256'));
    return await enrolWithBasic(running.gateway, csr, alias);
  }

  /** The line about the last call of EJBCA that failed. */
  function lastLine(): object | undefined {
    return running.gateway.log.entries.findLast(({ fields }) => fields['backend'] === 'ejbca');
  }

  function deviceCa(ejbca: StandIn): { status: string } {
    const ca = ejbca.database.certificationAuthorities.get('Device CA');
    if (ca === undefined) throw new Error('no Device CA');
    return ca;
  }

  it.each([
    ['offline', /^500: ERROR Error processing request /, /^Activate the CA/],
    ['token offline', /^Device was unavailable/, /^Activate the crypto token/],
  ])('answers 503 with Retry-After while the CA is %s', async (status, text, advice) => {
    const ca = deviceCa(running.ejbca);
    ca.status = status;
    const answer = await enrol().finally(() => (ca.status = 'active'));
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('60');
    expect(lastLine()).toMatchObject({
      level: 'error',
      fields: { answer: expect.stringMatching(text), advice: expect.stringMatching(advice) },
    });
    expect((await enrol()).status).toBe(200);
  });

  it('answers 400 where the end entity profile does not allow the names', async () => {
    const answer = await enrol('strict');
    expect(answer).toMatchObject({ status: 400, body: expect.stringMatching(/does not allow this subject/) });
    expect(lastLine()).toMatchObject({
      level: 'warn',
      fields: {
        answer: 'Wrong number of COMMONNAME fields in Subject DN.',
        advice: expect.stringMatching(/End Entity Profiles/),
      },
    });
  });

  it('answers 400 where another user has the key', async () => {
    const key = await generateKeyPair('P-256');
    running.ejbca.database.certificates.push(...(await issuedFor(running, key, 'somebody-else')));
    const answer = await enrolWithBasic(running.gateway, await plainCsr('key-thief', key), 'basic');
    expect(answer.status).toBe(400);
    expect(answer.body).toMatch(/belongs to another user of the CA/);
  });

  it.each([
    ['elsewhere', 502, /^Add the CA to "Available CAs"/],
    ['missing', 503, /^Give ejbca\.endEntityProfile/],
  ])(
    'says what to change where the settings of the alias %s do not fit EJBCA, with %i',
    async (alias, status, advice) => {
      expect((await enrol(alias)).status).toBe(status);
      expect(lastLine()).toMatchObject({ level: 'error', fields: { advice: expect.stringMatching(advice) } });
    },
  );

  it('answers 502 while the protocol is switched off, and says which one', async () => {
    running.ejbca.enabledProtocols.delete('REST Certificate Management');
    expect((await enrol()).status).toBe(502);
    expect(lastLine()).toMatchObject({
      level: 'error',
      fields: {
        answer: '403: Error This service has been disabled.',
        advice: expect.stringMatching(/^Enable "REST Certificate Management"\. EJBCA: System Configuration/),
      },
    });
  });

  it.each([
    [
      403,
      'Administrator is not authorized to resource /ra_functionality/create_end_entity. Msg: .',
      /^Allow \/ra_functionality\/create_end_entity in the role/,
    ],
    [403, "Administrator 'CN=gateway' not authorized to CA 815.", /^Allow the CA 815 /],
    [
      403,
      "Authentication failed: No admin authenticated for certificate with serialNumber 1 and issuerDN 'CN=M'.",
      /a member of a role/,
    ],
    [
      403,
      'Error no client certificate or OAuth token received for authentication.',
      /^Let EJBCA ask for TLS client certificates/,
    ],
    [403, 'Something new.', /^Give the role of the gateway/],
    [401, 'Something new.', /^Give the role of the gateway/],
    [404, 'RESTEASY003210: Could not find resource for full path: https://x/', /^Upgrade EJBCA/],
  ])('answers 502 to %d "%s", and says what to do', async (status, text, advice) => {
    const body = JSON.stringify({ error_code: status, error_message: text });
    running.ejbca.setFault({ ...json, status, body, path: 'certificaterequest' });
    expect((await enrol()).status).toBe(502);
    expect(lastLine()).toMatchObject({
      level: 'error',
      fields: { status, answer: text, advice: expect.stringMatching(advice) },
    });
  });

  it.each([
    [400, 'Some text that nobody knows.', 400],
    [409, 'Some conflict.', 400],
    [422, 'Some validation.', 400],
    [500, 'General failure.', 503],
    [500, 'Some failure.', 503],
    [503, 'Some log of certificates.', 503],
    [418, 'A teapot.', 502],
  ])('answers an unknown %d "%s" with %d, and none of the text', async (status, text, expected) => {
    const body = JSON.stringify({ error_code: status, error_message: text });
    running.ejbca.setFault({ ...json, status, body, path: 'certificaterequest' });
    const answer = await enrol();
    expect(answer.status).toBe(expected);
    expect(answer.body).not.toContain(text);
    expect(lastLine()).toMatchObject({ fields: { status, answer: text } });
  });
});

/** A certificate of the CA for the key, as if another user had got it. */
async function issuedFor(
  { gateway, ejbca }: EjbcaGateway,
  key: Awaited<ReturnType<typeof generateKeyPair>>,
  username: string,
): Promise<typeof ejbca.database.certificates> {
  await enrolWithBasic(gateway, await plainCsr('first-holder', key), 'basic');
  const [issued] = ejbca.database.certificates.splice(-1);
  return issued === undefined ? [] : [{ ...issued, username }];
}
