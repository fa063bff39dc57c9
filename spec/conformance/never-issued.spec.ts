import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { caConstraints, certificateDer, named } from '../support/certificate.ts';
import { send, type Answer } from '../support/client.ts';
import {
  issueByCa,
  openSigner,
  pkiData,
  postFullCmc,
  signByCa,
  signMessage,
  tcr,
  type Signatory,
  type TestSigner,
} from '../support/cmc.ts';
import { generateKeyPair, integer } from '../support/csr.ts';
import { enrolDevice, enrolment, plainCsr, privatePem, signByHand, type Device } from '../support/device.ts';
import { newAuthority, startOneGateway, type TestGateway } from '../support/gateway.ts';
import { keyPairOf } from '../support/key-holders.ts';

/** Certificates that were signed with the key of the CA behind the gateway's back. */

const objection = 'is not among the certificates that this CA has issued';
const forClients = 'extendedKeyUsage=clientAuth';
const forAuthorities = 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28';

let signer: TestSigner;
let gateway: TestGateway;
let forged: Signatory;
let device: Device;
/** Of another CA under the root of the gateway's. */
let ofSibling: Signatory;

beforeAll(async () => {
  const ca = await newAuthority();
  const sibling = await siblingUnder(keyPairOf({ passphrase: 'test-passphrase' }, ca.rootKey));
  ofSibling = sibling.device;
  signer = await openSigner();
  const common = { serverKeyGeneration: { keys: ['P-256'] }, fullCmc: { signer: signer.files } };
  const all = { commonName: 'RA 1', names: { commonName: ['*'] } };
  gateway = await startOneGateway(
    {
      aliases: {
        est: common,
        certificate: { ...common, authentication: 'clientCertificate' },
        cmc: { ...common, registrationAuthorities: { all } },
        soft: { revocation: { onFailure: 'soft', withoutSource: 'accept' } },
        siblings: { explicitTrustAnchors: ['sibling.pem'] },
      },
      revocation: { allowedNetworks: ['127.0.0.0/8', '::1/128'] },
      proxy: { address: '127.0.0.1', port: 0, clientCertificate: 'rfc9440' },
      files: { 'sibling.pem': sibling.certificate },
    },
    ca,
  );
  forged = await signByCa(gateway, 'device', forClients);
  device = await enrolDevice(gateway, 'device');
});

afterAll(async () => {
  await gateway.stop();
  await signer.remove();
});

async function siblingUnder(rootKey: ReturnType<typeof keyPairOf>) {
  const [caKey, deviceKey] = await Promise.all([generateKeyPair('P-256'), generateKeyPair('P-256')]);
  const issuer = named('Test Root CA');
  const extensions = [caConstraints()];
  const ca = { subject: named('Sibling CA'), issuer, key: caKey, issuerKey: rootKey, extensions };
  const leaf = { subject: named('neighbour'), issuer: ca.subject, key: deviceKey, issuerKey: caKey };
  return {
    certificate: certificateToPem(await certificateDer(ca)),
    device: {
      cert: certificateToPem(await certificateDer(leaf)),
      key: privatePem(deviceKey.privateKey),
    },
  };
}

/** `path` is alias and operation. */
async function ask(path: string, { key, cert }: Signatory, commonName = 'device'): Promise<Answer> {
  const csr = await plainCsr(commonName, await generateKeyPair('P-256'));
  return await send(`${gateway.url}/${path}`, { ca: gateway.trustAnchor, key, cert, ...enrolment(csr) });
}

async function cmcMessage(signatory: Signatory): Promise<Buffer> {
  const csr = await plainCsr('device', await generateKeyPair('P-256'));
  return await signMessage(pkiData({ requests: [tcr(csr)] }), signatory);
}

