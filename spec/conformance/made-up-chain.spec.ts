import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { caConstraints, certificateDer, named } from '../support/certificate.ts';
import { extension, generateKeyPair, sequence, subjectAltName, tlv, type KeyPair } from '../support/csr.ts';
import { enrolment, plainCsr } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { linearGrowth } from '../support/growth.ts';

const names = 9000;
const subtrees = 4400;

/** A certificate and a CA above it, both of keys that nobody trusts. */
async function madeUp(keys: readonly [KeyPair, KeyPair], share: number): Promise<readonly [Buffer, Buffer]> {
  const [key, issuerKey] = keys;
  const mailboxes = Array.from({ length: names * share }, () => tlv(0x81, Buffer.from('@')));
  const bases = Array.from({ length: subtrees * share }, () => sequence(tlv(0x81, Buffer.from('a@b'))));
  const issuer = named('made up');
  const constraints = extension('2.5.29.30', sequence(tlv(0xa1, ...bases)), true);
  return await Promise.all([
    certificateDer({
      subject: named('device'),
      issuer,
      key,
      issuerKey,
      extensions: [subjectAltName(...mailboxes)],
    }),
    certificateDer({ subject: issuer, key: issuerKey, extensions: [caConstraints(), constraints] }),
  ]);
}

describe('a chain that the client made up, handed on by a proxy', () => {
  let gateway: TestGateway;
  let keys: readonly [KeyPair, KeyPair];
  let csr: Buffer;
  beforeAll(async () => {
    gateway = await startTestGateway({
      proxy: { address: '127.0.0.1', port: 0, clientCertificate: 'rfc9440', headerBytes: 262_144 },
    });
    keys = [await generateKeyPair('P-256'), await generateKeyPair('P-256')];
    csr = await plainCsr('device', keys[0]);
  });
  afterAll(async () => {
    await gateway.stop();
  });

  /** Microseconds of CPU time of the process that the refusal takes. */
  async function timeOfRefusal(share: number): Promise<number> {
    const [leaf = '', above = ''] = (await madeUp(keys, share)).map((der) => `:${der.toString('base64')}:`);
    const { body, ...parts } = enrolment(csr, { 'Client-Cert': leaf, 'Client-Cert-Chain': above });
    const before = process.threadCpuUsage();
    const outgoing = request(`${gateway.proxyPlace}/.well-known/est/simpleenroll`, {
      agent: false,
      ...parts,
    });
    outgoing.end(body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.resume();
    await once(incoming, 'end');
    expect(incoming.statusCode).toBe(403);
    const { user, system } = process.threadCpuUsage(before);
    return user + system;
  }

  it('S-09 takes time that grows with its size, and not with its names times its constraints', async () => {
    await timeOfRefusal(1);
    const small = await timeOfRefusal(1 / 8);
    expect((await timeOfRefusal(1)) / small).toBeLessThan(linearGrowth);
  });
});
