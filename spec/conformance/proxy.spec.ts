import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { lstat, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateToPem } from '../../src/pkix/certificate.ts';
import { caConstraints, certificateDer, named } from '../support/certificate.ts';
import { send, sendToSocket, type Answer } from '../support/client.ts';
import {
  attribute,
  certificationRequest,
  extension,
  generateKeyPair,
  id,
  name,
  tlv,
  utf8String,
} from '../support/csr.ts';
import { basic, enrolDevice, enrolment, issueByHand, plainCsr, type Device } from '../support/device.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
let vendor: TestGateway;
let folder: string;
let socketPath: string;
let device: Device;
let postQuantum: Awaited<ReturnType<typeof postQuantumAuthority>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'proxy-'));
  socketPath = join(folder, 'est.sock');
  vendor = await startTestGateway();
  postQuantum = await postQuantumAuthority();
  gateway = await startTestGateway({
    proxy: { socket: socketPath, clientCertificate: 'rfc9440' },
    files: { 'post-quantum.pem': postQuantum.certificate },
    aliases: {
      postQuantum: { authentication: 'clientCertificate', implicitTrustAnchors: ['post-quantum.pem'] },
      certificate: { authentication: 'clientCertificate' },
      linked: { policy: { linking: 'required' } },
      vendors: {
        authentication: 'clientCertificate',
        implicitTrustAnchors: [`${vendor.directory}/root.pem`],
      },
    },
  });
  device = await enrolDevice(gateway, 'device-1');
});
afterAll(async () => {
  await gateway.stop();
  await vendor.stop();
  await rm(folder, { recursive: true });
});

/** A vendor of devices whose keys and signatures are the largest of ML-DSA. */
async function postQuantumAuthority() {
  const [key, issuerKey] = [await generateKeyPair('ML-DSA-87'), await generateKeyPair('ML-DSA-87')];
  const issuer = named('Post-quantum vendor');
  const der = await certificateDer({ key: issuerKey, subject: issuer, extensions: [caConstraints()] });
  return { key, issuerKey, issuer, certificate: certificateToPem(der) };
}

const viaProxy = async (path: string, options: Parameters<typeof sendToSocket>[2] = {}): Promise<Answer> =>
  await sendToSocket(socketPath, `/.well-known/est${path}`, options);

const sequenceOf = (pem: string): string => `:${pem.replace(/-----[^-]+-----|\n/g, '')}:`;
const shown = (cert: string): { 'Client-Cert': string } => ({ 'Client-Cert': sequenceOf(cert) });

async function enrolViaProxy(
  headers: Record<string, string | string[]>,
  alias = 'certificate',
): Promise<Answer> {
  const { headers: own, ...parts } = enrolment(await plainCsr('device-1', device.keyPair));
  return await viaProxy(`/${alias}/simpleenroll`, { ...parts, headers: { ...own, ...headers } });
}