/** Asks, gives the status, and expects that neither journal nor CA have heard of it, and that the log says which certificate it was. */
async function refused(
  asking: () => Promise<Pick<Answer, 'status'>>,
  { cert }: Pick<Signatory, 'cert'>,
): Promise<number> {
  const known = async () => [
    await gateway.store.enrollments.list(1000),
    await gateway.store.certificates.list(gateway.ca),
  ];
  const before = await known();
  const linesBefore = gateway.log.entries.length;
  const { status } = await asking();
  expect(await known()).toEqual(before);
  const serialNumber = new X509Certificate(cert).serialNumber.toLowerCase();
  const lines = gateway.log.entries.slice(linesBefore);
  expect(lines).toContainEqual(
    expect.objectContaining({
      level: 'error',
      message: 'A certificate is refused that its CA has signed and never issued.',
      fields: expect.objectContaining({
        serialNumber,
        advice: expect.stringContaining('record: incomplete'),
      }),
    }),
  );
  expect(lines.at(-1)?.fields).toMatchObject({
    reason: expect.stringContaining(objection),
    refusedCertificate: expect.stringContaining(
      `serial number ${serialNumber}, issued by CN=Test Issuing CA`,
    ),
  });
  return status;
}

describe('a certificate that its CA signed and never issued', () => {
  it.each(
    ['est', 'certificate', 'soft'].flatMap((alias) =>
      ['simpleenroll', 'simplereenroll', ...(alias === 'soft' ? [] : ['serverkeygen'])].map(
        (operation) => `${alias}/${operation}`,
      ),
    ),
  )('S-07 is refused for %s', async (path) => {
    let answer: Answer | undefined;
    expect(await refused(async () => (answer = await ask(path, forged)), forged)).toBe(403);
    expect(answer?.body).toContain(`The TLS client certificate is not accepted: it ${objection}.`);
  });

  it('S-07 is refused for fullcmc, by TLS and as the signer of a message', async () => {
    expect(
      await refused(
        async () => await postFullCmc(gateway, await cmcMessage(device), { ...forged, alias: 'certificate' }),
        forged,
      ),
    ).toBe(403);
    expect(
      await refused(
        async () => await postFullCmc(gateway, await cmcMessage(forged), { ...device, alias: 'certificate' }),
        forged,
      ),
    ).toBe(403);
    expect(
      await refused(
        async () => await postFullCmc(gateway, await cmcMessage(forged), { alias: 'est' }),
        forged,
      ),
    ).toBe(403);
  });

  it('S-07 is refused of a registration authority, until the CA has issued it', async () => {
    const authority = await signByCa(gateway, 'RA 1', forAuthorities);
    expect(await refused(async () => await ask('cmc/simpleenroll', authority, 'other'), authority)).toBe(403);
    const issued = await issueByCa(gateway, 'RA 1', forAuthorities);
    expect(await ask('cmc/simpleenroll', issued, 'other')).toMatchObject({ status: 200 });
  });

  it('S-07 is refused behind a proxy that ends TLS', async () => {
    const csr = await plainCsr('device', await generateKeyPair('P-256'));
    const field = `:${forged.cert.replace(/-----[^-]+-----|\n/g, '')}:`;
    const { body, ...parts } = enrolment(csr, { 'Client-Cert': field });
    expect(
      await refused(async () => {
        const url = `${gateway.proxyPlace}/.well-known/est/simpleenroll`;
        const outgoing = request(url, { agent: false, ...parts }).end(body);
        const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
        incoming.resume();
        return { status: incoming.statusCode ?? 0, headers: {}, body: '' };
      }, forged),
    ).toBe(403);
  });

  it('S-07 is refused under the serial number of one that the CA has issued', async () => {
    const serialNumber = integer(BigInt(`0x${new X509Certificate(device.cert).serialNumber}`));
    const double = await signByHand(gateway, { subject: named('device'), serialNumber });
    expect(await refused(async () => await ask('est/simplereenroll', double), double)).toBe(403);
    expect(await ask('est/simplereenroll', device)).toMatchObject({ status: 200 });
  });

  it('S-07 is refused whatever CRLs say, and in whatever order the sources are asked', async () => {
    const crl = { crlUrls: [`${gateway.httpUrl}/crl/local.crl`] };
    const orders = {
      'crl-alone': { ...crl, sources: ['crl'] },
      'crl-backend': { ...crl, sources: ['crl', 'backend'] },
      'backend-crl': { ...crl, sources: ['backend', 'crl'], withoutSource: 'refuse' },
      'crl-soft': { ...crl, sources: ['crl'], onFailure: 'soft' },
    };
    await gateway.reload((written) => ({
      ...written,
      aliases: {
        ...written.aliases,
        ...Object.fromEntries(
          Object.entries(orders).map(([name, revocation]) => [
            name,
            { ...written.aliases['est'], revocation },
          ]),
        ),
      },
    }));
    for (const alias of Object.keys(orders)) {
      expect(await ask(`${alias}/simpleenroll`, device)).toMatchObject({ status: 200 });
      expect(await refused(async () => await ask(`${alias}/simpleenroll`, forged), forged)).toBe(403);
    }
  });

  it('S-07 is not renewed for a registration authority, though the journal has it', async () => {
    const authority = await issueByCa(gateway, 'RA 1', forAuthorities);
    const lost = await enrolDevice(gateway, 'lost', 'cmc');
    await enrolDevice(gateway, 'kept', 'cmc');
    forget("subject = 'CN=lost'");
    expect(await refused(async () => await ask('cmc/simplereenroll', authority, 'lost'), lost)).toBe(403);
    expect(await ask('cmc/simplereenroll', authority, 'kept')).toMatchObject({ status: 200 });
  });

  it('leaves certificates of other CAs alone, also of one under the same root', async () => {
    expect(await ask('siblings/simpleenroll', ofSibling, 'neighbour')).toMatchObject({ status: 200 });
  });
});

