import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { nameToString } from '../../src/pkix/names.ts';
import { send, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  generateKeyPair,
  id,
  name,
  printableString,
  utf8String,
  type KeyPair,
} from '../support/csr.ts';
import { certificateOf, enrolment, plainCsr, privatePem, renew } from '../support/device.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const serialNumber = '2.5.4.5';
const wrong = 'Invalid username, enrollment code, or end entity status';

describe('client mode', () => {
  let running: EjbcaGateway;
  let key: KeyPair;

  beforeAll(async () => {
    const client = { operationMode: 'client', extractUsernameComponent: 'CN' };
    running = await startEjbcaGateway({
      aliases: {
        challenge: { ...client, authenticationModule: 'ChallengePwd', serverKeyGeneration: true },
        dnpart: { ...client, authenticationModule: 'DnPartPwd', extractDnPartPasswordComponent: 'SN' },
        basic: { ...client, authenticationModule: 'HttpBasicAuth' },
        ejbca: {
          ...client,
          authenticationModule: 'HttpBasicAuth',
          alias: { compatibility: 'ejbca' },
        },
      },
    });
  });

  beforeEach(async () => {
    key = await generateKeyPair('P-256');
    running.ejbca.clearFaults();
    running.ejbca.requests.length = 0;
  });

  afterAll(async () => {
    await running.stop();
  });

  async function post(
    path: string,
    csr: Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const { gateway } = running;
    return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, ...enrolment(csr, headers) });
  }

  async function withChallenge(commonName: string, code: string): Promise<Buffer> {
    return await certificationRequest({
      key,
      subject: name([id.commonName, utf8String(commonName)]),
      attributes: [attribute(id.challengePassword, utf8String(code))],
    });
  }

  async function withDnPart(commonName: string, code: string): Promise<Buffer> {
    return await certificationRequest({
      key,
      subject: name([id.commonName, utf8String(commonName)], [serialNumber, printableString(code)]),
    });
  }

  function basicOf(username: string, code: string): { readonly Authorization: string } {
    return { Authorization: `Basic ${Buffer.from(`${username}:${code}`).toString('base64')}` };
  }

  /** Sends the code as the alias wants it. */
  const ways: Readonly<Record<string, (username: string, code: string) => Promise<Answer>>> = {
    challenge: async (username, code) =>
      await post('challenge/simpleenroll', await withChallenge(username, code)),
    dnpart: async (username, code) => await post('dnpart/simpleenroll', await withDnPart(username, code)),
    basic: async (username, code) =>
      await post('basic/simpleenroll', await plainCsr('ignored', key), basicOf(username, code)),
  };
  const names = Object.keys(ways);
  const enrolBy = async (way: string, username: string, code: string): Promise<Answer> => {
    const enrol = ways[way];
    if (enrol === undefined) throw new Error(`no way ${way}`);
    return await enrol(username, code);
  };

  it.each(names)('%s: gives the registered names for the right code', async (way) => {
    const username = `meter-${way}`;
    running.ejbca.addEndEntity({ username, subjectDn: `CN=${username},O=Registered`, password: 'secret-17' });
    const answer = await enrolBy(way, username, 'secret-17');
    expect(answer.status).toBe(200);
    const [certificate] = certificatesFromPem(await certificateOf(answer));
    expect(certificate && nameToString(certificate.subject)).toBe(`O=Registered,CN=${username}`);
    expect(running.ejbca.database.endEntities.get(username)?.status).toBe('GENERATED');
  });

  it.each([
    ['challenge', 400, undefined],
    ['dnpart', 400, undefined],
    ['basic', 401, 'Basic realm="EST basic", charset="UTF-8"'],
  ])(
    '%s: answers %d to a wrong code, an unknown user and a used code alike',
    async (way, status, challenge) => {
      const username = `refused-${way}`;
      running.ejbca.addEndEntity({ username, password: 'secret-18' });
      const answers = [await enrolBy(way, username, 'guess'), await enrolBy(way, 'nobody', 'secret-18')];
      running.ejbca.addEndEntity({ username, password: 'secret-18', status: 'GENERATED' });
      answers.push(await enrolBy(way, username, 'secret-18'));
      for (const answer of answers) {
        expect(answer).toMatchObject({ status, body: expect.stringContaining(wrong) });
        expect(answer.headers['www-authenticate']).toBe(challenge);
      }
    },
  );

  it.each([
    ['basic', 401],
    ['ejbca', 400],
  ])(
    'at the alias %s compatibility decides the status of a wrong enrolment code: %d',
    async (alias, status) => {
      running.ejbca.addEndEntity({ username: `meter-at-${alias}`, password: 'secret-18' });
      const enrol = async (code: string): Promise<Answer> =>
        await post(
          `${alias}/simpleenroll`,
          await plainCsr('ignored', key),
          basicOf(`meter-at-${alias}`, code),
        );
      expect(await enrol('guess')).toMatchObject({ status, body: expect.stringContaining(wrong) });
      expect((await enrol('secret-18')).status).toBe(200);
    },
  );

  it('basic: asks for user name and code, before it reads the CSR', async () => {
    const answer = await post('basic/simpleenroll', Buffer.from('no CSR'));
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Basic realm="EST basic", charset="UTF-8"');
    expect(running.ejbca.requests).toEqual([]);
  });

  it.each([
    ['challenge', /there is no challengePassword/],
    ['dnpart', /the subject has no SN/],
  ])('%s: refuses a CSR without a code and does not ask EJBCA', async (way, reason) => {
    const answer = await post(`${way}/simpleenroll`, await plainCsr('meter', key));
    expect(answer).toMatchObject({ status: 400, body: expect.stringMatching(reason) });
    expect(running.ejbca.requests).toEqual([]);
  });

  it.each(names)(
    '%s: gives the same certificate again to the right code, and nothing to a wrong one',
    async (way) => {
      const username = `again-${way}`;
      running.ejbca.addEndEntity({ username, password: 'secret-19' });
      const first = await enrolBy(way, username, 'secret-19');
      const again = await enrolBy(way, username, 'secret-19');
      const guessed = await enrolBy(way, username, 'guess');
      expect(first.status).toBe(200);
      expect(again.body).toBe(first.body);
      expect(guessed.status).not.toBe(200);
    },
  );

  it.each(names)('%s: looks for what EJBCA issued when its answer was lost', async (way) => {
    const username = `lost-${way}`;
    running.ejbca.addEndEntity({ username, password: 'secret-20' });
    running.ejbca.setFault({ kind: 'reset', when: 'after', path: 'certificaterequest', times: 1 });
    expect((await enrolBy(way, username, 'secret-20')).status).toBe(503);
    const answer = await enrolBy(way, username, 'secret-20');
    expect(answer.status).toBe(200);
    const issued = running.ejbca.database.certificates.filter((one) => one.username === username);
    expect(issued).toHaveLength(1);
  });

  it.each(names)('%s: writes the code into no log line, no journal entry and no answer', async (way) => {
    const username = `quiet-${way}`;
    running.ejbca.addEndEntity({ username, password: 'open-sesame' });
    const answers = [
      await enrolBy(way, username, 'xyzzy-wrong'),
      await enrolBy(way, username, 'open-sesame'),
    ];
    const { gateway } = running;
    const journal = await gateway.store.enrollments.list(1000);
    const written = [
      ...gateway.log.lines(),
      JSON.stringify(journal),
      ...answers.map(({ body }) => body),
    ].join('\n');
    expect(written).toContain(username);
    expect(written).not.toMatch(/open-sesame|xyzzy-wrong/);
  });

  it('renews by the certificate for the end entity that has it, with its own profiles', async () => {
    const { gateway, ejbca } = running;
    ejbca.addCertificateProfile('Meter');
    ejbca.addEndEntity({ username: 'meter-9', password: 'secret-21', certificateProfile: 'Meter' });
    const enrolled = await enrolBy('challenge', 'meter-9', 'secret-21');
    const device = { key: privatePem(key.privateKey), cert: await certificateOf(enrolled) };
    const answer = await renew(
      gateway,
      device,
      await plainCsr('meter-9', await generateKeyPair('P-256')),
      'challenge',
    );
    expect(answer.status).toBe(200);
    expect(ejbca.database.endEntities.get('meter-9')).toMatchObject({ certificateProfile: 'Meter' });
    expect(ejbca.database.certificates.filter((one) => one.username === 'meter-9')).toHaveLength(2);
  });

  it('lets a renewal carry the challengePassword of the first enrolment', async () => {
    const { gateway, ejbca } = running;
    ejbca.addEndEntity({ username: 'meter-10', password: 'secret-22' });
    const csr = await withChallenge('meter-10', 'secret-22');
    const cert = await certificateOf(await post('challenge/simpleenroll', csr));
    const answer = await renew(gateway, { key: privatePem(key.privateKey), cert }, csr, 'challenge');
    expect(answer.status).toBe(200);
  });

  it('makes keys for registered end entities', async () => {
    running.ejbca.addEndEntity({ username: 'keyless', password: 'secret-23' });
    const answer = await post('challenge/serverkeygen', await withChallenge('keyless', 'secret-23'));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toMatch(/^multipart\/mixed/);
    expect(running.ejbca.database.endEntities.get('keyless')?.status).toBe('GENERATED');
  });
});