describe('EST behind a proxy that ends TLS', () => {
  it('X-01 enrols and renews by the certificate that the proxy hands on', async () => {
    expect((await enrolViaProxy(shown(device.cert))).status).toBe(200);
    const csr = await plainCsr('device-1', await generateKeyPair('P-256'));
    const { headers, ...parts } = enrolment(csr);
    const renewal = { ...parts, headers: { ...headers, ...shown(device.cert) } };
    expect((await viaProxy('/certificate/simplereenroll', renewal)).status).toBe(200);
  });

  it('X-09 takes a request without the field for one of nobody, also after one with it', async () => {
    await enrolViaProxy(shown(device.cert));
    expect((await enrolViaProxy({})).status).toBe(403);
    expect((await enrolViaProxy({ 'Client-Cert': '' })).status).toBe(403);
    expect((await viaProxy('/cacerts')).status).toBe(200);
    expect((await enrolViaProxy({ Authorization: basic }, 'est')).status).toBe(200);
  });

  it('X-06 validates the certificate in full', async () => {
    const expired = await issueByHand(gateway, { notBefore: '20200101000000Z', notAfter: '20210101000000Z' });
    const stranger = await enrolDevice(vendor, 'stranger');
    for (const { cert } of [expired, stranger]) {
      expect((await enrolViaProxy(shown(cert))).status).toBe(403);
    }
  });

  it('X-06 takes a certificate for itself, and not for one that is written inside it', async () => {
    const inside = extension('1.3.6.1.4.1.32473.1', tlv(0x04, Buffer.from(`\n${device.cert}`)));
    const stranger = await certificateDer({ subject: named('stranger'), extensions: [inside] });
    const answer = await enrolViaProxy(shown(certificateToPem(stranger)));
    expect([answer.status, answer.body]).toEqual([
      403,
      expect.stringContaining('it leads to no trust anchor'),
    ]);
  });

  it('X-06 refuses a certificate that was revoked meanwhile', async () => {
    const other = await enrolDevice(gateway, 'revoked');
    const serialNumber = new X509Certificate(other.cert).serialNumber.toLowerCase();
    await gateway.store.certificates.revoke(gateway.ca, serialNumber, 'keyCompromise', new Date());
    const answer = await enrolViaProxy(shown(other.cert));
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('it is revoked')]);
  });

  it('X-01 follows Client-Cert-Chain up to a vendor', async () => {
    const { cert } = await enrolDevice(vendor, 'vendors-device');
    const chain = { 'Client-Cert-Chain': sequenceOf(vendor.issuingCertificate) };
    expect((await enrolViaProxy(shown(cert), 'vendors')).status).toBe(403);
    expect((await enrolViaProxy({ ...shown(cert), ...chain }, 'vendors')).status).toBe(200);
  });

  it.each<[string, Record<string, string | string[]>]>([
    ['twice', { 'Client-Cert': [':AAAA:', ':AAAA:'] }],
    ['that is malformed', { 'Client-Cert': ':AAAA:' }],
    ['in the form of nginx', { 'X-SSL-Client-Cert': 'x' }],
    ['in the form of Envoy', { 'X-Forwarded-Client-Cert': 'Cert=x' }],
    ['spelled with _', { Client_Cert: ':AAAA:' }],
  ])('X-02 X-04 V-55 refuses a certificate field %s', async (_what, headers) => {
    const own = 'Client-Cert' in headers ? {} : shown(device.cert);
    expect((await enrolViaProxy({ ...own, ...headers })).status).toBe(400);
  });

  it('X-08 takes a certificate with ML-DSA-87 from a CA with ML-DSA-87, and the whole chain', async () => {
    const device = await certificateDer({ ...postQuantum, subject: named('device-1') });
    expect(device.length).toBeGreaterThan(7000);
    const chain = { 'Client-Cert-Chain': Array(3).fill(sequenceOf(postQuantum.certificate)).join(', ') };
    const headers = { ...shown(certificateToPem(device)), ...chain };
    expect((await enrolViaProxy(headers, 'postQuantum')).status).toBe(200);
  });

  it('X-08 takes a certificate as large as with SLH-DSA, and refuses a larger header', async () => {
    const filler = Buffer.alloc(55_000, 1);
    const extensions = [extension('1.3.6.1.4.1.32473.1', tlv(0x04, filler))];
    const { cert } = await issueByHand(gateway, { subject: named('device-1'), extensions });
    expect((await enrolViaProxy(shown(cert))).status).toBe(200);
    const twice = { 'Client-Cert-Chain': sequenceOf(cert) };
    expect(await enrolViaProxy({ ...shown(cert), ...twice })).toMatchObject({ status: 431 });
  });

  it('X-05 V-55 ignores every such field where TLS ends at the gateway', async () => {
    const { headers, ...parts } = enrolment(await plainCsr('device-1', device.keyPair));
    const forged = {
      ...headers,
      ...shown(device.cert),
      'X-SSL-Client-Cert': encodeURIComponent(device.cert),
    };
    const answer = await send(`${gateway.url}/certificate/simpleenroll`, {
      ca: gateway.trustAnchor,
      ...parts,
      headers: forged,
    });
    expect(answer.status).toBe(403);
  });

  async function linkedCsr(): Promise<Buffer> {
    return await certificationRequest({
      key: device.keyPair,
      subject: name([id.commonName, utf8String('device-1')]),
      attributes: [attribute(id.challengePassword, utf8String(Buffer.alloc(32, 1).toString('base64')))],
    });
  }

  it('X-12 refuses a CSR with linking, which nobody can verify', async () => {
    const { headers, ...parts } = enrolment(await linkedCsr(), shown(device.cert));
    const answer = await viaProxy('/certificate/simpleenroll', { ...parts, headers });
    expect([answer.status, answer.body]).toEqual([403, expect.stringContaining('TLS ends at a proxy')]);
  });

  it('X-12 does not ask by csrattrs for linking, but where it can be verified', async () => {
    const behindProxy = await viaProxy('/linked/csrattrs');
    expect(behindProxy.status).toBe(204);
    const direct = await send(`${gateway.url}/linked/csrattrs`, { ca: gateway.trustAnchor });
    expect(direct.status).toBe(200);
  });

  it('X-12 takes it unverified from a proxy that is declared to keep its clients apart', async () => {
    const socket = join(folder, 'trusting.sock');
    const trusting = await startTestGateway({
      aliases: { linked: { policy: { linking: 'required' } } },
      proxy: { socket, clientCertificate: 'rfc9440', linking: 'trust' },
    });
    const enrol = async (csr: Buffer): Promise<number> =>
      (
        await viaProxy('/linked/simpleenroll', {
          socketPath: socket,
          ...enrolment(csr, { Authorization: basic }),
        })
      ).status;
    try {
      expect(await enrol(await linkedCsr())).toBe(200);
      expect(await enrol(await plainCsr('device-1', device.keyPair))).toBe(400);
      // Where TLS ends at the gateway itself, it is verified as ever.
      const direct = await send(`${trusting.url}/linked/simpleenroll`, {
        ca: trusting.trustAnchor,
        ...enrolment(await linkedCsr(), { Authorization: basic }),
      });
      expect(direct.status).toBe(400);
    } finally {
      await trusting.stop();
    }
  });

  it.each([
    ['192.0.2.7', { 'X-Forwarded-For': '192.0.2.7' }],
    ['192.0.2.7', { 'X-Forwarded-For': '203.0.113.9, 192.0.2.7' }],
    ['2001:db8::7', { 'X-Forwarded-For': '2001:db8::7' }],
    ['192.0.2.7', { 'X-Forwarded-For': '::ffff:192.0.2.7' }],
    ['192.0.2.7', { 'X-Forwarded-For': '192.0.2.7:4711' }],
    [undefined, { Forwarded: 'for=192.0.2.7' }],
  ])('logs the client address %s', async (address, headers) => {
    await viaProxy('/cacerts', { headers });
    const { fields = {} } = gateway.log.entries.at(-1) ?? {};
    expect(fields['address']).toBe(address);
  });

  it('X-06 refuses a request of which the proxy does not say from where it came, and logs why', async () => {
    const { status, body } = await viaProxy('/cacerts', { headers: { 'X-Forwarded-For': 'unknown' } });
    expect([status, body]).toEqual([400, expect.stringContaining('does not say from which one address')]);
    const { fields = {} } = gateway.log.entries.at(-1) ?? {};
    expect(fields).toMatchObject({
      ...{ status: 400, outcome: 'malformed_request' },
      ...{ rule: 'listeners.proxy.clientAddress', offending: 'X-Forwarded-For' },
    });
    expect(fields['address']).toBeUndefined();
  });

  it('X-03 lets owner and group alone use the socket', async () => {
    expect((await lstat(socketPath)).mode & 0o777).toBe(0o660);
  });

  it('takes the place of a socket that a killed process left behind', async () => {
    await gateway.restart();
    expect((await viaProxy('/cacerts')).status).toBe(200);
    const leftover = join(folder, 'left.sock');
    const server = createServer().listen(leftover);
    await once(server, 'listening');
    await expect(
      startTestGateway({ proxy: { socket: leftover, clientCertificate: 'nginx' } }),
    ).rejects.toThrow('Another process listens on');
    server.close();
    await once(server, 'close');
    await writeFile(leftover, 'no socket');
    await expect(
      startTestGateway({ proxy: { socket: leftover, clientCertificate: 'nginx' } }),
    ).rejects.toThrow('exists and is no socket');
  });

  it.each([
    [{ address: '0.0.0.0', port: 0 }, 'can be reached by others than the proxy'],
    [{ address: '::', port: 0 }, 'can be reached by others than the proxy'],
    [{ address: 'localhost', port: 0 }, 'can be reached by others than the proxy'],
    [{ address: '127.0.0.1' }, 'give either socket, or address and port'],
    [{}, 'give either socket, or address and port'],
    [{ socket: '/nowhere/x.sock', port: 1 }, 'give either socket, or address and port'],
  ])('X-03 refuses to listen at %j', async (place, reason) => {
    await expect(startTestGateway({ proxy: { clientCertificate: 'nginx', ...place } })).rejects.toThrow(
      `listeners.proxy: ${reason.startsWith('can') ? `${String((place as { address?: string }).address)} ` : ''}${reason}`,
    );
  });
});