/** As if the store had been restored from a backup that is older. */
function forget(condition: string): void {
  const database = new DatabaseSync(join(gateway.directory, 'state.sqlite'));
  database.exec(`DELETE FROM certificates WHERE ${condition}`);
  database.close();
}

describe('record: incomplete', () => {
  async function withRecord(record: string, revocation: object = {}): Promise<void> {
    await gateway.reload((written) => ({
      ...written,
      backends: { ...written.backends, local: { ...written.backends['local'], record } },
      aliases: { ...written.aliases, est: { ...written.aliases['est'], revocation } },
    }));
  }

  it('S-07 accepts at every alias what the record does not have, and what it has as before', async () => {
    await withRecord('incomplete');
    for (const alias of ['est', 'certificate']) {
      for (const operation of ['simpleenroll', 'simplereenroll', 'serverkeygen']) {
        expect(await ask(`${alias}/${operation}`, forged)).toMatchObject({ status: 200 });
      }
    }
    const revoked = await enrolDevice(gateway, 'device');
    const serialNumber = new X509Certificate(revoked.cert).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'superseded', new Date());
    expect(await ask('est/simplereenroll', revoked)).toMatchObject({
      status: 403,
      body: expect.stringContaining('it is revoked'),
    });
    const number = integer(BigInt(`0x${serialNumber}`));
    const double = await signByHand(gateway, { subject: named('device'), serialNumber: number });
    expect(await ask('est/simplereenroll', double)).toMatchObject({ status: 403 });
  });

  it('S-07 lets the other sources decide, then withoutSource', async () => {
    const crlUrls = [`${gateway.httpUrl}/crl/local.crl`];
    await withRecord('incomplete', { sources: ['backend', 'crl'], crlUrls, withoutSource: 'refuse' });
    expect(await ask('est/simplereenroll', forged)).toMatchObject({ status: 200 });
    await withRecord('incomplete', { withoutSource: 'refuse' });
    expect(await ask('est/simplereenroll', device)).toMatchObject({ status: 200 });
    expect(await ask('est/simplereenroll', forged)).toMatchObject({
      status: 403,
      body: expect.stringContaining('it cannot be checked for revocation here'),
    });
  });

  it('S-07 ends with the next reload that says complete', async () => {
    await withRecord('complete');
    expect(await refused(async () => await ask('est/simplereenroll', forged), forged)).toBe(403);
    expect(await ask('est/simplereenroll', device)).toMatchObject({ status: 200 });
  });
});
