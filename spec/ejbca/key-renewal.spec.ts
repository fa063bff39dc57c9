import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createFleet, modes, withUser, type Fleet } from '../conformance/ejbca-fleet.ts';
import { startEjbcaGateway, type EjbcaGateway } from './setup.ts';

const operation = 'serverkeygen';

describe('serverkeygen by a certificate of the CA and nothing else', () => {
  let running: EjbcaGateway;
  let fleet: Fleet;
  beforeAll(async () => {
    const alias = { compatibility: 'rfc' };
    running = await startEjbcaGateway({
      aliases: {
        'ra-rfc': { ...modes['ra'], alias },
        'challenge-rfc': { ...modes['challenge'], alias },
        'vendor-rfc': { ...modes['vendor'], serverKeyGeneration: true, alias },
        certificate: { ...modes['ra-certificate'], serverKeyGeneration: true },
      },
      prepare: async (ejbca) => {
        await ejbca.addCertificationAuthority('Vendor CA');
        await ejbca.addCertificationAuthority('Foreign CA');
      },
    });
    fleet = createFleet(running);
  });
  afterAll(async () => {
    await running.stop();
  });

  const usernames = (): readonly string[] =>
    running.ejbca.database.certificates.map(({ username }) => username);

  it('renews for the end entity that has the certificate, whatever it is called', async () => {
    const shown = await fleet.enrolled('rfc');
    fleet.rename(shown.commonName);
    const csr = await fleet.freshCsr(shown.commonName);
    const answer = await fleet.post('ra-rfc', csr, { operation, shown });
    expect([answer.status, usernames().at(-1)]).toEqual([200, `${shown.commonName}-renamed`]);
  });

  it('renews in client mode, though the end entity is not NEW', async () => {
    const shown = await fleet.enrolledByCode('rfc');
    const answer = await fleet.post('challenge-rfc', await fleet.freshCsr(shown.commonName), {
      operation,
      shown,
    });
    expect([answer.status, answer.issued, usernames().at(-1)]).toEqual([200, 1, shown.commonName]);
  });

  it('renews in vendor mode by the certificate of the CA, and enrols by that of the vendor once', async () => {
    const { commonName, ...device } = await fleet.vendorDevice();
    const first = await fleet.post('vendor-rfc', await fleet.freshCsr(commonName), {
      operation,
      shown: { commonName, ...device },
    });
    const again = await fleet.post('vendor-rfc', await fleet.freshCsr(commonName), {
      operation,
      shown: { commonName, ...device },
    });
    expect([first.status, first.issued, again.status, again.issued]).toEqual([200, 1, 400, 0]);
    const own = await fleet.enrolledByCode('rfc');
    const renewed = await fleet.post('vendor-rfc', await fleet.freshCsr(own.commonName), {
      operation,
      shown: own,
    });
    expect([renewed.status, renewed.issued]).toEqual([200, 1]);
  });

  it('gives no other name than that of the certificate', async () => {
    const shown = await fleet.enrolled('rfc');
    const answer = await fleet.post('ra-rfc', await fleet.freshCsr(), { operation, shown });
    expect([answer.status, answer.issued]).toEqual([403, 0]);
  });

  it('gives another name to who shows user and password besides', async () => {
    const shown = await fleet.enrolled('rfc');
    const answer = await fleet.post('ra-rfc', await fleet.freshCsr(), { operation, shown, ...withUser });
    expect([answer.status, answer.issued]).toEqual([200, 1]);
  });

  it('asks for user and password when the certificate is of another CA, or revoked', async () => {
    const foreign = await fleet.certified('Foreign CA', fleet.freshName());
    const revoked = await fleet.enrolled('rfc');
    fleet.revoke(revoked.commonName);
    for (const shown of [foreign, revoked]) {
      const csr = await fleet.freshCsr(shown.commonName);
      const answer = await fleet.post('ra-rfc', csr, { operation, shown });
      expect([answer.status, answer.issued, answer.headers['www-authenticate']]).toEqual([
        401,
        0,
        expect.stringContaining('Basic'),
      ]);
    }
  });

  it('enrols under any name where a certificate is all that the alias requires', async () => {
    const shown = await fleet.enrolled('rfc');
    const commonName = fleet.freshName();
    const answer = await fleet.post('certificate', await fleet.freshCsr(commonName), { operation, shown });
    expect([answer.status, usernames().at(-1)]).toEqual([200, commonName]);
  });
});