describe('a proxy that names its clients in Forwarded (RFC 7239)', () => {
  let behind: TestGateway;
  beforeAll(async () => {
    const socket = join(folder, 'forwarded.sock');
    behind = await startTestGateway({
      proxy: {
        ...{ socket, clientAddress: 'Forwarded', clientCertificate: 'nginx' },
        trustedAddresses: ['10.0.0.0/8', '2001:db8:1::/48'],
      },
    });
  });
  afterAll(async () => {
    await behind.stop();
  });

  it.each([
    ['192.0.2.7', { Forwarded: 'for=192.0.2.7' }],
    ['192.0.2.7', { Forwarded: 'For="192.0.2.7:4711";proto=https' }],
    ['192.0.2.7', { Forwarded: ['for=203.0.113.9', 'for=192.0.2.7', 'for=10.1.2.3'] }],
    [undefined, { Forwarded: 'for=203.0.113.9, for=192.0.2.7' }],
    [undefined, { 'X-Forwarded-For': '192.0.2.7' }],
  ])('logs the client address %s', async (address, headers) => {
    await viaProxy('/cacerts', { socketPath: behind.proxyPlace, headers });
    expect(behind.log.entries.at(-1)?.fields['address']).toBe(address);
  });

  it('is not believed where TLS ends at the gateway', async () => {
    const headers = { Forwarded: 'for=192.0.2.66', 'X-Forwarded-For': '192.0.2.66' };
    await send(`${behind.url}/cacerts`, { ca: behind.trustAnchor, headers });
    expect(behind.log.entries.at(-1)?.fields['address']).toMatch(/127\.0\.0\.1$/);
  });
});

describe('serverkeygen behind a proxy that ends TLS', () => {
  const aliases = {
    keys: { serverKeyGeneration: {} },
    strong: { serverKeyGeneration: { keys: ['P-384'] } },
  };
  const weak = 'ECDHE-ECDSA-AES128-GCM-SHA256';
  const fit = 'TLS_AES_256_GCM_SHA384';
  let declared: TestGateway;
  beforeAll(async () => {
    const proxy = {
      socket: join(folder, 'cipher.sock'),
      clientCertificate: 'nginx',
      cipherSuite: 'X-SSL-Cipher',
    };
    declared = await startTestGateway({ aliases, proxy });
  });
  afterAll(async () => {
    await declared.stop();
  });

  async function askForKey(
    alias: string,
    headers: Record<string, string | string[]>,
    at = declared,
  ): Promise<Answer> {
    const { headers: own, ...parts } = enrolment(await plainCsr('device-1', device.keyPair), {
      Authorization: basic,
    });
    const options = { socketPath: at.proxyPlace, ...parts, headers: { ...own, ...headers } };
    return await viaProxy(`/${alias}/serverkeygen`, options);
  }

  it.each([
    ['keys', weak, 200],
    ['keys', fit, 200],
    ['strong', 'ECDHE-RSA-CHACHA20-POLY1305', 200],
    ['strong', fit, 200],
    ['strong', weak, 403],
    ['keys', 'ECDHE-ECDSA-NULL-SHA', 403],
    ['keys', 'DES-CBC3-SHA', 403],
    ['keys', `${weak}, ${fit}`, 403],
    ['keys', '', 403],
  ])('K-06 judges the cipher suite that the proxy names: %s, %s', async (alias, suite, status) => {
    expect((await askForKey(alias, { 'X-SSL-Cipher': suite })).status).toBe(status);
  });

  it('K-06 gives no key while the proxy names no cipher suite', async () => {
    expect(await askForKey('keys', {})).toMatchObject({
      status: 403,
      body: expect.stringContaining('the strength of this one is not known here'),
    });
  });

  it.each([
    ['twice', { 'X-SSL-Cipher': [weak, fit] }],
    ['spelled with _', { X_SSL_Cipher: fit }],
    ['and once more with _', { 'X-SSL-Cipher': weak, X_SSL_Cipher: fit }],
  ])('K-06 X-04 refuses a cipher suite %s', async (_what, headers) => {
    expect((await askForKey('keys', headers)).status).toBe(400);
  });

  it('K-06 believes no such field by default, nor where TLS ends at the gateway', async () => {
    const socket = join(folder, 'silent.sock');
    const silent = await startTestGateway({ aliases, proxy: { socket, clientCertificate: 'nginx' } });
    try {
      expect((await askForKey('keys', { 'X-SSL-Cipher': fit }, silent)).status).toBe(403);
      const csr = await plainCsr('device-1', device.keyPair);
      const direct = await send(`${declared.url}/strong/serverkeygen`, {
        ...{ ca: declared.trustAnchor, ciphers: weak, maxVersion: 'TLSv1.2' },
        ...enrolment(csr, { Authorization: basic, 'X-SSL-Cipher': fit }),
      });
      expect(direct.status).toBe(403);
    } finally {
      await silent.stop();
    }
  });

  it('K-06 demands as much of the way between proxy and gateway where that is TLS', async () => {
    const tls = {
      certificate: 'server.pem',
      privateKey: 'file:server.key',
      trustAnchors: [`${vendor.directory}/root.pem`, `${vendor.directory}/issuing.pem`],
      names: ['proxy'],
    };
    const place = { address: '127.0.0.1', port: 0, tls };
    const behind = await startTestGateway({
      aliases,
      proxy: { ...place, clientCertificate: 'nginx', cipherSuite: 'X-SSL-Cipher' },
    });
    try {
      const { key, cert } = await enrolDevice(vendor, 'proxy');
      const csr = await plainCsr('device-1', device.keyPair);
      const statusOver = async (ciphers: string): Promise<number> => {
        const url = `${behind.proxyPlace.replace('http:', 'https:')}/.well-known/est/strong/serverkeygen`;
        const answer = await send(url, {
          ...{ ca: behind.trustAnchor, key, cert, ciphers, maxVersion: 'TLSv1.2' },
          ...enrolment(csr, { Authorization: basic, 'X-SSL-Cipher': fit }),
        });
        return answer.status;
      };
      expect(await statusOver(weak)).toBe(403);
      expect(await statusOver('ECDHE-ECDSA-AES256-GCM-SHA384')).toBe(200);
    } finally {
      await behind.stop();
    }
  });
});
